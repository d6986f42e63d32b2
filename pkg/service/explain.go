package service

import (
	"fmt"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
)

// Explain gives the reason for people as it is at now: what Reason says, with
// how often it happened and when the next try is due.
func (st Status) Explain(now time.Time) string {
	next := "next try now"
	if d := st.NextStart.Sub(now); d > 0 {
		next = "next try in " + span(d)
	}
	switch st.State {
	case api.StateBackoff:
		return fmt.Sprintf("%s, %s", st.Reason, next)
	case api.StateCrashLoop:
		if len(st.Failures) < 2 {
			return fmt.Sprintf("crash loop: %s, %s", st.Reason, next)
		}
		last := st.Failures[len(st.Failures)-1]
		return fmt.Sprintf("crash loop: %s, %s in %s, %s", st.Reason, plural(len(st.Failures), "time"), span(last.Sub(st.Failures[0])), next)
	case api.StateWaiting, api.StateExited:
		if !st.NextRun.IsZero() && !st.Down && now.Before(st.NextRun) && st.NextOf != (Schedule{}) {
			return st.Reason + ", next run in " + span(st.NextRun.Sub(now))
		}
	case api.StateRunning:
		if st.Refused != nil && st.Refused.Spec != st.Spec && st.Reason == "" {
			return "runs as before a change that failed: " + st.Refused.Reason
		}
		if st.OnTrial() && st.Reason == "" {
			return "changed, on trial for " + span(st.TrialEnd.Sub(now))
		}
	case api.StateStopping:
		if d := st.KillAt.Sub(now); d > 0 {
			return fmt.Sprintf("%s, killed in %s", st.Reason, span(d))
		}
	}
	return st.Reason
}

func describeExit(e Event) string {
	switch {
	case e.OOM:
		return "killed: it used more memory than its limit"
	case e.Signal != "":
		return "killed by " + e.Signal
	default:
		return fmt.Sprintf("exit %d", e.Code)
	}
}

// span writes a duration as short as people say it: 200 ms, 12 s, 3 min, 2 h.
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", max(d.Milliseconds(), 0))
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Round(time.Second).Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Round(time.Minute).Minutes()))
	default:
		return fmt.Sprintf("%d h", int(d.Round(time.Hour).Hours()))
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
