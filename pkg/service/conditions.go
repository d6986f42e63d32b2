package service

import (
	"fmt"

	"github.com/testudo-os/testudo/pkg/api"
)

// met says whether the condition of d holds; if not, the reason for people.
func (p *planner) met(d Dependency) (reason string, ok bool) {
	st, known := p.have[d.Name]
	_, wanted := p.want[d.Name]
	if !known && !wanted {
		return fmt.Sprintf("waiting for %s, which is not declared", d.Name), !d.Required
	}
	if d.Condition.holds(st) {
		return "", true
	}
	reason = fmt.Sprintf("waiting for %s %s", d.Name, d.Condition.toBe())
	if !d.Required && st.State == api.StateCrashLoop {
		return "", true
	}
	if p.vain(d, st) {
		if !d.Required {
			return "", true
		}
		reason += ", but it " + inVain(st)
	}
	return reason, false
}

// inVain says in words why waiting for st is in vain.
func inVain(st Status) string {
	switch {
	case st.State == api.StateStopped:
		return "is " + st.Reason // stopped by the operator
	case st.State == api.StateExited:
		return "has ended: " + st.Reason
	case st.Reason == "":
		return "is " + string(st.State)
	default:
		return fmt.Sprintf("is %s: %s", st.State, st.Reason)
	}
}

// vain says whether the condition of d can hold no more by itself. A one-shot
// that ended badly, or one that is to complete and ended in failure, is lost.
func (p *planner) vain(d Dependency, st Status) bool {
	if s, wanted := p.want[d.Name]; wanted && st.State != api.StateStopped && p.changed(s, st) {
		return false
	}
	return st.Failed() || d.Condition == CompletedSuccessfully && st.State == api.StateExited
}

func (c Condition) holds(st Status) bool {
	switch c {
	case Started:
		return st.PID != 0 && st.State != api.StateStopping || st.State == api.StateExited && st.Ready
	case Healthy:
		return st.Health == HealthGood && st.Ready
	case CompletedSuccessfully:
		return st.State == api.StateExited && st.ExitCode != nil && *st.ExitCode == 0
	default:
		return st.Ready
	}
}

func (c Condition) toBe() string {
	switch c {
	case Started:
		return "to start"
	case Healthy:
		return "to be healthy"
	case CompletedSuccessfully:
		return "to complete"
	default:
		return "to be ready"
	}
}
