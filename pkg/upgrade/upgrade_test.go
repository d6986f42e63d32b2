package upgrade

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/service"
)

var t0 = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// world is a machine with one service, web.
type world struct {
	*Upgrader
	file    string // the image that the service's file names
	runs    string
	window  time.Duration
	bad     map[string]string // IMAGE: why it fails
	alone   bool              // the supervisor has nothing to go back to
	waiting bool
	dropped []string
	applied int
}

func newWorld(t *testing.T) *world {
	w := &world{file: "web:1", runs: "web:1", bad: map[string]string{}}
	w.Upgrader = w.boot(t.TempDir(), "boot-1")
	return w
}

func (w *world) boot(dir, id string) *Upgrader {
	return New(Options{
		Dir: dir, BootID: id, Now: func() time.Time { return t0 },
		Fetch: func(_ context.Context, ref, want string, tell func(api.Progress)) (string, error) {
			if strings.Contains(ref, "missing") {
				return "", errors.New("the registry does not have it")
			}
			return ref + "@sha256:" + strings.Repeat("a", 3), nil
		},
		Drop:  func(refs ...string) error { w.dropped = append(w.dropped, refs...); return nil },
		Files: func() *service.Set { return &service.Set{Services: []service.Service{{Name: "web", Image: w.file}}} },
		Apply: w.apply,
	})
}

func (w *world) apply(_ context.Context, set *service.Set, _ string) ([]api.Change, error) {
	w.applied++
	next, before := set.Services[0], w.runs
	w.runs, w.window = next.Image, next.Trial
	row := api.Service{State: api.StateRunning, Ready: true}
	c := api.Change{Service: "web", Result: &row}
	why, fails := w.bad[next.Image]
	switch {
	case w.waiting:
		row.State, row.Ready, row.Reason = api.StateWaiting, false, "waiting for network to be ready"
		w.waiting = false
	case fails && w.alone:
		c.Error = why
	case fails:
		w.runs, c.Error, row.Refused = before, why, &api.Refused{Reason: why}
	}
	return []api.Change{c}, nil
}

func (w *world) upgrade(t *testing.T, o api.Upgrade) (api.Upgraded, error) {
	t.Helper()
	return w.Upgrade(t.Context(), "web", o, func(api.Progress) {})
}

func (w *world) pin(t *testing.T) Pin {
	t.Helper()
	p, err := w.pins.load("web")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const (
	pinned1 = "web:1@sha256:aaa"
	pinned2 = "web:2@sha256:aaa"
	pinned3 = "web:3@sha256:aaa"
)

func TestAnUpgradeThatWorksIsKeptWithTheOneBefore(t *testing.T) {
	w := newWorld(t)
	done, err := w.upgrade(t, api.Upgrade{Image: "web:2", Window: time.Minute})
	if err != nil || done.Image != pinned2 || done.Previous != "web:1" || w.window != time.Minute {
		t.Errorf("%+v %v, window %v", done, err, w.window)
	}
	if p := w.pin(t); p.Current != pinned2 || p.Previous != "web:1" || p.Trial != nil || p.Failed != nil {
		t.Errorf("%+v", p)
	}
	if _, err := w.upgrade(t, api.Upgrade{Image: "web:3"}); err != nil || w.runs != pinned3 || w.window != DefaultWindow {
		t.Errorf("runs %s, window %v (%v)", w.runs, w.window, err)
	}
	if len(w.dropped) != 0 {
		t.Errorf("dropped %q", w.dropped) // web:1 is the file's, web:2 is to roll back to
	}
	if done, err := w.upgrade(t, api.Upgrade{Image: "web:3"}); err != nil || !done.Unchanged || w.applied != 2 {
		t.Errorf("again: %+v %v", done, err)
	}
	if _, err := w.Rollback(t.Context(), "web"); err != nil || w.runs != pinned2 {
		t.Errorf("rolled back to %s (%v)", w.runs, err)
	}
	if _, err := w.Rollback(t.Context(), "web"); err != nil || w.runs != pinned3 {
		t.Errorf("rolled back again to %s (%v)", w.runs, err)
	}
	if _, err := w.upgrade(t, api.Upgrade{}); err != nil || w.runs != pinned1 || !slices.Equal(w.dropped, []string{pinned2}) {
		t.Errorf("to the file's image: runs %s, dropped %q (%v)", w.runs, w.dropped, err)
	}
}

func TestAnUpgradeThatFailsKeepsTheReason(t *testing.T) {
	for name, alone := range map[string]bool{"and the supervisor went back": false, "and there was nothing to go back to": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.bad[pinned2], w.alone = "exit 1", alone
			_, err := w.upgrade(t, api.Upgrade{Image: "web:2"})
			if !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "exit 1") {
				t.Errorf("got %v", err)
			}
			p := w.pin(t)
			if p.Trial != nil || p.Current != "" || p.Failed == nil || p.Failed.Reason != "exit 1" || p.Failed.Image != pinned2 {
				t.Errorf("%+v", p)
			}
			if w.runs != "web:1" || !slices.Equal(w.dropped, []string{pinned2}) {
				t.Errorf("runs %s, dropped %q", w.runs, w.dropped)
			}
			if f := w.Failed("web"); f == nil || f.Reason != "exit 1" {
				t.Errorf("%+v", f)
			}
			if _, err := w.Rollback(t.Context(), "web"); !errors.Is(err, api.ErrConflict) {
				t.Errorf("rollback: %v", err)
			}
		})
	}
}

func TestAServiceThatWaitsCannotProveItself(t *testing.T) {
	w := newWorld(t)
	w.waiting = true
	if _, err := w.upgrade(t, api.Upgrade{Image: "web:2"}); err == nil || w.runs != "web:1" || w.pin(t).Failed == nil {
		t.Errorf("runs %s, %v", w.runs, err)
	}
}

func TestNothingIsTouchedWhenTheImageCannotBeHad(t *testing.T) {
	w := newWorld(t)
	if _, err := w.upgrade(t, api.Upgrade{Image: "missing:1"}); err == nil || w.applied != 0 || w.pin(t) != (Pin{}) {
		t.Errorf("%v, applied %d, %+v", err, w.applied, w.pin(t))
	}
	if _, err := w.Upgrade(t.Context(), "nobody", api.Upgrade{}, nil); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
}

func TestAnEditedFileHasTheLastWord(t *testing.T) {
	w := newWorld(t)
	if _, err := w.upgrade(t, api.Upgrade{Image: "web:2"}); err != nil {
		t.Fatal(err)
	}
	if got := w.Declared().Services[0].Image; got != pinned2 {
		t.Errorf("pinned: %s", got)
	}
	w.file = "other:1"
	if got := w.Declared().Services[0].Image; got != "other:1" {
		t.Errorf("after the file was edited: %s", got)
	}
}

func TestWhatAKilledRosdLeft(t *testing.T) {
	trial := Pin{Declared: "web:1", Trial: &Trial{Image: pinned2, Window: time.Minute, Boot: "boot-1", Since: t0}}
	refused := func(at time.Time) *service.Refusal {
		return &service.Refusal{Image: pinned2, Reason: "exit 1", At: at}
	}
	for name, c := range map[string]struct {
		boot    string
		good    string
		refused *service.Refusal
		image   string // declared afterwards
		failed  string
		trial   bool
	}{
		"still on trial":              {"boot-1", "web:1", nil, pinned2, "", true},
		"proved meanwhile":            {"boot-1", pinned2, nil, pinned2, "", false},
		"refused meanwhile":           {"boot-1", "web:1", refused(t0.Add(time.Second)), "web:1", "exit 1", false},
		"refused once before":         {"boot-1", "web:1", refused(t0.Add(-time.Hour)), pinned2, "", true},
		"the machine restarted since": {"boot-2", "web:1", nil, "web:1", "the machine restarted while it was on trial", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			dir := t.TempDir()
			w.Upgrader = w.boot(dir, c.boot)
			if err := pins(dir).save("web", trial); err != nil {
				t.Fatal(err)
			}
			if err := w.Recover(); err != nil {
				t.Fatal(err)
			}
			if err := w.Judged("web", service.Service{Name: "web", Image: c.good}, c.refused); err != nil {
				t.Fatal(err)
			}
			if got := w.Declared().Services[0].Image; got != c.image {
				t.Errorf("runs %s, want %s", got, c.image)
			}
			p := w.pin(t)
			if (p.Trial != nil) != c.trial || c.failed == "" && p.Failed != nil || c.failed != "" && (p.Failed == nil || p.Failed.Reason != c.failed) {
				t.Errorf("%+v %+v", p, p.Failed)
			}
		})
	}
}

func TestADamagedRecordIsAProblemAndNoMore(t *testing.T) {
	w := newWorld(t)
	if _, err := w.upgrade(t, api.Upgrade{Image: "web:2"}); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(w.pins.path("web"), "{"); err != nil {
		t.Fatal(err)
	}
	set := w.Declared()
	if set.Services[0].Image != "web:1" || len(set.Problems) != 1 {
		t.Errorf("%+v %v", set.Services[0].Image, set.Problems)
	}
}

func writeFile(path, text string) error { return os.WriteFile(path, []byte(text), 0o600) }

func TestTheLastUpgradeIsKnown(t *testing.T) {
	w := newWorld(t)
	now := t0
	w.opt.Now = func() time.Time { now = now.Add(time.Hour); return now }
	if last := w.Last(); last != nil {
		t.Errorf("before any: %+v", last)
	}
	if _, err := w.Upgrade(t.Context(), "web", api.Upgrade{Image: "web:2"}, func(api.Progress) {}); err != nil {
		t.Fatal(err)
	}
	good := w.Last()
	if good == nil || good.Service != "web" || good.Image != "web:2@sha256:aaa" || good.Previous != "web:1" || good.Error != "" || good.Time.IsZero() {
		t.Fatalf("after a good one: %+v", good)
	}
	w.bad["web:3@sha256:aaa"] = "exit 1"
	if _, err := w.Upgrade(t.Context(), "web", api.Upgrade{Image: "web:3"}, func(api.Progress) {}); err == nil {
		t.Fatal("a bad one is good")
	}
	if last := w.Last(); last == nil || last.Image != "web:3@sha256:aaa" || last.Previous != "web:2@sha256:aaa" || last.Error != "exit 1" || !last.Time.After(good.Time) {
		t.Errorf("after a bad one: %+v", last)
	}
}

func TestTheTrialIsTold(t *testing.T) {
	w := newWorld(t)
	var steps []string
	if _, err := w.Upgrade(t.Context(), "web", api.Upgrade{Image: "web:2", Window: time.Minute}, func(p api.Progress) { steps = append(steps, p.Step) }); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(steps, "on trial for 1m0s") {
		t.Errorf("told %q", steps)
	}
}
