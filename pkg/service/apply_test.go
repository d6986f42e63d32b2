package service

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
)

var t0 = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// step is one event, after a pause.
type step struct {
	after time.Duration
	event Event
}

func run(s Service, st Status, steps ...step) (Status, time.Time) {
	now := t0
	for _, e := range steps {
		now = now.Add(e.after)
		st = st.Apply(s, e.event, now)
	}
	return st, now
}

func ev(kind EventKind) step { return step{0, Event{Kind: kind}} }

var (
	starting = ev(EventStarting)
	started  = step{0, Event{Kind: EventStarted, PID: 7}}
	stopping = step{0, Event{Kind: EventStopping, Reason: "stopped by the operator"}}
	up       = []step{starting, started}
)

func exit(after time.Duration, code int) step {
	return step{after, Event{Kind: EventExited, Code: code}}
}

func always(s Service) Service { s.Restart.Policy = "always"; return s }

func TestTransitions(t *testing.T) {
	notify := always(Service{Ready: ReadyNotify})
	healthy := always(Service{Ready: ReadyHealthy, Healthcheck: &Healthcheck{}})
	oneShot := Service{Ready: ReadyExit, Restart: Restart{Policy: "on-failure", MaxRetries: 2}}
	for name, c := range map[string]struct {
		s      Service
		steps  []step
		state  api.State
		reason string
		ready  bool
	}{
		"one being created is starting":                 {always(Service{}), []step{starting, ev(EventCreated)}, api.StateStarting, "being created", false},
		"one that is ready when started runs":           {always(Service{}), up, api.StateRunning, "", true},
		"one that notifies starts until it does":        {notify, up, api.StateStarting, "started, waiting for it to say READY=1", false},
		"one that has notified runs":                    {notify, append(up, ev(EventReady)), api.StateRunning, "", true},
		"its own words are the reason":                  {notify, append(up, step{0, Event{Kind: EventNote, Reason: "asking for a lease"}}), api.StateStarting, "asking for a lease", false},
		"a late word of a dead process changes nothing": {notify, append(up, exit(0, 1), ev(EventReady)), api.StateBackoff, "exit 1, next try in 200 ms", false},
		"one with a healthcheck waits for it":           {healthy, up, api.StateStarting, "started, waiting for its healthcheck to pass", false},
		"a passed healthcheck makes it ready":           {healthy, append(up, ev(EventHealthy)), api.StateRunning, "", true},
		"a failed one takes that back":                  {healthy, append(up, ev(EventHealthy), step{0, Event{Kind: EventUnhealthy, Reason: "exit 1"}}), api.StateRunning, "unhealthy: exit 1", false},
		"and a passed one gives it again":               {healthy, append(up, ev(EventHealthy), ev(EventUnhealthy), ev(EventHealthy)), api.StateRunning, "", true},
		"health is not readiness of one that notifies":  {notify, append(up, ev(EventHealthy)), api.StateStarting, "started, waiting for it to say READY=1", false},
		"a one-shot that ends well is done and ready":   {oneShot, append(up, exit(0, 0)), api.StateExited, "done", true},
		"a one-shot that fails is tried again":          {oneShot, append(up, exit(0, 3)), api.StateBackoff, "exit 3, next try in 200 ms", false},
		"on-failure:2 gives up after two restarts": {oneShot, []step{starting, started, exit(0, 3), starting, started, exit(0, 3), starting, started, exit(0, 3)},
			api.StateExited, "exit 3, gave up after 2 restarts", false},
		"restart no":                               {Service{Restart: Restart{Policy: "no"}}, append(up, exit(0, 2)), api.StateExited, "exit 2, restart: no", false},
		"on-failure lets a good end be":            {Service{Restart: Restart{Policy: "on-failure"}}, append(up, exit(0, 0)), api.StateExited, "exit 0", false},
		"always restarts after a good end":         {always(Service{}), append(up, exit(0, 0)), api.StateBackoff, "exit 0, next try in 200 ms", false},
		"unless-stopped restarts like always":      {Service{Restart: Restart{Policy: "unless-stopped"}}, append(up, exit(0, 0)), api.StateBackoff, "exit 0, next try in 200 ms", false},
		"exit 125 means do not retry":              {always(Service{}), append(up, exit(0, 125)), api.StateExited, "exit 125: it asks not to be restarted", false},
		"a signal is named":                        {always(Service{}), append(up, step{0, Event{Kind: EventExited, Code: 137, Signal: "SIGKILL"}}), api.StateBackoff, "killed by SIGKILL, next try in 200 ms", false},
		"so is the lack of memory":                 {always(Service{}), append(up, step{0, Event{Kind: EventExited, Code: 137, Signal: "SIGKILL", OOM: true}}), api.StateBackoff, "killed: it used more memory than its limit, next try in 200 ms", false},
		"an end that is told twice counts once":    {always(Service{}), append(up, exit(0, 1), exit(0, 1)), api.StateBackoff, "exit 1, next try in 200 ms", false},
		"a failed start is tried again":            {always(Service{}), []step{starting, {0, Event{Kind: EventStartFailed, Reason: "no space"}}}, api.StateBackoff, "could not be started: no space, next try in 200 ms", false},
		"a start that cannot succeed is invalid":   {always(Service{}), []step{starting, {0, Event{Kind: EventStartFailed, Reason: "image x is missing", Permanent: true}}}, api.StateInvalid, "image x is missing", false},
		"asked to stop, it runs until told":        {always(Service{}), append(up, ev(EventStopRequested)), api.StateRunning, "", true},
		"told to stop, it has its grace period":    {always(Service{}), append(up, ev(EventStopRequested), stopping), api.StateStopping, "stopped by the operator, killed in 10 s", false},
		"stopped by the operator it stays so":      {always(Service{}), append(up, ev(EventStopRequested), stopping, exit(0, 1)), api.StateStopped, "stopped by the operator", false},
		"one in backoff can be stopped":            {always(Service{}), append(up, exit(0, 1), ev(EventStopRequested)), api.StateStopped, "stopped by the operator", false},
		"and started again at once":                {always(Service{}), append(up, exit(0, 1), ev(EventStopRequested), ev(EventStartRequested)), api.StateWaiting, "asked to start", false},
		"a restart is no failure":                  {always(Service{}), append(up, ev(EventRestartRequested), stopping, exit(0, 1)), api.StateWaiting, "stopped: stopped by the operator", false},
		"one that was stopped before it had begun": {always(Service{}), []step{starting, ev(EventStopRequested), {0, Event{Kind: EventStartFailed, Reason: "x"}}}, api.StateStopped, "stopped by the operator", false},
		"adopted and known to be ready":            {notify, []step{{0, Event{Kind: EventAdopted, PID: 9, Ready: true}}}, api.StateRunning, "", true},
		"adopted and not known to be ready":        {notify, []step{{0, Event{Kind: EventAdopted, PID: 9}}}, api.StateStarting, "started, waiting for it to say READY=1", false},
		"adopted, ready by being started":          {always(Service{}), []step{{0, Event{Kind: EventAdopted, PID: 9}}}, api.StateRunning, "", true},
		"an invalid declaration":                   {Service{}, []step{{0, Event{Kind: EventInvalid, Reason: "f.yaml:3: bad"}}}, api.StateInvalid, "f.yaml:3: bad", false},
		"one that turns invalid runs on":           {always(Service{}), append(up, step{0, Event{Kind: EventInvalid, Reason: "bad"}}), api.StateRunning, "", true},
		"waiting says for what":                    {Service{}, []step{{0, Event{Kind: EventWaiting, Reason: "waiting for network to be ready"}}}, api.StateWaiting, "waiting for network to be ready", false},
	} {
		t.Run(name, func(t *testing.T) {
			st, now := run(c.s, Status{}, c.steps...)
			if st.State != c.state || st.Explain(now) != c.reason || st.Ready != c.ready {
				t.Errorf("got  %s %q ready=%v\nwant %s %q ready=%v", st.State, st.Explain(now), st.Ready, c.state, c.reason, c.ready)
			}
			if len(st.History) == 0 || st.History[len(st.History)-1].State != c.state {
				t.Errorf("history does not end in %s: %+v", c.state, st.History)
			}
		})
	}
}

func TestRestartsComeLaterAndLaterUpToABound(t *testing.T) {
	s := always(Service{})
	st, now := Status{}, t0
	for i, want := range []time.Duration{200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000} {
		want *= time.Millisecond
		st = st.Apply(s, Event{Kind: EventStarting}, now)
		st = st.Apply(s, Event{Kind: EventStarted, PID: 1}, now)
		st = st.Apply(s, Event{Kind: EventExited, Code: 1}, now)
		if got := st.NextStart.Sub(now); got != want {
			t.Errorf("failure %d: next start in %v, want %v", i+1, got, want)
		}
		wantState := api.StateBackoff
		if i+1 >= CrashLoopAt {
			wantState = api.StateCrashLoop
		}
		if st.State != wantState || st.Restarts != i {
			t.Errorf("failure %d: %s after %d restarts, want %s after %d", i+1, st.State, st.Restarts, wantState, i)
		}
		now = st.NextStart
	}
	if got := st.Explain(now.Add(-12 * time.Second)); got != "crash loop: exit 1, 10 times in 81 s, next try in 12 s" {
		t.Errorf("got %q", got)
	}
}

func TestJitterSpreadsRestartsAndStaysInTheBound(t *testing.T) {
	s := always(Service{})
	for _, c := range []struct {
		jitter float64
		delay  time.Duration
		want   time.Duration
	}{{0.5, 0, 200 * time.Millisecond}, {0.0001, 0, 150005 * time.Microsecond}, {0.9999, 0, 249995 * time.Microsecond}, {0.9999, MaxDelay, MaxDelay}} {
		st := Status{State: api.StateRunning, PID: 1, Delay: c.delay}.Apply(s, Event{Kind: EventExited, Code: 1, Jitter: c.jitter}, t0)
		if got := st.NextStart.Sub(t0).Round(time.Microsecond); got < c.want-10*time.Microsecond || got > c.want+10*time.Microsecond {
			t.Errorf("jitter %v: got %v, want %v", c.jitter, got, c.want)
		}
	}
}

func TestAMinuteOfHealthForgivesEarlierFailures(t *testing.T) {
	s := always(Service{})
	steps := []step{starting, started, exit(0, 1), starting, started, exit(0, 1), starting, started}
	st, _ := run(s, Status{}, append(steps, exit(59*time.Second, 1))...)
	if st.Delay != 800*time.Millisecond || len(st.Failures) != 3 {
		t.Errorf("after 59 s: delay %v, %d failures", st.Delay, len(st.Failures))
	}
	st, _ = run(s, Status{}, append(steps, exit(60*time.Second, 1))...)
	if st.Delay != FirstDelay || len(st.Failures) != 1 || st.Retries != 1 {
		t.Errorf("after 60 s: delay %v, %d failures, %d retries", st.Delay, len(st.Failures), st.Retries)
	}
}

func TestFailuresFarApartAreNoCrashLoop(t *testing.T) {
	// Never ready, so never forgiven, but each takes four minutes to fail.
	s := always(Service{Ready: ReadyNotify})
	var steps []step
	for range 8 {
		steps = append(steps, starting, started, exit(4*time.Minute, 1))
	}
	if st, _ := run(s, Status{}, steps...); st.State != api.StateBackoff || len(st.Failures) != 3 {
		t.Errorf("got %s with %d failures", st.State, len(st.Failures))
	}
}

func TestApplyLeavesTheOldRecordAlone(t *testing.T) {
	s := always(Service{})
	old, now := run(s, Status{}, starting, started, exit(0, 1), starting, started)
	before, err := json.Marshal(old)
	if err != nil {
		t.Fatal(err)
	}
	old.Apply(s, Event{Kind: EventExited, Code: 9}, now)
	old.Apply(s, Event{Kind: EventReady}, now)
	old.Apply(s, Event{Kind: EventStopRequested}, now)
	after, err := json.Marshal(old)
	if err != nil {
		t.Fatal(err)
	}
	if string(before) != string(after) {
		t.Errorf("before %s\nafter  %s", before, after)
	}
}

func TestARecordSurvivesJSON(t *testing.T) {
	st, _ := run(always(Service{Name: "a"}), Status{}, starting, started, exit(time.Second, 3))
	data, err := json.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	var back Status
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(st, back) {
		t.Errorf("got  %+v\nwant %+v", back, st)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	var steps []step
	for range 100 {
		steps = append(steps, starting, started, exit(0, 1))
	}
	st, _ := run(always(Service{}), Status{}, steps...)
	if len(st.History) != maxHistory || len(st.Failures) != maxFailures {
		t.Errorf("%d entries, %d failures", len(st.History), len(st.Failures))
	}
}

func TestHashChangesWithWhatIsRunAlone(t *testing.T) {
	s := Service{Name: "a", Image: "i", Source: "f:1", Labels: map[string]string{"a": "1", "b": "2"}}
	hash := s.Hash()
	if len(hash) != 64 {
		t.Fatalf("got %q", hash)
	}
	same := s
	same.Source, same.Priority, same.Restart.Policy, same.DependsOn = "g:2", 3, "always", []Dependency{{Name: "x"}}
	if same.Hash() != hash {
		t.Error("where it is declared and when it starts changed the hash")
	}
	other := s
	other.Command = []string{}
	if other.Hash() == hash {
		t.Error("another command did not change the hash")
	}
}

func TestExplainSpans(t *testing.T) {
	for d, want := range map[time.Duration]string{-time.Second: "0 ms", 40 * time.Millisecond: "40 ms", 12 * time.Second: "12 s", 3 * time.Minute: "3 min", 5 * time.Hour: "5 h"} {
		if got := span(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

func TestTheAPIRowCarriesTheRecord(t *testing.T) {
	s := always(Service{Name: "a", Image: "testudo/a", Essential: true, Source: "f:1", DependsOn: []Dependency{{Name: "b"}}})
	st, now := run(s, Status{}, starting, started)
	row := st.API(s, now)
	if row.Name != "a" || row.State != api.StateRunning || row.PID != 7 || !row.Ready || !row.Essential || row.StartedAt == nil || strings.Join(row.DependsOn, "") != "b" {
		t.Errorf("got %+v", row)
	}
}
