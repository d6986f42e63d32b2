package service

import (
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
)

// job runs each hour; t0 is a full hour.
func job(change ...func(*Service)) *supervised {
	s := Service{Name: "a", Image: "i", Ready: ReadyExit, Restart: Restart{Policy: "no"}, Supervision: Supervision{Schedule: &Schedule{Cron: "0 * * * *"}}}
	for _, f := range change {
		f(&s)
	}
	v := supervise(s)
	v.pass(0)
	return v.forget()
}

func once(s *Service)      { s.Schedule.Once = true }
func onFailure(s *Service) { s.Restart.Policy = "on-failure" }

func TestAScheduledJob(t *testing.T) {
	for name, c := range map[string]struct {
		v      *supervised
		do     func(v *supervised)
		did    string
		state  api.State
		reason string
	}{
		"does not run when it is declared":  {job(), func(v *supervised) { v.pass(59 * time.Minute) }, "", api.StateWaiting, "waiting for its next run, next run in 60 s"},
		"runs when its time comes":          {job(), func(v *supervised) { v.pass(time.Hour).up() }, "start i", api.StateStarting, "started, waiting for it to finish"},
		"and waits for the next":            {job(), func(v *supervised) { v.pass(time.Hour).up().pass(10 * time.Minute).done() }, "start i, remove", api.StateExited, "done, next run in 50 min"},
		"and runs again":                    {job(), func(v *supervised) { v.pass(time.Hour).up().done().pass(time.Hour) }, "start i, remove, start i", api.StateStarting, "being created"},
		"keeps its result":                  {job(), func(v *supervised) { v.pass(time.Hour).up().die() }, "start i, remove", api.StateExited, "exit 1, restart: no, next run in 60 min"},
		"is tried again if it may be":       {job(onFailure), func(v *supervised) { v.pass(time.Hour).up().die().pass(FirstDelay) }, "start i, start i", api.StateStarting, "being created"},
		"does not overlap itself":           {job(), func(v *supervised) { v.pass(time.Hour).up().pass(5 * time.Hour) }, "start i", api.StateStarting, "started, waiting for it to finish"},
		"leaves out what it missed":         {job(), func(v *supervised) { v.pass(time.Hour).up().pass(150 * time.Minute).done().pass(0) }, "start i, remove", api.StateExited, "done, next run in 30 min"},
		"or makes up for it once":           {job(once), func(v *supervised) { v.pass(time.Hour).up().pass(150 * time.Minute).done().up().done() }, "start i, start i, remove", api.StateExited, "done, next run in 30 min"},
		"runs when it is asked to":          {job(), func(v *supervised) { v.tell(Event{Kind: EventStartRequested}).up().done() }, "start i, remove", api.StateExited, "done, next run in 60 min"},
		"is down when the operator says so": {job(), func(v *supervised) { v.tell(Event{Kind: EventStopRequested}).pass(5 * time.Hour) }, "", api.StateStopped, "stopped by the operator"},
		"follows another schedule": {job(), func(v *supervised) {
			s := v.s
			s.Schedule = &Schedule{Cron: "*/10 * * * *"}
			v.change(s).forget().pass(10 * time.Minute)
		}, "start i", api.StateStarting, "being created"},
	} {
		t.Run(name, func(t *testing.T) {
			c.do(c.v)
			c.v.want(t, c.did, c.state, c.reason)
		})
	}
}

func TestAJobThatWasAsleepWhenItsTimeCame(t *testing.T) {
	for name, c := range map[string]struct {
		v   *supervised
		did string
	}{"leaves it out": {job(), "arrange"}, "or makes up for it": {job(once), "start i"}} {
		t.Run(name, func(t *testing.T) {
			c.v.now = t0.Add(90 * time.Minute) // the machine was suspended
			c.v.plan()
			if got := c.v.did; len(got) != 1 || got[0] != c.did {
				t.Errorf("did %q, want %q", got, c.did)
			}
		})
	}
}

func TestRunsAreKeptUpToABound(t *testing.T) {
	v := job()
	for range maxRuns + 5 {
		v.pass(time.Hour).up().die()
	}
	if len(v.st.Runs) != maxRuns || v.st.Runs[0].Code != 1 || v.st.Runs[0].Reason != "exit 1" || v.st.Runs[0].End.IsZero() {
		t.Errorf("%d runs, %+v", len(v.st.Runs), v.st.Runs[0])
	}
}

func TestAJobThatIsDueWaitsForWhatItDependsOn(t *testing.T) {
	s := job().s
	s.DependsOn = []Dependency{on("b")}
	b := svc("b")
	b.Ready = ReadyNotify
	have := map[string]Status{"a": {State: api.StateWaiting, NextRun: t0, NextOf: *s.Schedule}, "b": {State: api.StateStarting, PID: 1, Spec: b.Hash()}}
	actions, _ := Plan(t0, []Service{s, b}, have)
	if got := list(actions); got != "wait a (waiting for b to be ready)" {
		t.Fatalf("got %s", got)
	}
	have["a"] = have["a"].Apply(s, actions[0].Event(), t0)
	have["b"] = runs(b)
	if actions, _ := Plan(t0.Add(time.Second), []Service{s, b}, have); list(actions) != "start a" {
		t.Errorf("got %s", list(actions))
	}
}

func TestJitterSpreadsJobsAndIsTheSameEachTime(t *testing.T) {
	s := Schedule{Cron: "0 * * * *", Jitter: 20 * time.Minute}
	a, b := s.Next("a", t0), s.Next("b", t0)
	if a == b || a != s.Next("a", t0) {
		t.Errorf("a %v, b %v", a, b)
	}
	due := t0
	for i := range 48 {
		next := s.Next("a", due)
		full := next.Truncate(time.Hour)
		if !next.After(due) || next.Sub(full) >= s.Jitter {
			t.Errorf("after %v comes %v", due, next)
		}
		if i > 0 && full.Sub(due.Truncate(time.Hour)) != time.Hour {
			t.Errorf("a run is left out between %v and %v", due, next)
		}
		due = next
	}
}
