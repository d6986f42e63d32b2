package service

import (
	"strings"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
)

func TestPullPolicies(t *testing.T) {
	for text, want := range map[string]Pull{
		"missing": {}, "if_not_present": {}, "never": {When: PullNever}, "always": {When: PullAlways},
		"daily": {PullEvery, day}, "weekly": {PullEvery, 7 * day}, "every_12h": {PullEvery, 12 * time.Hour}, "every_1w2d": {PullEvery, 9 * day},
	} {
		f, err := ParseFile("f.yaml", []byte("services: {web: {image: i, pull_policy: "+text+"}}"), nil)
		if err != nil || len(f.Services) != 1 || f.Services[0].Pull != want {
			t.Errorf("%s: %+v (%v)", text, f, err)
		}
	}
	for text, says := range map[string]string{
		"build": "f.yaml:1:41: services.web.pull_policy: build: the OS runs images", "often": "want always, missing", "every_": "want always", "every_0s": "want always",
		"every_1y": "want always", "1": "found", "[always]": "f.yaml:1:41",
	} {
		f, err := ParseFile("f.yaml", []byte("services: {web: {image: i, pull_policy: "+text+"}}"), nil)
		if err != nil || len(f.Invalid) != 1 || !strings.Contains(f.Invalid[0].Err.Error(), says) {
			t.Errorf("%s: %+v (%v)", text, f, err)
		}
	}
}

func TestWhenAnImageIsDue(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for _, c := range []struct {
		pull    Pull
		fetched time.Time
		want    bool
	}{
		{Pull{}, time.Time{}, true},
		{Pull{}, ago(1000 * day), false},
		{Pull{When: PullNever}, time.Time{}, false},
		{Pull{When: PullAlways}, time.Time{}, true},
		{Pull{When: PullAlways}, ago(time.Hour), true},
		{Pull{When: PullAlways}, ago(time.Second), false}, // `ros service up` has just fetched it
		{Pull{When: PullAlways}, ago(-time.Hour), true},   // the clock was wrong then, or is now
		{Pull{PullEvery, day}, ago(23 * time.Hour), false},
		{Pull{PullEvery, day}, ago(24 * time.Hour), true},
		{Pull{PullEvery, day}, time.Time{}, true},
	} {
		if got := c.pull.Due(c.fetched, now); got != c.want {
			t.Errorf("%+v, fetched %v: %v", c.pull, c.fetched, got)
		}
	}
}

func TestAServiceWhoseImageIsOnItsWay(t *testing.T) {
	s := always(Service{Name: "web", Image: "host/web"})
	pull := Event{Kind: EventPulling, Reason: "pulling its image: 1.0 of 2.0 MiB"}
	st, now := run(s, Status{}, starting, step{0, pull})
	if st.State != api.StatePulling || st.Reason != pull.Reason || !st.Alive() {
		t.Errorf("%+v", st)
	}
	if actions, _ := Plan(now, []Service{s}, map[string]Status{"web": st}); len(actions) != 0 {
		t.Errorf("while it is on its way: %+v", actions)
	}
	before := len(st.History)
	st = st.Apply(s, Event{Kind: EventPulling, Reason: "pulling its image: 2.0 of 2.0 MiB"}, now)
	if len(st.History) != before || !strings.Contains(st.Reason, "2.0 of") {
		t.Errorf("progress is history, or is not seen: %+v", st)
	}
	here := st.Apply(s, Event{Kind: EventPulled}, now)
	if here.State != api.StateStarting {
		t.Errorf("when it has come: %+v", here)
	}
	if late := here.Apply(s, started.event, now).Apply(s, pull, now); late.State == api.StatePulling {
		t.Errorf("a late word of its way: %+v", late)
	}

	// A network that is away is no crash.
	failed := Event{Kind: EventPullFailed, Reason: "image host/web: no route to host"}
	for range CrashLoopAt + 3 {
		st = st.Apply(s, failed, now).Apply(s, starting.event, now).Apply(s, pull, now)
	}
	st = st.Apply(s, failed, now)
	if st.State != api.StateBackoff || len(st.Failures) != 0 || st.Delay != MaxDelay || !st.NextStart.After(now) {
		t.Errorf("after many failures: %+v", st)
	}
	once := Service{Name: "once", Image: "host/once", Ready: ReadyExit, Restart: Restart{Policy: "no"}}
	if got := (Status{}).Apply(once, starting.event, now).Apply(once, pull, now).Apply(once, failed, now); got.State != api.StateBackoff {
		t.Errorf("of restart: no: %+v", got)
	}

	down, _ := run(s, Status{}, starting, step{0, pull}, ev(EventStopRequested), ev(EventGivenUp))
	if down.State != api.StateStopped || down.Alive() {
		t.Errorf("stopped meanwhile: %+v", down)
	}
	other, _ := run(s, Status{}, starting, step{0, pull}, ev(EventGivenUp))
	if other.State != api.StateWaiting || other.Alive() {
		t.Errorf("given up: %+v", other)
	}
}

func TestANewerImageIsAChange(t *testing.T) {
	s := always(Service{Name: "web", Image: "host/web", ImageDigest: "sha256:1"})
	st, _ := run(s, Status{}, starting, step{0, Event{Kind: EventStarted, PID: 7, Image: "sha256:1"}})
	have := map[string]Status{"web": st}
	set := func(s Service) *Set { return &Set{Services: []Service{s}} }
	if c := Changes(set(s), set(s), have, nil); len(c) != 0 {
		t.Errorf("the same image: %+v", c)
	}
	newer := s
	newer.ImageDigest = "sha256:2"
	if c := Changes(set(s), set(newer), have, nil); len(c) != 1 || c[0].Action != api.ChangeRestart || !strings.Contains(c[0].Reason, "anew") {
		t.Errorf("another image: %+v", c)
	}
	if newer.Hash() != s.Hash() {
		t.Error("the image's digest is part of what is declared")
	}
}

func TestWhatCannotBeBoundOrNamed(t *testing.T) {
	for text, says := range map[string]string{
		"services: {kernel: {image: i}}": "no service can be called kernel", "services: {rosd: {image: i}}": "no service can be called rosd",
		"services: {rosd: {image: i, ports: ['1:1']}}":                                           "no service can be called rosd",
		"services: {a: {image: i, volumes: ['/dev/log:/dev/log']}}":                              "f.yaml:1:26: services.a: /dev/log is a socket that each start of syslog makes anew",
		"services: {a: {image: i, volumes: ['/run/syslog/dev-log:/dev/log']}}":                   "bind its folder (/run/syslog:/run/syslog:ro)",
		"services: {a: {image: i, userns_mode: auto, pid: host}}":                                "userns_mode: auto cannot be had with pid",
		"services: {a: {image: i, userns_mode: auto, privileged: true}}":                         "cannot be had with privileged",
		"services: {a: {image: i, userns_mode: auto, devices: [/dev/kvm]}}":                      "cannot be had with devices",
		"services: {a: {image: i, userns_mode: auto, cap_add: [SYS_TIME]}}":                      "CAP_SYS_TIME gives nothing",
		"services: {a: {image: i, userns_mode: auto, network_mode: host, cap_add: [NET_ADMIN]}}": "CAP_NET_ADMIN gives nothing",
		"services: {a: {image: i, userns_mode: keep-id}}":                                        `found "keep-id"`,
		"services: {a: {image: i, logging: {options: {max-size: 1k}}}}":                          "want a size of 64k or more",
		"services: {a: {image: i, logging: {options: {max-file: 3}}}}":                           "max-file has no meaning without max-size",
		"services: {a: {image: i, logging: {options: {tag: x}}}}":                                "tag is not supported",
	} {
		f, err := ParseFile("f.yaml", []byte(text), nil)
		if err != nil || len(f.Invalid) != 1 || !strings.Contains(f.Invalid[0].Err.Error(), says) {
			t.Errorf("%s: %+v (%v)", text, f, err)
		}
	}
	for text, want := range map[string]int64{
		"": 0, "logging: {options: {max-size: 1m}}": 1 << 20, "logging: {driver: local, options: {max-size: 1m}}": 5 << 20,
		"logging: {driver: json-file, options: {max-size: 1m, max-file: '3'}}": 3 << 20,
	} {
		f, err := ParseFile("f.yaml", []byte("services: {a: {image: i, userns_mode: auto, network_mode: host, "+text+"}}"), nil)
		if err != nil || len(f.Services) != 1 || f.Services[0].LogSize != want || !f.Services[0].Userns {
			t.Errorf("%s: %+v (%v)", text, f, err)
		}
	}
}
