package service

import (
	"slices"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
)

// Apply gives the record after event. s is the service as it is declared now;
// for one that is declared no more, as it was. Events that do not fit the
// present state (a late Ready of a process that has gone) change nothing.
func (st Status) Apply(s Service, e Event, now time.Time) Status {
	switch e.Kind {
	case EventStarted:
		st.started(s, e, now)
	case EventAdopted:
		st.adopted(s, e, now)
	case EventExited:
		st.exited(s, e, now)
	case EventStartFailed:
		st.startFailed(s, e, now)
	case EventPulling, EventPulled, EventPullFailed, EventGivenUp:
		st.pulls(s, e, now)
	case EventReady, EventNote, EventHealthy, EventUnhealthy, EventLeaving, EventAlive:
		st.told(s, e, now)
	case EventExtend:
		st.extend(e, now)
	case EventStartRequested, EventStopRequested, EventRestartRequested, EventRetryRequested, EventInvalid, EventDisabled:
		st.asked(e, now)
	default:
		st.did(s, e, now)
	}
	return st
}

// did is what the supervisor itself set about.
func (st *Status) did(s Service, e Event, now time.Time) {
	switch e.Kind {
	case EventWaiting:
		if st.PID == 0 {
			st.to(api.StateWaiting, now, e.Reason)
		}
	case EventArranged:
		st.plansRun(s, now)
		if st.PID == 0 && st.State != api.StateExited { // how the last run ended stays to be seen
			st.to(api.StateWaiting, now, e.Reason)
		}
	case EventStarting:
		if len(st.Failures) > 0 {
			st.Restarts++
		}
		hash := s.Hash()
		if st.Spec != "" && st.Spec != hash {
			st.Asked = now // its dependents may want to follow
		}
		st.Container, st.Spec = true, hash
		st.Restart, st.Ready, st.Health, st.Failing, st.RunNow = false, false, HealthUnknown, "", false
		st.plansRun(s, now)
		st.NextStart, st.ReadyAt, st.TrialEnd = time.Time{}, time.Time{}, time.Time{}
		st.to(api.StateStarting, now, "being created")
	case EventCreated:
		st.Container = true
	case EventStopping:
		if st.PID != 0 {
			st.Ready = false
			st.KillAt = now.Add(grace(s))
			st.to(api.StateStopping, now, e.Reason)
		}
	case EventKilling:
		if st.PID != 0 {
			st.KillAt = now.Add(killAgain)
			st.to(api.StateStopping, now, e.Reason)
		}
	case EventFailing:
		if st.PID != 0 {
			st.Ready, st.Failing = false, e.Reason
			st.KillAt = now.Add(grace(s))
			st.to(api.StateStopping, now, e.Reason)
		}
	case EventAccepted:
		st.accept(s)
	case EventRemoving:
		st.Container = false
	}
}

// accept takes s, if it is what was started last, for what is to run again
// should a change of it fail.
func (st *Status) accept(s Service) {
	hash := s.Hash()
	if st.Spec != hash {
		return
	}
	s.hash, s.Layers, s.Origins = "", nil, nil
	st.Good, st.GoodSpec, st.TrialEnd = &s, hash, time.Time{}
	if st.Refused != nil && st.Refused.Spec == hash {
		st.Refused = nil
	}
}

// refuse goes back from a change to what ran well before.
func (st *Status) refuse(s Service, why string, now time.Time) {
	st.Refused = &Refusal{Spec: st.Spec, Image: s.Image, Reason: why, At: now}
	st.Failures, st.Retries, st.Delay, st.NextStart = nil, 0, 0, time.Time{}
	st.to(api.StateWaiting, now, "going back to what ran before: "+why)
}

func grace(s Service) time.Duration {
	if s.StopGracePeriod > 0 {
		return s.StopGracePeriod
	}
	return DefaultGrace
}

func (st *Status) started(s Service, e Event, now time.Time) {
	st.PID, st.StartedAt, st.Container, st.KillAt, st.Image = e.PID, now, true, time.Time{}, e.Image
	st.ExitCode, st.Signal = nil, ""
	st.StartBy = startBy(*st, s, now)
	st.to(api.StateStarting, now, readyReason(s))
	if s.Ready == ReadyStarted || s.Ready == "" {
		st.ready(s, now)
	}
}

// startBy is when a service that was started now fails for not being ready.
func startBy(st Status, s Service, now time.Time) time.Time {
	switch {
	case s.StartTimeout > 0:
		return now.Add(s.StartTimeout)
	case st.OnTrial() && s.Ready != ReadyExit:
		return now.Add(TrialPatience)
	}
	return time.Time{}
}

// readyReason says what a started service still lacks.
func readyReason(s Service) string {
	switch s.Ready {
	case ReadyHealthy:
		return "started, waiting for its healthcheck to pass"
	case ReadyNotify:
		return "started, waiting for it to say READY=1"
	case ReadyExit:
		return "started, waiting for it to finish"
	default:
		return "started"
	}
}

func (st *Status) adopted(s Service, e Event, now time.Time) {
	st.PID, st.StartedAt, st.Container, st.Spec = e.PID, e.Since, true, e.Spec
	st.KillAt, st.NextStart, st.Failing = time.Time{}, time.Time{}, ""
	st.StartBy = startBy(*st, s, now)
	st.to(api.StateStarting, now, readyReason(s))
	if e.Ready || s.Ready == ReadyStarted || s.Ready == "" {
		st.ready(s, now)
	} else {
		st.Ready = false
	}
}

func (st *Status) ready(s Service, now time.Time) {
	if !st.Ready || st.ReadyAt.IsZero() {
		st.ReadyAt = now
		st.TrialEnd = now.Add(s.trial())
	}
	st.Ready, st.StartBy, st.Pinged = true, time.Time{}, now
	if st.Good == nil || st.Spec == st.GoodSpec {
		st.accept(s) // there is nothing else to go back to
	}
	st.to(api.StateRunning, now, "")
}

// told is what a running service says of itself or its healthcheck of it.
func (st *Status) told(s Service, e Event, now time.Time) {
	if st.PID == 0 || st.State == api.StateStopping {
		return
	}
	switch e.Kind {
	case EventReady:
		if s.Ready == ReadyNotify && st.Health != HealthBad {
			st.ready(s, now)
		}
	case EventAlive:
		st.Pinged = now
	case EventLeaving:
		st.Ready = false
		st.to(st.State, now, "it says that it is stopping")
	case EventNote:
		if st.State == api.StateStarting || st.Ready {
			st.Reason = e.Reason // not history: some services say much
		}
	case EventHealthy:
		was := st.Health
		st.Health = HealthGood
		// One that was ready before it fell ill is ready again; one that
		// has yet to say READY=1 is not made ready by its healthcheck.
		if s.Ready == ReadyHealthy || was == HealthBad && !st.ReadyAt.IsZero() {
			if !st.Ready {
				st.ready(s, now)
			}
		}
	case EventUnhealthy:
		st.Health, st.Ready = HealthBad, false
		reason := "unhealthy"
		if e.Reason != "" {
			reason += ": " + e.Reason
		}
		st.to(st.State, now, reason)
	}
}

// extend gives a service that asks for it more time.
func (st *Status) extend(e Event, now time.Time) {
	until := now.Add(e.By)
	switch {
	case st.PID == 0:
	case st.State == api.StateStopping && st.KillAt.Before(until):
		st.KillAt = until
	case st.State == api.StateStarting && !st.StartBy.IsZero() && st.StartBy.Before(until):
		st.StartBy = until
	}
}

// asked is what a person wants, in person or through a file.
func (st *Status) asked(e Event, now time.Time) {
	switch e.Kind {
	case EventStartRequested:
		st.Down, st.NextStart, st.RunNow = false, time.Time{}, true
		st.Failures, st.Retries, st.Delay = nil, 0, 0
		if !st.Alive() {
			st.to(api.StateWaiting, now, "asked to start")
		}
	case EventRestartRequested:
		st.Down, st.NextStart, st.Asked, st.RunNow = false, time.Time{}, now, true
		st.Failures, st.Retries, st.Delay = nil, 0, 0
		st.Restart = st.Alive()
		if !st.Restart {
			st.to(api.StateWaiting, now, "asked to restart")
		}
	case EventStopRequested:
		st.Down, st.Restart, st.NextStart = true, false, time.Time{}
		if !st.Alive() {
			st.Ready = false
			st.to(api.StateStopped, now, "stopped by the operator")
		}
	case EventRetryRequested:
		st.Refused = nil
	case EventInvalid:
		// A running service whose new declaration is bad runs on as it is.
		if !st.Alive() {
			st.Ready = false
			st.to(api.StateInvalid, now, e.Reason)
		}
	case EventDisabled:
		if !st.Alive() {
			st.Ready = false
			st.to(api.StateDisabled, now, e.Reason)
		}
	}
}

// ended forgets the process.
func (st *Status) ended() {
	st.PID, st.Ready, st.Health, st.KillAt, st.StartBy, st.TrialEnd = 0, false, HealthUnknown, time.Time{}, time.Time{}, time.Time{}
}

func (st *Status) exited(s Service, e Event, now time.Time) {
	if st.PID == 0 && !st.Making() {
		return // told twice
	}
	stopping, stopReason := st.State == api.StateStopping, st.Reason
	wasReady, readyAt := st.Ready, st.ReadyAt
	st.ended()
	code := e.Code
	st.ExitCode, st.Signal = &code, e.Signal
	why, good := describeExit(e), succeeded(e)
	if st.Failing != "" {
		why, good, stopping = st.Failing, false, false
		st.Failing = ""
	}
	st.ran(s, why, e, now)
	if wasReady && now.Sub(readyAt) >= HealthyAfter {
		st.Failures, st.Retries, st.Delay = nil, 0, 0
	}
	switch {
	case st.Down:
		st.to(api.StateStopped, now, "stopped by the operator")
	case st.Restart || stopping:
		// Stopped by us, for another reason than the operator's: if it is
		// still wanted it may start at once.
		st.Restart = false
		reason := "stopped"
		if stopping {
			reason += ": " + stopReason
		}
		st.to(api.StateWaiting, now, reason)
	case s.Ready == ReadyExit && good:
		st.Ready, st.ReadyAt = true, now
		st.accept(s)
		st.to(api.StateExited, now, "done")
	case !(good && mayEnd(s)) && st.OnTrial() && st.Spec == s.Hash():
		st.refuse(s, why, now)
	case e.Code == ExitNoRestart && e.Signal == "":
		st.to(api.StateExited, now, why+": it asks not to be restarted")
	case s.Restart.Policy == "" || s.Restart.Policy == "no":
		st.to(api.StateExited, now, why+", restart: no")
	case s.Restart.Policy == "on-failure" && good:
		st.to(api.StateExited, now, "exit 0")
	default:
		st.failed(s, why, e, now)
	}
}

// mayEnd says whether a good end is what is expected of s.
func mayEnd(s Service) bool {
	return s.Restart.Policy == "" || s.Restart.Policy == "no" || s.Restart.Policy == "on-failure"
}

func succeeded(e Event) bool { return e.Code == 0 && e.Signal == "" }

func (st *Status) startFailed(s Service, e Event, now time.Time) {
	st.ended()
	st.ExitCode = nil
	switch {
	case st.Down:
		st.to(api.StateStopped, now, "stopped by the operator")
	case e.Blameless:
		// It says nothing about the service, and is no end of a change of it.
		st.Restart = false
		st.delay(e, now)
		st.to(api.StateWaiting, now, e.Reason)
	case st.OnTrial() && st.Spec == s.Hash():
		st.refuse(s, "could not be started: "+e.Reason, now)
	case e.Permanent:
		st.to(api.StateInvalid, now, e.Reason)
	case s.Restart.Policy == "" || s.Restart.Policy == "no":
		st.to(api.StateExited, now, "could not be started: "+e.Reason+", restart: no")
	default:
		st.failed(s, "could not be started: "+e.Reason, e, now)
	}
}

// pulls is how the fetching of its image goes, within a start.
func (st *Status) pulls(s Service, e Event, now time.Time) {
	if st.PID != 0 || !st.Making() {
		return
	}
	switch {
	case e.Kind == EventPulling && st.State == api.StatePulling:
		st.Reason = e.Reason // not history: it is told again and again
	case e.Kind == EventPulling:
		st.to(api.StatePulling, now, e.Reason)
	case e.Kind == EventPulled:
		st.to(api.StateStarting, now, "being created")
	case st.Down:
		st.ended()
		st.to(api.StateStopped, now, "stopped by the operator")
	case e.Kind == EventGivenUp:
		st.ended()
		st.to(api.StateWaiting, now, e.Reason)
	case st.OnTrial() && st.Spec == s.Hash():
		st.ended()
		st.refuse(s, e.Reason, now)
	default:
		// It was never run: that counts for no crash loop and no on-failure:N,
		// and a network that is away for days ends no try, whatever `restart` says.
		st.ended()
		st.Restart = false
		st.delay(e, now)
		st.to(api.StateBackoff, now, e.Reason)
	}
}

// failed decides when, and whether, the next try is due.
func (st *Status) failed(s Service, why string, e Event, now time.Time) {
	st.Retries++
	if n := s.Restart.MaxRetries; n > 0 && st.Retries > n {
		st.to(api.StateExited, now, why+", gave up after "+plural(n, "restart"))
		return
	}
	recent := slices.DeleteFunc(slices.Clone(st.Failures), func(t time.Time) bool { return now.Sub(t) > CrashWindow })
	st.Failures = append(recent[max(0, len(recent)-maxFailures+1):], now)
	st.delay(e, now)
	if len(st.Failures) >= CrashLoopAt {
		st.to(api.StateCrashLoop, now, why)
		return
	}
	st.to(api.StateBackoff, now, why)
}

// delay puts off the next try, each time for longer.
func (st *Status) delay(e Event, now time.Time) {
	st.Delay = min(max(2*st.Delay, FirstDelay), MaxDelay)
	// Up to a quarter more or less, so that what failed together does not
	// come back together, and never beyond the bound.
	spread := time.Duration((e.Jitter - 0.5) * 0.5 * float64(st.Delay))
	if e.Jitter == 0 {
		spread = 0
	}
	st.NextStart = now.Add(min(st.Delay+spread, MaxDelay))
}
