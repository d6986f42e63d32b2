package service

import (
	"slices"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
)

// PlanStop is Plan for a machine that goes down: it stops everything, each
// service once nothing that depends on it runs any more, all others at once,
// and starts nothing. services are those that may be alive, as declared. It is
// finished when no Status is Alive: then it returns no action and no time.
func PlanStop(now time.Time, services []Service, have map[string]Status) (actions []Action, wake time.Time) {
	p := planner{now: now, have: have}
	holders := map[string]string{} // NAME: who still needs it
	for _, s := range services {
		if !have[s.Name].Alive() {
			continue
		}
		for _, d := range s.DependsOn {
			if d.Name != s.Name && have[d.Name].Alive() {
				holders[d.Name] = s.Name
			}
		}
	}
	var alive []string
	moving := false
	for name, st := range have {
		if st.Alive() {
			alive = append(alive, name)
			moving = moving || holders[name] == "" || st.State == api.StateStopping
		}
	}
	slices.Sort(alive)
	for _, name := range alive {
		st := have[name]
		switch {
		case st.State == api.StateStopping:
			p.stopping(name, st)
		case st.PID == 0:
			// Being created; it is stopped once it has a process.
		case holders[name] == "":
			p.end(Stop, name, "the system goes down")
		case !moving:
			// Declarations changed under what runs and made a circle.
			p.end(Stop, name, "the system goes down, and "+holders[name]+" and it depend on each other")
		}
	}
	return p.ends, p.wake
}
