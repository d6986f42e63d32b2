package service

import (
	"cmp"
	"slices"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
)

// ActionKind is what is to be done to a service.
type ActionKind string

const (
	Wait   ActionKind = "wait"   // nothing: only the reason is to be recorded
	Start  ActionKind = "start"  // create afresh (Persistent: on the kept writable layer) and start
	Stop   ActionKind = "stop"   // send the stop signal; Kill follows if need be
	Kill   ActionKind = "kill"   // SIGKILL to the whole container
	Fail   ActionKind = "fail"   // as Stop, of one that is to count as failed
	Abort  ActionKind = "abort"  // as Fail, by SIGABRT: the watchdog's way
	Accept ActionKind = "accept" // nothing: a change has proved itself

	Arrange ActionKind = "arrange" // nothing: a job's next run is to be noted
	Remove  ActionKind = "remove"  // delete what is left of the container (Persistent: not its writable layer)
)

// Action is one step, with the reason for people.
type Action struct {
	Kind    ActionKind
	Service string
	Reason  string
}

// Event is what to apply to the service's Status in the moment the action is
// handed to its executor, so that the next Plan does not ask for it again.
func (a Action) Event() Event {
	kind := map[ActionKind]EventKind{
		Wait: EventWaiting, Start: EventStarting, Stop: EventStopping, Kill: EventKilling, Remove: EventRemoving,
		Fail: EventFailing, Abort: EventFailing, Accept: EventAccepted, Arrange: EventArranged,
	}[a.Kind]
	return Event{Kind: kind, Reason: a.Reason}
}

// Plan says what to do now, from what should run and what is known to run, and
// when to ask again if nothing happens before (zero: no need). It is a
// function of its arguments. Actions are for different services, so all may be
// executed at once; an executor that takes a few at a time takes them in
// order, which puts stops first and starts by Priority. What is handed out for
// one service in later calls is to be executed after what went before.
//
// What is in have and not in want is stopped and removed; the caller drops its
// Status once it is neither Alive nor has a Container. Invalid and disabled
// services stand in have (EventInvalid, EventDisabled) and not in want; one
// whose change was refused stands in want as it is InForce.
func Plan(now time.Time, want []Service, have map[string]Status) (actions []Action, wake time.Time) {
	p := planner{now: now, have: have, want: map[string]Service{}}
	for _, s := range want {
		p.want[s.Name] = s
	}
	for _, s := range byPriority(want) {
		p.wanted(s, have[s.Name])
	}
	names := make([]string, 0, len(have))
	for name := range have {
		if _, ok := p.want[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		p.unwanted(name, have[name])
	}
	return append(p.ends, p.starts...), p.wake
}

func byPriority(services []Service) []Service {
	sorted := slices.Clone(services)
	slices.SortFunc(sorted, func(a, b Service) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Name, b.Name))
	})
	return sorted
}

type planner struct {
	now    time.Time
	want   map[string]Service
	have   map[string]Status
	ends   []Action
	starts []Action
	wake   time.Time
}

// at remembers a time at which something is due.
func (p *planner) at(t time.Time) {
	if p.wake.IsZero() || t.Before(p.wake) {
		p.wake = t
	}
}

func (p *planner) end(kind ActionKind, name, reason string) {
	p.ends = append(p.ends, Action{kind, name, reason})
}

func (p *planner) wanted(s Service, st Status) {
	switch {
	case st.PID != 0:
		p.running(s, st)
	case st.Making():
		// Its executor is at work.
	case st.Down || st.State == api.StateExited && !p.changed(s, st) && s.Schedule == nil:
		if st.Container && !s.Persistent {
			p.end(Remove, s.Name, "it does not run")
		}
	case s.Schedule != nil && st.State != api.StateBackoff && st.State != api.StateCrashLoop:
		p.scheduled(s, st)
	case st.State == api.StateInvalid && st.Spec == s.Hash():
		// Trying the same again cannot help.
	case p.now.Before(st.NextStart):
		p.at(st.NextStart)
	default:
		p.start(s, st)
	}
}

func (p *planner) changed(s Service, st Status) bool { return st.Spec != "" && st.Spec != s.Hash() }

func (p *planner) running(s Service, st Status) {
	if st.State == api.StateStopping {
		p.stopping(s.Name, st)
		return
	}
	switch {
	case st.Down:
		p.end(Stop, s.Name, "stopped by the operator")
	case st.Restart:
		p.end(Stop, s.Name, "restarted by the operator")
	case p.changed(s, st):
		p.end(Stop, s.Name, "its declaration has changed")
	default:
		for _, d := range s.DependsOn {
			if d.Restart && p.have[d.Name].Asked.After(st.StartedAt) {
				p.end(Stop, s.Name, d.Name+", which it depends on, was restarted")
				return
			}
		}
		p.watch(s, st)
	}
}

// watch looks for times that have run out.
func (p *planner) watch(s Service, st Status) {
	switch {
	case st.OnTrial() && st.Health == HealthBad:
		p.end(Fail, s.Name, st.Reason)
	case !st.Ready && st.State == api.StateStarting && p.over(st.StartBy):
		p.end(Fail, s.Name, "not ready "+span(p.now.Sub(st.StartedAt))+" after its start")
	case s.Watchdog > 0 && st.Ready && p.over(st.Pinged.Add(s.Watchdog)):
		p.end(Abort, s.Name, "no WATCHDOG=1 for "+span(s.Watchdog))
	case st.OnTrial() && st.Ready && p.over(st.TrialEnd):
		p.end(Accept, s.Name, "")
	}
}

// over says whether a time has come; if not, it is remembered. The zero time
// never comes.
func (p *planner) over(t time.Time) bool {
	if t.IsZero() {
		return false
	}
	if p.now.Before(t) {
		p.at(t)
		return false
	}
	return true
}

func (p *planner) stopping(name string, st Status) {
	if p.now.Before(st.KillAt) {
		p.at(st.KillAt)
		return
	}
	p.end(Kill, name, "did not stop in its grace period")
}

func (p *planner) unwanted(name string, st Status) {
	switch {
	case st.PID != 0 && st.State == api.StateStopping:
		p.stopping(name, st)
	case st.PID != 0:
		p.end(Stop, name, "it is no longer declared")
	case st.Making():
		// Its executor is at work; Started or StartFailed follows.
	case st.Container:
		p.end(Remove, name, "it is no longer declared")
	}
}

// start starts s when all it depends on is there.
func (p *planner) start(s Service, st Status) {
	for _, d := range s.DependsOn {
		reason, met := p.met(d)
		if met {
			continue
		}
		if st.State != api.StateWaiting || st.Reason != reason {
			p.starts = append(p.starts, Action{Wait, s.Name, reason})
		}
		return
	}
	reason := "declared"
	if st.State == api.StateBackoff || st.State == api.StateCrashLoop {
		reason = "restart after " + st.Reason
	}
	p.starts = append(p.starts, Action{Start, s.Name, reason})
}
