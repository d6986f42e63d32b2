package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/confstore"
	"github.com/testudo-os/testudo/pkg/reconfigure"
)

// configured is a machine of which only the configuration is real.
type configured struct {
	t    *testing.T
	dir  string
	boot string
	from time.Time // of the boot
	fail map[reconfigure.Kind]error
	done []string // what was carried out
	*backend
}

func newConfigured(t *testing.T) *configured {
	m := &configured{t: t, dir: t.TempDir(), boot: "one", from: time.Now(), fail: map[reconfigure.Kind]error{}}
	m.restart()
	return m
}

func (m *configured) uptime() time.Duration { return time.Since(m.from) }

// restart is a new rosd, of the same boot unless boot was changed.
func (m *configured) restart() {
	m.t.Helper()
	store, _, err := confstore.Open(confstore.Options{Dir: m.dir, BootID: m.boot, Now: time.Now, Uptime: m.uptime})
	if err != nil {
		m.t.Fatal(err)
	}
	c := &configuration{log: slog.New(slog.NewTextHandler(io.Discard, nil)), store: store, put: func(*config.Resolved) []error { return nil }, uptime: m.uptime}
	c.load = func(context.Context) (*config.Resolved, error) {
		files, err := store.Files()
		if err != nil {
			return nil, err
		}
		cfg, err := merged(confstore.Entry{Files: files})
		if err != nil {
			return &config.Resolved{}, nil // refused, as settings.Load does
		}
		return &config.Resolved{Config: *cfg, Own: *cfg}, nil
	}
	c.doers = map[reconfigure.Kind]doer{}
	for _, kind := range []reconfigure.Kind{reconfigure.Hostname, reconfigure.Console, reconfigure.Restart} {
		c.doers[kind] = func(_ context.Context, a reconfigure.Action, fresh *config.Resolved) ([]api.Change, error) {
			m.done = append(m.done, fmt.Sprintf("%s %s%s", a.Kind, a.Service, fresh.Config.Hostname))
			return nil, m.fail[kind]
		}
	}
	resolved, err := c.load(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	c.current.Store(resolved)
	c.settle()
	m.backend = &backend{config: c, life: m.t.Context()}
	c.watchTrial(m.t.Context())
}

func (m *configured) set(key, value string) {
	m.t.Helper()
	if _, err := m.EditConfig(m.t.Context(), api.ConfigEdit{Verb: api.ConfigSet, Key: key, Value: value}); err != nil {
		m.t.Fatal(err)
	}
}

func (m *configured) apply(o api.ConfigApply) api.ConfigApplied {
	m.t.Helper()
	applied, err := m.ApplyConfig(m.t.Context(), o)
	if err != nil {
		m.t.Fatal(err)
	}
	return applied
}

func (m *configured) hostname() string { return m.config.current.Load().Config.Hostname }

func TestOnlyWhatChangedIsApplied(t *testing.T) {
	m := newConfigured(t)
	m.set("hostname", "one")
	if dry := m.apply(api.ConfigApply{DryRun: true}); len(dry.Actions) != 2 || m.done != nil || m.hostname() != "" {
		t.Fatalf("a dry run: %+v, done %q", dry, m.done)
	}
	m.apply(api.ConfigApply{})
	m.set("ntp.servers", "a.example")
	m.fail[reconfigure.Restart] = errors.New("it broke")
	applied := m.apply(api.ConfigApply{})
	if want := []string{"hostname one", "console one", "restart ntpone"}; !slices.Equal(m.done, want) {
		t.Errorf("got %q, want %q", m.done, want)
	}
	if len(applied.Actions) != 1 || applied.Actions[0].Error != "it broke" {
		t.Errorf("got %+v", applied)
	}
	if again := m.apply(api.ConfigApply{}); len(again.Actions) != 0 {
		t.Errorf("a second time: %+v", again)
	}
}

func TestAFileWithMistakesIsNotApplied(t *testing.T) {
	m := newConfigured(t)
	m.set("hostname", "one")
	m.apply(api.ConfigApply{})
	if err := os.WriteFile(filepath.Join(m.dir, "cloud-config.yaml"), []byte("hostnam: two\ntimezon: UTC\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, o := range []api.ConfigApply{{}, {DryRun: true}, {Try: time.Minute}} {
		_, err := m.ApplyConfig(t.Context(), o)
		if !errors.Is(err, api.ErrInvalid) || !strings.Contains(err.Error(), "cloud-config.yaml:1:1: hostnam") || !strings.Contains(err.Error(), "cloud-config.yaml:2:1: timezon") {
			t.Errorf("%+v: got %v", o, err)
		}
	}
	if m.hostname() != "one" {
		t.Errorf("got %q", m.hostname())
	}
	if _, err := m.RollbackConfig(t.Context(), api.ConfigRollback{}); err != nil {
		t.Errorf("the way back: %v", err)
	}
	if files, err := m.config.store.Files(); err != nil || !strings.Contains(files["cloud-config.yaml"], "hostname: one") {
		t.Errorf("got %q, %v", files, err)
	}
}

func TestATrialGoesBackByItself(t *testing.T) {
	for _, tt := range []struct {
		name string
		then func(m *configured)
		want string
	}{
		{"when its time is over", func(m *configured) { time.Sleep(2 * time.Minute) }, "old"},
		{"also when rosd restarts meanwhile", func(m *configured) {
			time.Sleep(30 * time.Second)
			m.config.disarm() // it dies
			m.restart()
			if m.hostname() != "new" {
				m.t.Errorf("a restart of rosd alone ended the trial")
			}
			time.Sleep(2 * time.Minute)
		}, "old"},
		{"at a reboot", func(m *configured) { m.config.disarm(); m.boot = "two"; m.restart() }, "old"},
		{"when asked", func(m *configured) {
			if _, err := m.RollbackConfig(m.t.Context(), api.ConfigRollback{}); err != nil {
				m.t.Error(err)
			}
		}, "old"},
		{"unless it is confirmed", func(m *configured) {
			if _, err := m.ConfirmConfig(m.t.Context()); err != nil {
				m.t.Error(err)
			}
			time.Sleep(5 * time.Minute)
		}, "new"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newConfigured(t)
				m.set("hostname", "old")
				m.apply(api.ConfigApply{})
				m.set("hostname", "new")
				if applied := m.apply(api.ConfigApply{Try: time.Minute}); applied.TryUntil == nil || m.hostname() != "new" {
					t.Fatalf("got %+v, %s", applied, m.hostname())
				}
				if _, err := m.EditConfig(t.Context(), api.ConfigEdit{Verb: api.ConfigSet, Key: "hostname", Value: "third"}); !errors.Is(err, api.ErrConflict) {
					t.Errorf("an edit in between: %v", err)
				}
				tt.then(m)
				synctest.Wait()
				if m.hostname() != tt.want {
					t.Errorf("in force is %q, want %q", m.hostname(), tt.want)
				}
				files, err := m.config.store.Files()
				if err != nil || !strings.Contains(files["cloud-config.yaml"], "hostname: "+tt.want) {
					t.Errorf("the file: %q, %v", files, err)
				}
				if _, err := m.ConfirmConfig(t.Context()); !errors.Is(err, api.ErrConflict) {
					t.Errorf("a confirmation of nothing: %v", err)
				}
				if applied := m.config.store.Applied(); tt.want == "old" {
					if e, err := m.config.store.Entry(applied); err != nil || !strings.Contains(e.Files["cloud-config.yaml"], "old") {
						t.Errorf("the history says %d is in force: %+v, %v", applied, e, err)
					}
				}
			})
		})
	}
}

func TestRollbackAndHistoryShowNoSecrets(t *testing.T) {
	m := newConfigured(t)
	m.set("hostname", "one")
	m.apply(api.ConfigApply{})
	m.set("testudo.services.variables.TOKEN", "geheim")
	m.set("hostname", "two")
	m.apply(api.ConfigApply{})
	history, err := m.ConfigHistory(t.Context())
	if err != nil || len(history) != 4 || !history[3].Applied || history[2].Change != "set testudo.services.variables.TOKEN" {
		t.Fatalf("got %+v, %v", history, err)
	}
	diff, err := m.ConfigDiff(t.Context(), 2, 4)
	if err != nil || !slices.Equal(diff.Keys, []string{"hostname", "testudo.services.variables"}) || !strings.Contains(diff.Text, "+hostname: two") {
		t.Errorf("got %+v, %v", diff, err)
	}
	shown, err := m.Config(t.Context(), api.ConfigOptions{Full: true})
	if err != nil {
		t.Fatal(err)
	}
	if all := fmt.Sprintf("%+v %+v %+v", history, diff, shown); strings.Contains(all, "geheim") {
		t.Errorf("a secret shows: %s", all)
	}
	if applied, err := m.RollbackConfig(t.Context(), api.ConfigRollback{To: 2}); err != nil || m.hostname() != "one" || applied.Entry != 5 {
		t.Errorf("got %+v, %v, %s", applied, err, m.hostname())
	}
	if _, err := m.RollbackConfig(t.Context(), api.ConfigRollback{To: 99}); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestATrialNeverGoesBackToMistakes(t *testing.T) {
	m := newConfigured(t)
	m.set("hostname", "old")
	m.apply(api.ConfigApply{})
	file := filepath.Join(m.dir, "cloud-config.yaml")
	for _, text := range []string{"hostnam: broken\n", "hostname: new\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(text, "hostnam:") {
			m.boot = "two"
			m.restart()
		}
	}
	m.apply(api.ConfigApply{Try: time.Minute})
	if m.hostname() != "new" {
		t.Fatalf("got %q", m.hostname())
	}
	m.config.disarm()
	m.boot = "three"
	m.restart()
	if m.hostname() != "old" {
		t.Errorf("it went back to %q", m.hostname())
	}
}
