package service

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
)

// supervised is what a manager with one service does: it applies events, plans
// and applies the plan's actions, over a clock of its own.
type supervised struct {
	s   Service
	st  Status
	now time.Time
	did []string
}

func supervise(s Service) *supervised { return &supervised{s: s, now: t0} }

func (v *supervised) tell(e Event) *supervised {
	v.st = v.st.Apply(v.st.InForce(v.s), e, v.now)
	v.plan()
	return v
}

func (v *supervised) plan() (wake time.Time) {
	actions, wake := Plan(v.now, []Service{v.st.InForce(v.s)}, map[string]Status{v.s.Name: v.st})
	for _, a := range actions {
		text := string(a.Kind)
		if a.Kind == Start {
			text += " " + v.st.InForce(v.s).Image
		}
		v.did = append(v.did, text)
		v.st = v.st.Apply(v.st.InForce(v.s), a.Event(), v.now)
	}
	return wake
}

// pass lets time go by, with a plan whenever the planner wants one.
func (v *supervised) pass(d time.Duration) *supervised {
	until := v.now.Add(d)
	for {
		wake := v.plan()
		if wake.IsZero() || wake.After(until) {
			v.now = until
			v.plan()
			return v
		}
		v.now = wake
	}
}

func (v *supervised) change(s Service) *supervised {
	v.s, v.did = s, nil
	if v.st.Outdated(s) {
		v.st = v.st.Apply(s, Event{Kind: EventRetryRequested}, v.now)
	}
	v.plan()
	return v
}

func (v *supervised) up() *supervised   { return v.tell(Event{Kind: EventStarted, PID: 1}) }
func (v *supervised) done() *supervised { return v.tell(Event{Kind: EventExited}) }
func (v *supervised) die() *supervised  { return v.tell(Event{Kind: EventExited, Code: 1}) }

func (v *supervised) want(t *testing.T, did string, state api.State, reason string) {
	t.Helper()
	if got := strings.Join(v.did, ", "); got != did {
		t.Errorf("did  %s\nwant %s", got, did)
	}
	if v.st.State != state || v.st.Explain(v.now) != reason {
		t.Errorf("is   %s (%s)\nwant %s (%s)", v.st.State, v.st.Explain(v.now), state, reason)
	}
}

func (v *supervised) forget() *supervised { v.did = nil; return v }

func running(s Service) *supervised {
	v := supervise(s)
	v.plan()
	return v.up().forget()
}

func version(image string, change ...func(*Service)) Service {
	s := svc("a")
	s.Image = image
	for _, c := range change {
		c(&s)
	}
	return s
}

func notifying(s *Service) { s.Ready = ReadyNotify }

func TestAChange(t *testing.T) {
	for name, c := range map[string]struct {
		next   Service
		then   func(v *supervised)
		did    string
		state  api.State
		reason string
	}{
		"is on trial first": {version("2"), func(v *supervised) { v.done().up() },
			"stop, start 2", api.StateRunning, "changed, on trial for 5 s"},
		"has proved itself then": {version("2"), func(v *supervised) { v.done().up().pass(DefaultTrial) },
			"stop, start 2, accept", api.StateRunning, ""},
		"that dies on trial is taken back": {version("2"), func(v *supervised) { v.done().up().pass(time.Second).die().up() },
			"stop, start 2, start 1", api.StateRunning, "runs as before a change that failed: exit 1"},
		"that proved itself is not": {version("2"), func(v *supervised) { v.done().up().pass(DefaultTrial).die() },
			"stop, start 2, accept", api.StateBackoff, "exit 1, next try in 200 ms"},
		"that cannot be started is taken back": {version("2"), func(v *supervised) {
			v.done().tell(Event{Kind: EventStartFailed, Reason: "no such command", Permanent: true}).up()
		}, "stop, start 2, start 1", api.StateRunning, "runs as before a change that failed: could not be started: no such command"},
		"is not blamed for containerd": {version("2"), func(v *supervised) {
			v.done().tell(Event{Kind: EventStartFailed, Reason: "containerd is not available", Blameless: true}).pass(FirstDelay)
		}, "stop, start 2, start 2", api.StateStarting, "being created"},
		"that never gets ready is taken back": {version("2", notifying), func(v *supervised) { v.done().up().pass(TrialPatience).done().up() },
			"stop, start 2, fail, start 1", api.StateRunning, "runs as before a change that failed: not ready 90 s after its start"},
		"has its own start timeout": {version("2", notifying, func(s *Service) { s.StartTimeout = 3 * time.Second }), func(v *supervised) { v.done().up().pass(3 * time.Second) },
			"stop, start 2, fail", api.StateStopping, "not ready 3 s after its start, killed in 10 s"},
		"that falls ill on trial is taken back": {version("2"), func(v *supervised) {
			v.done().up().tell(Event{Kind: EventUnhealthy, Reason: "no answer"}).done().up()
		}, "stop, start 2, fail, start 1", api.StateRunning, "runs as before a change that failed: unhealthy: no answer"},
		"is watched for as long as asked": {version("2", func(s *Service) { s.Trial = time.Minute }), func(v *supervised) { v.done().up().pass(59 * time.Second).die().up() },
			"stop, start 2, start 1", api.StateRunning, "runs as before a change that failed: exit 1"},
		"stopped by the operator on trial stays down": {version("2"), func(v *supervised) {
			v.done().up().tell(Event{Kind: EventStopRequested}).done()
		}, "stop, start 2, stop, remove", api.StateStopped, "stopped by the operator"},
		"that ends well where it may is no failure": {version("2", func(s *Service) { s.Restart.Policy = "on-failure" }), func(v *supervised) { v.done().up().done() },
			"stop, start 2, remove", api.StateExited, "exit 0"},
		"of what does not run alone restarts nothing": {version("1", func(s *Service) { s.Restart.Policy = "unless-stopped" }), func(v *supervised) { v.pass(time.Hour) },
			"", api.StateRunning, ""},
	} {
		t.Run(name, func(t *testing.T) {
			v := running(version("1")).change(c.next)
			c.then(v)
			v.want(t, c.did, c.state, c.reason)
		})
	}
}

func TestARefusedChange(t *testing.T) {
	refused := func() *supervised {
		v := running(version("1")).change(version("2")).done().up().die().up()
		return v.forget()
	}
	t.Run("is not tried again by itself", func(t *testing.T) {
		refused().pass(time.Hour).want(t, "", api.StateRunning, "runs as before a change that failed: exit 1")
	})
	t.Run("is tried again when asked", func(t *testing.T) {
		refused().tell(Event{Kind: EventRetryRequested}).done().up().pass(DefaultTrial).want(t, "stop, start 2, accept", api.StateRunning, "")
	})
	t.Run("gives way to another change", func(t *testing.T) {
		v := refused().change(version("3")).done().up().pass(DefaultTrial)
		v.want(t, "stop, start 3, accept", api.StateRunning, "")
	})
	t.Run("is forgotten when the file is as it was", func(t *testing.T) {
		refused().change(version("1")).want(t, "", api.StateRunning, "")
	})
	t.Run("leaves what ran before its own restarts", func(t *testing.T) {
		refused().die().pass(FirstDelay).up().want(t, "start 1", api.StateRunning, "runs as before a change that failed: exit 1")
	})
}

func TestTimesThatRunOut(t *testing.T) {
	watched := version("1", notifying, func(s *Service) { s.Watchdog = 10 * time.Second })
	timed := version("1", notifying, func(s *Service) { s.StartTimeout = 30 * time.Second })
	ready, alive := Event{Kind: EventReady}, Event{Kind: EventAlive}
	for name, c := range map[string]struct {
		s      Service
		do     func(v *supervised)
		did    string
		state  api.State
		reason string
	}{
		"no watchdog before it is ready": {watched, func(v *supervised) { v.pass(time.Hour) }, "", api.StateStarting, "started, waiting for it to say READY=1"},
		"a watchdog that is fed":         {watched, func(v *supervised) { v.tell(ready).pass(9 * time.Second).tell(alive).pass(9 * time.Second) }, "", api.StateRunning, ""},
		"a watchdog that is not": {watched, func(v *supervised) { v.tell(ready).pass(10 * time.Second) },
			"abort", api.StateStopping, "no WATCHDOG=1 for 10 s, killed in 10 s"},
		"the end it brings is a failure": {watched, func(v *supervised) { v.tell(ready).pass(10 * time.Second).done() }, "abort", api.StateBackoff, "no WATCHDOG=1 for 10 s, next try in 200 ms"},
		"a start in time":                {timed, func(v *supervised) { v.pass(29 * time.Second).tell(ready).pass(time.Hour) }, "", api.StateRunning, ""},
		"a start too slow":               {timed, func(v *supervised) { v.pass(30 * time.Second) }, "fail", api.StateStopping, "not ready 30 s after its start, killed in 10 s"},
		"one that asked for more time": {timed, func(v *supervised) {
			v.pass(29 * time.Second).tell(Event{Kind: EventExtend, By: time.Minute}).pass(59 * time.Second)
		}, "", api.StateStarting, "started, waiting for it to say READY=1"},
		"and took too long still": {timed, func(v *supervised) {
			v.pass(29 * time.Second).tell(Event{Kind: EventExtend, By: time.Minute}).pass(time.Minute)
		}, "fail", api.StateStopping, "not ready 89 s after its start, killed in 10 s"},
		"more time to stop": {timed, func(v *supervised) {
			v.tell(ready).tell(Event{Kind: EventStopRequested}).tell(Event{Kind: EventExtend, By: time.Minute}).pass(59 * time.Second)
		}, "stop", api.StateStopping, "stopped by the operator, killed in 1 s"},
		"one that says that it is leaving": {timed, func(v *supervised) { v.tell(ready).tell(Event{Kind: EventLeaving}) }, "", api.StateRunning, "it says that it is stopping"},
		"is restarted by its policy":       {timed, func(v *supervised) { v.tell(ready).tell(Event{Kind: EventLeaving}).done() }, "", api.StateBackoff, "exit 0, next try in 200 ms"},
	} {
		t.Run(name, func(t *testing.T) {
			v := running(c.s)
			c.do(v)
			v.want(t, c.did, c.state, c.reason)
		})
	}
}

func TestDependentsFollowARestartOnlyWhenTheyAskForIt(t *testing.T) {
	a := svc("a")
	changed := a
	changed.Image = "2"
	for name, follows := range map[string]bool{"asking": true, "not asking": false} {
		b := svc("b", Dependency{Name: "a", Condition: ReadyCondition, Required: true, Restart: follows})
		for what, next := range map[string]struct {
			a     Service
			event EventKind
		}{"a restart": {a, EventRestartRequested}, "a change": {changed, EventAccepted}} {
			t.Run(name+" after "+what, func(t *testing.T) {
				have := map[string]Status{"a": runs(a), "b": runs(b)}
				have["a"] = have["a"].Apply(next.a, Event{Kind: next.event}, t0)
				for _, e := range []Event{{Kind: EventStopping}, {Kind: EventExited}, {Kind: EventStarting}, {Kind: EventStarted, PID: 2}} {
					have["a"] = have["a"].Apply(next.a, e, t0)
				}
				actions, _ := Plan(t0, []Service{next.a, b}, have)
				want := ""
				if follows {
					want = "stop b (a, which it depends on, was restarted)"
				}
				if got := list(actions); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		}
	}
	t.Run("never after a crash", func(t *testing.T) {
		b := svc("b", Dependency{Name: "a", Condition: ReadyCondition, Required: true, Restart: true})
		have := map[string]Status{"a": runs(a), "b": runs(b)}
		for _, e := range []Event{{Kind: EventExited, Code: 1}, {Kind: EventStarting}, {Kind: EventStarted, PID: 2}} {
			have["a"] = have["a"].Apply(a, e, t0)
		}
		if actions, _ := Plan(t0, []Service{a, b}, have); len(actions) != 0 {
			t.Errorf("got %s", list(actions))
		}
	})
}

// BenchmarkPlan is what one event costs where so many services run.
func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{10, 200, 1000} {
		var want []Service
		have := map[string]Status{}
		for i := range n {
			s := svc(fmt.Sprintf("s%04d", i))
			if i > 0 {
				s.DependsOn = []Dependency{on(want[i-1].Name)}
			}
			s = s.Sealed()
			want, have[s.Name] = append(want, s), runs(s)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if actions, _ := Plan(t0, want, have); len(actions) != 0 {
					b.Fatal(list(actions))
				}
			}
		})
	}
}
