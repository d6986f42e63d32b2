package service

import (
	"slices"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
)

// Status is the supervisor's record of one service: a value, changed by Apply
// alone, that survives being written as JSON. The zero value is a service that
// was never seen.
//
// One goroutine owns a map[string]Status. It applies each event as it comes,
// calls Plan, applies Action.Event for each action and hands the action to an
// executor, then sleeps until the next event or the time Plan named.
type Status struct {
	State  api.State
	Reason string // without the countdown that Explain adds
	Since  time.Time

	Down    bool      // the operator asked it to be down
	Restart bool      // it is to be stopped and started again
	Asked   time.Time // when the operator last asked for a restart

	Container bool   // a container, running or not, exists or is being created
	Spec      string // Service.Hash of what was last started
	Image     string // digest of the image that it was last started from; "": not known
	PID       int    // 0: no process
	Ready     bool
	Health    Health
	StartedAt time.Time
	ReadyAt   time.Time
	ExitCode  *int
	Signal    string // that ended it; "" when it exited by itself
	Restarts  int    // without anyone asking

	StartBy time.Time // while starting: when not being ready is a failure; zero: never
	Pinged  time.Time // when it last said WATCHDOG=1, or became ready
	Failing string    // why it is being stopped as one that failed

	NextRun time.Time // of a scheduled job
	NextOf  Schedule  // by which NextRun was found
	RunNow  bool      // the operator asked for a run
	Runs    []Run     // of a job that ended, oldest first, bounded

	Good     *Service  // what ran well last
	GoodSpec string    // Good's hash
	TrialEnd time.Time // ready on trial: when it counts as good
	Refused  *Refusal  // the change after which Good was taken again

	KillAt    time.Time     // while stopping: when patience ends
	NextStart time.Time     // in backoff: not before
	Delay     time.Duration // the last backoff, doubled each time
	Failures  []time.Time   // of late, oldest first
	Retries   int           // failures in a row, for on-failure:N
	History   []api.Event   // newest last, bounded
}

// Run is one run of a job.
type Run struct {
	Start, End time.Time
	Code       int
	Signal     string
	Reason     string
}

// Refusal tells of a change that failed, so that what ran before runs again.
type Refusal struct {
	Spec   string // the hash of what failed
	Image  string
	Reason string
	At     time.Time
}

// InForce is what is to run where s is declared: what ran well before, if s is
// a change that failed, else s.
func (st Status) InForce(s Service) Service {
	if st.Refused == nil || st.Good == nil || st.Refused.Spec != s.Hash() {
		return s
	}
	return *st.Good
}

// Outdated says that the change that failed is not what is declared any more.
func (st Status) Outdated(s Service) bool { return st.Refused != nil && st.Refused.Spec != s.Hash() }

// OnTrial says whether what was started last is a change that has yet to prove
// itself.
func (st Status) OnTrial() bool { return st.Good != nil && st.Spec != st.GoodSpec }

// Health is what the healthcheck found last.
type Health string

const (
	HealthUnknown Health = ""
	HealthGood    Health = "healthy"
	HealthBad     Health = "unhealthy"
)

// Restart delays and what counts as a crash loop.
const (
	FirstDelay    = 200 * time.Millisecond
	MaxDelay      = 30 * time.Second
	HealthyAfter  = time.Minute // ready for so long: earlier failures are forgotten
	CrashLoopAt   = 5           // failures inside CrashWindow
	CrashWindow   = 10 * time.Minute
	ExitNoRestart = 125 // a service that exits so does not want to be restarted

	maxFailures = 100
	maxRuns     = 20
	maxHistory  = 32
	// killAgain is how long after a SIGKILL without effect the next follows:
	// a process in the D state gets no signal until its I/O ends.
	killAgain = 10 * time.Second
)

// Alive says whether a process runs or is about to.
func (st Status) Alive() bool { return st.PID != 0 || st.Making() }

// Restarting says whether the start on the way is a try after a failure.
func (st Status) Restarting() bool { return len(st.Failures) > 0 || st.Delay > 0 }

// Making says whether an executor is at work on a start; without a process it
// is the executor's turn to tell what comes of it.
func (st Status) Making() bool {
	return st.State == api.StateStarting || st.State == api.StatePulling
}

// Failed says whether the service has ended in a way that nothing but a person
// or a changed file will mend, so that waiting for it is waiting in vain.
func (st Status) Failed() bool {
	switch st.State {
	case api.StateInvalid, api.StateDisabled, api.StateStopped:
		return true
	case api.StateExited:
		return !st.Ready
	}
	return false
}

// to moves to state and records it when it is news.
func (st *Status) to(state api.State, now time.Time, reason string) {
	if st.State == state && st.Reason == reason {
		return
	}
	if st.State != state {
		st.Since = now
	}
	st.State, st.Reason = state, reason
	history := st.History[max(0, len(st.History)-maxHistory+1):]
	st.History = append(slices.Clone(history), api.Event{Time: now, State: state, Reason: reason})
}

// API renders the record as a row of the API.
func (st Status) API(s Service, now time.Time) api.Service {
	row := api.Service{
		Name: s.Name, State: st.State, Reason: st.Explain(now), Ready: st.Ready, Essential: s.Essential, PID: st.PID,
		Image: s.Image, Restarts: st.Restarts, Since: st.Since, Source: s.Source, ExitCode: st.ExitCode, Signal: st.Signal,
		Failures: len(st.Failures), Health: string(st.Health), History: st.History,
	}
	if !st.NextStart.IsZero() {
		row.NextStart = &st.NextStart
	}
	if s.Schedule != nil && !st.NextRun.IsZero() && st.PID == 0 {
		row.NextStart = &st.NextRun
	}
	for _, r := range st.Runs {
		row.Runs = append(row.Runs, api.Run{Start: r.Start, End: r.End, ExitCode: r.Code, Signal: r.Signal, Reason: r.Reason})
	}
	if st.Refused != nil {
		row.Refused = &api.Refused{Time: st.Refused.At, Image: st.Refused.Image, Reason: st.Refused.Reason}
	}
	for _, l := range s.Layers {
		row.Layers = append(row.Layers, api.Layer{Label: l.Label, Place: l.Place.Row()})
	}
	for _, d := range s.DependsOn {
		row.DependsOn = append(row.DependsOn, d.Name)
	}
	if !st.StartedAt.IsZero() {
		row.StartedAt = &st.StartedAt
	}
	if !st.ReadyAt.IsZero() {
		row.ReadyAt = &st.ReadyAt
	}
	return row
}
