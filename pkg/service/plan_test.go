package service

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
)

func svc(name string, depends ...Dependency) Service {
	return Service{Name: name, Image: "i", Restart: Restart{Policy: "always"}, Ready: ReadyStarted, Priority: DefaultPriority, DependsOn: depends}
}

func on(name string) Dependency {
	return Dependency{Name: name, Condition: ReadyCondition, Required: true}
}

func maybe(name string) Dependency { return Dependency{Name: name, Condition: ReadyCondition} }

func runs(s Service) Status {
	return Status{State: api.StateRunning, PID: 1, Ready: true, Container: true, Spec: s.Hash(), StartedAt: t0.Add(-time.Hour)}
}

func code(n int) *int { return &n }

// list writes actions as "start a; wait b (waiting for a to be ready)".
func list(actions []Action) string {
	var out []string
	for _, a := range actions {
		text := string(a.Kind) + " " + a.Service
		if a.Kind != Start {
			text += " (" + a.Reason + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

func TestPlan(t *testing.T) {
	a, b := svc("a"), svc("b", on("a"))
	first := svc("z")
	first.Priority = 1
	changed := a
	changed.Image = "other"
	notify := a
	notify.Ready = ReadyNotify
	persistent := a
	persistent.Persistent = true
	bOn := func(c Condition) []Service {
		return []Service{a, svc("b", Dependency{Name: "a", Condition: c, Required: true})}
	}
	spec := a.Hash()

	for name, c := range map[string]struct {
		want []Service
		have map[string]Status
		plan string
		wake time.Duration
	}{
		"nothing wanted, nothing there":             {nil, nil, "", 0},
		"what is wanted starts":                     {[]Service{a}, nil, "start a", 0},
		"what runs is left alone":                   {[]Service{a}, map[string]Status{"a": runs(a)}, "", 0},
		"all that can start does, by priority":      {[]Service{a, svc("c"), first}, nil, "start z; start a; start c", 0},
		"a dependent waits and says for what":       {[]Service{a, b}, nil, "start a; wait b (waiting for a to be ready)", 0},
		"and waits no louder the second time":       {[]Service{a, b}, map[string]Status{"a": {State: api.StateStarting}, "b": {State: api.StateWaiting, Reason: "waiting for a to be ready"}}, "", 0},
		"started is not ready":                      {[]Service{notify, b}, map[string]Status{"a": {State: api.StateStarting, PID: 1, Spec: notify.Hash()}}, "wait b (waiting for a to be ready)", 0},
		"it starts when what it waits for is ready": {[]Service{a, b}, map[string]Status{"a": runs(a)}, "start b", 0},
		"service_started is content with a process": {bOn(Started), map[string]Status{"a": {State: api.StateStarting, PID: 1, Spec: spec}}, "start b", 0},
		"service_started waits for one":             {bOn(Started), map[string]Status{"a": {State: api.StateStarting, Spec: spec}}, "wait b (waiting for a to start)", 0},
		"service_healthy wants health":              {bOn(Healthy), map[string]Status{"a": runs(a)}, "wait b (waiting for a to be healthy)", 0},
		"service_healthy has it":                    {bOn(Healthy), map[string]Status{"a": {State: api.StateRunning, PID: 1, Ready: true, Health: HealthGood, Spec: spec}}, "start b", 0},
		"completed successfully":                    {bOn(CompletedSuccessfully), map[string]Status{"a": {State: api.StateExited, Ready: true, ExitCode: code(0), Spec: spec}}, "start b", 0},
		"completed badly":                           {bOn(CompletedSuccessfully), map[string]Status{"a": {State: api.StateExited, ExitCode: code(1), Reason: "exit 1", Spec: spec}}, "wait b (waiting for a to complete, but it has ended: exit 1)", 0},
		"not yet completed":                         {bOn(CompletedSuccessfully), map[string]Status{"a": runs(a)}, "wait b (waiting for a to complete)", 0},
		"a one-shot that is done is ready":          {[]Service{a, b}, map[string]Status{"a": {State: api.StateExited, Ready: true, Spec: spec}}, "start b", 0},
		"an invalid dependency is named":            {[]Service{b}, map[string]Status{"a": {State: api.StateInvalid, Reason: "f.yaml:3: bad"}}, "wait b (waiting for a to be ready, but it is invalid: f.yaml:3: bad)", 0},
		"a stopped one too":                         {[]Service{a, b}, map[string]Status{"a": {State: api.StateStopped, Down: true, Reason: "stopped by the operator"}}, "wait b (waiting for a to be ready, but it is stopped by the operator)", 0},
		"a missing one too":                         {[]Service{b}, nil, "wait b (waiting for a, which is not declared)", 0},
		"an optional one that is missing":           {[]Service{svc("b", maybe("a"))}, nil, "start b", 0},
		"an optional one that is invalid":           {[]Service{svc("b", maybe("a"))}, map[string]Status{"a": {State: api.StateInvalid}}, "start b", 0},
		"an optional one in a crash loop":           {[]Service{a, svc("b", maybe("a"))}, map[string]Status{"a": {State: api.StateCrashLoop, NextStart: t0.Add(time.Second), Spec: spec}}, "start b", time.Second},
		"an optional one that is starting":          {[]Service{a, svc("b", maybe("a"))}, map[string]Status{"a": {State: api.StateStarting}}, "wait b (waiting for a to be ready)", 0},
		"a required one in backoff":                 {[]Service{a, b}, map[string]Status{"a": {State: api.StateBackoff, NextStart: t0.Add(time.Second), Spec: spec}}, "wait b (waiting for a to be ready)", time.Second},
		"backoff ends on time":                      {[]Service{a}, map[string]Status{"a": {State: api.StateBackoff, NextStart: t0, Spec: spec}}, "start a", 0},
		"the nearest time wakes": {[]Service{a, svc("c")}, map[string]Status{
			"a": {State: api.StateBackoff, NextStart: t0.Add(2 * time.Second)}, "c": {State: api.StateCrashLoop, NextStart: t0.Add(time.Second)}}, "", time.Second},
		"an ended service stays ended":             {[]Service{a}, map[string]Status{"a": {State: api.StateExited, Spec: spec}}, "", 0},
		"and what is left of it goes":              {[]Service{a}, map[string]Status{"a": {State: api.StateExited, Spec: spec, Container: true}}, "remove a (it does not run)", 0},
		"unless it is to last":                     {[]Service{persistent}, map[string]Status{"a": {State: api.StateExited, Spec: persistent.Hash(), Container: true}}, "", 0},
		"a changed declaration starts it":          {[]Service{changed}, map[string]Status{"a": {State: api.StateExited, Spec: spec}}, "start a", 0},
		"one that could not start is left so":      {[]Service{a}, map[string]Status{"a": {State: api.StateInvalid, Spec: spec}}, "", 0},
		"until its declaration changes":            {[]Service{changed}, map[string]Status{"a": {State: api.StateInvalid, Spec: spec}}, "start a", 0},
		"a running one with a changed declaration": {[]Service{changed}, map[string]Status{"a": runs(a)}, "stop a (its declaration has changed)", 0},
		"down is stopped":                          {[]Service{a}, map[string]Status{"a": {State: api.StateRunning, PID: 1, Down: true, Spec: spec}}, "stop a (stopped by the operator)", 0},
		"one being created is left to be":          {[]Service{a}, map[string]Status{"a": {State: api.StateStarting, Down: true}}, "", 0},
		"restart stops first":                      {[]Service{a}, map[string]Status{"a": {State: api.StateRunning, PID: 1, Restart: true, Spec: spec}}, "stop a (restarted by the operator)", 0},
		"stopping has its time":                    {[]Service{a}, map[string]Status{"a": {State: api.StateStopping, PID: 1, Down: true, KillAt: t0.Add(3 * time.Second)}}, "", 3 * time.Second},
		"and no longer":                            {[]Service{a}, map[string]Status{"a": {State: api.StateStopping, PID: 1, Down: true, KillAt: t0}}, "kill a (did not stop in its grace period)", 0},
		"what is no longer declared stops":         {nil, map[string]Status{"a": runs(a)}, "stop a (it is no longer declared)", 0},
		"and is removed":                           {nil, map[string]Status{"a": {State: api.StateWaiting, Container: true}}, "remove a (it is no longer declared)", 0},
		"and is done with":                         {nil, map[string]Status{"a": {State: api.StateWaiting}}, "", 0},
		"its grace period holds":                   {nil, map[string]Status{"a": {State: api.StateStopping, PID: 1, KillAt: t0.Add(time.Second)}}, "", time.Second},
		"stops come before starts":                 {[]Service{first, changed}, map[string]Status{"a": runs(a)}, "stop a (its declaration has changed); start z", 0},
		"a dependent that asks for it restarts along": {[]Service{a, svc("b", Dependency{Name: "a", Condition: ReadyCondition, Required: true, Restart: true})},
			map[string]Status{"a": {State: api.StateRunning, PID: 1, Ready: true, Spec: spec, Asked: t0}, "b": runs(svc("b"))}, "stop b (a, which it depends on, was restarted)", 0},
	} {
		t.Run(name, func(t *testing.T) {
			actions, wake := Plan(t0, c.want, c.have)
			if got := list(actions); got != c.plan {
				t.Errorf("got  %s\nwant %s", got, c.plan)
			}
			var after time.Duration
			if !wake.IsZero() {
				after = wake.Sub(t0)
			}
			if after != c.wake {
				t.Errorf("wake: got %v, want %v", after, c.wake)
			}
		})
	}
}

func TestPlanStop(t *testing.T) {
	a, b, c := svc("a"), svc("b", on("a")), svc("c", on("b"), maybe("a"))
	all := []Service{a, b, c, svc("d")}
	circle := []Service{svc("a", on("b")), svc("b", on("a"))}
	dying := Status{State: api.StateStopping, PID: 1, KillAt: t0.Add(time.Second)}
	for name, test := range map[string]struct {
		services []Service
		have     map[string]Status
		plan     string
		wake     time.Duration
	}{
		"nothing runs":                          {all, map[string]Status{"a": {State: api.StateBackoff, NextStart: t0}}, "", 0},
		"as wide as possible, dependents first": {all, map[string]Status{"a": runs(a), "b": runs(b), "c": runs(c), "d": runs(a)}, "stop c (the system goes down); stop d (the system goes down)", 0},
		"the next when its dependents are gone": {all, map[string]Status{"a": runs(a), "b": runs(b), "c": {State: api.StateWaiting}}, "stop b (the system goes down)", 0},
		"one in its grace period holds others":  {all, map[string]Status{"a": runs(a), "b": dying}, "", time.Second},
		"and is killed after it":                {all, map[string]Status{"a": runs(a), "b": {State: api.StateStopping, PID: 1, KillAt: t0}}, "kill b (did not stop in its grace period)", 0},
		"one being created is waited for":       {all, map[string]Status{"a": runs(a), "b": {State: api.StateStarting}}, "", 0},
		"what is not declared stops too":        {nil, map[string]Status{"x": runs(a)}, "stop x (the system goes down)", 0},
		"a circle does not hold the machine up": {circle, map[string]Status{"a": runs(a), "b": runs(b)}, "stop a (the system goes down, and b and it depend on each other); stop b (the system goes down, and a and it depend on each other)", 0},
		"an ended dependent holds nothing":      {all, map[string]Status{"a": runs(a), "b": {State: api.StateCrashLoop, NextStart: t0}}, "stop a (the system goes down)", 0},
	} {
		t.Run(name, func(t *testing.T) {
			actions, wake := PlanStop(t0, test.services, test.have)
			if got := list(actions); got != test.plan {
				t.Errorf("got  %s\nwant %s", got, test.plan)
			}
			var after time.Duration
			if !wake.IsZero() {
				after = wake.Sub(t0)
			}
			if after != test.wake {
				t.Errorf("wake: got %v, want %v", after, test.wake)
			}
		})
	}
}

// world runs plans against services that do as told, in virtual time.
type world struct {
	now      time.Time
	services []Service
	have     map[string]Status
	order    []string // of starts and stops
}

func (w *world) settle(t *testing.T, plan func(time.Time, []Service, map[string]Status) ([]Action, time.Time)) {
	t.Helper()
	byName := map[string]Service{}
	for _, s := range w.services {
		byName[s.Name] = s
	}
	for range 1000 {
		actions, wake := plan(w.now, w.services, w.have)
		if len(actions) == 0 {
			if wake.IsZero() {
				return
			}
			w.now = wake
			continue
		}
		var next []func()
		for _, a := range actions {
			s := byName[a.Service]
			apply := func(e Event) { w.have[a.Service] = w.have[a.Service].Apply(s, e, w.now) }
			apply(a.Event())
			switch a.Kind {
			case Start:
				w.order = append(w.order, "+"+a.Service)
				next = append(next, func() { apply(Event{Kind: EventStarted, PID: 1}) })
			case Stop:
				w.order = append(w.order, "-"+a.Service)
				next = append(next, func() { apply(Event{Kind: EventExited}) })
			}
		}
		if again, _ := plan(w.now, w.services, w.have); slices.ContainsFunc(again, func(a Action) bool { return a.Kind != Wait }) {
			t.Fatalf("the same is planned again while it is done: %s", list(again))
		}
		w.now = w.now.Add(time.Millisecond)
		for _, f := range next {
			f()
		}
	}
	t.Fatalf("it does not settle: %v", w.order)
}

func TestAGraphComesUpInOrderAndGoesDownInReverse(t *testing.T) {
	w := &world{now: t0, have: map[string]Status{}, services: []Service{
		svc("app", on("db"), on("network")), svc("db", on("network")), svc("network"), svc("console"), svc("extra", maybe("absent")),
	}}
	w.settle(t, Plan)
	if got := strings.Join(w.order, " "); got != "+console +extra +network +db +app" {
		t.Errorf("up: %s", got)
	}
	w.order = nil
	w.settle(t, PlanStop)
	if got := strings.Join(w.order, " "); got != "-app -console -extra -db -network" {
		t.Errorf("down: %s", got)
	}
}

// Whatever the records say, a plan names each service at most once, never
// starts what has a process, and wakes in the future only.
func FuzzPlan(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17})
	states := []api.State{"", api.StateDisabled, api.StateInvalid, api.StateWaiting, api.StateStarting, api.StateRunning, api.StateStopping, api.StateStopped, api.StateExited, api.StateBackoff, api.StateCrashLoop}
	f.Fuzz(func(t *testing.T, data []byte) {
		var services []Service
		have := map[string]Status{}
		for i := 0; i+3 < len(data) && i < 32; i += 4 {
			name := fmt.Sprint(i / 4)
			s := svc(name, Dependency{Name: fmt.Sprint(data[i] % 8), Condition: []Condition{Started, ReadyCondition, Healthy, CompletedSuccessfully}[data[i]/8%4], Required: data[i] > 128})
			if data[i+1]&1 == 0 {
				services = append(services, s)
			}
			have[name] = Status{State: states[int(data[i+2])%len(states)], PID: int(data[i+3] & 1), Down: data[i+3]&2 != 0, Ready: data[i+3]&4 != 0,
				Restart: data[i+3]&8 != 0, Container: data[i+3]&16 != 0, NextStart: t0.Add(time.Duration(data[i+1]) - 100), KillAt: t0.Add(time.Duration(data[i+2]) - 100)}
		}
		for what, plan := range map[string]func(time.Time, []Service, map[string]Status) ([]Action, time.Time){"Plan": Plan, "PlanStop": PlanStop} {
			actions, wake := plan(t0, services, have)
			seen := map[string]bool{}
			for _, a := range actions {
				if seen[a.Service] {
					t.Errorf("%s: two actions for %s", what, a.Service)
				}
				seen[a.Service] = true
				if a.Kind == Start && (have[a.Service].Alive() || what == "PlanStop") {
					t.Errorf("%s: starts %s, which is %+v", what, a.Service, have[a.Service])
				}
				if (a.Kind == Stop || a.Kind == Kill) && have[a.Service].PID == 0 {
					t.Errorf("%s: %s of %s, which has no process", what, a.Kind, a.Service)
				}
				if a.Reason == "" {
					t.Errorf("%s: %v has no reason", what, a)
				}
			}
			if !wake.IsZero() && !wake.After(t0) {
				t.Errorf("%s: wakes in the past", what)
			}
		}
	})
}
