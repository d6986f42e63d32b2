package manager

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/service"
)

// registry is where images come from: slowly, or not at all.
type registry struct {
	takes time.Duration

	mu    sync.Mutex
	err   error
	asked int
	again bool // of the last time
}

// seen says how often it was asked, and how the last time.
func (r *registry) seen() (asked int, again bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked, r.again
}

// answer has it answer with err from now on.
func (r *registry) answer(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

func (r *registry) bring(ctx context.Context, svc *service.Service, again bool, progress func(done, total int64)) error {
	r.mu.Lock()
	r.asked++
	r.again = again
	err := r.err
	r.mu.Unlock()
	progress(0, 4<<20)
	for range 4 {
		select {
		case <-time.After(r.takes / 4):
		case <-ctx.Done():
			return ctx.Err()
		}
		progress(3<<20, 4<<20)
	}
	return err
}

func supervisePulls(t *testing.T, f *machine, from *registry, records string, services ...service.Service) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{t: t, leave: cancel, result: make(chan error, 1)}
	r.Manager = New(&service.Set{Services: services}, Options{
		Connect: func(context.Context) (Runtime, error) { return f, nil },
		Attach:  func(*service.Service) error { return nil }, Bring: from.bring,
		Records: records, BootTime: func() int64 { return 1 }, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Starts: 1,
	})
	go func() { r.result <- r.Run(ctx) }()
	synctest.Wait()
	return r
}

func TestAnImageThatIsNotHereIsFetchedAndHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, from := newMachine(), &registry{takes: 8 * time.Second}
		m := supervisePulls(t, f, from, t.TempDir(), service.Service{Name: "web", Image: "host/web", Restart: always, Priority: 1},
			service.Service{Name: "other", Image: "testudo/other", Restart: always, Priority: 2})
		defer m.end()
		m.want("web", api.StatePulling, "pulling its image: 0.0 of 4.0 MiB")
		time.Sleep(3 * time.Second)
		m.want("web", api.StatePulling, "pulling its image: 3.0 of 4.0 MiB")
		m.want("other", api.StateRunning, "")
		time.Sleep(6 * time.Second)
		m.want("web", api.StateRunning, "")
		if asked, again := from.seen(); asked != 1 || again {
			t.Errorf("asked %d times, again: %v", asked, again)
		}
		// One that only crashed asks for what is here.
		f.die("web", 1, "")
		time.Sleep(10 * time.Second)
		m.want("web", api.StateRunning, "")
		if asked, again := from.seen(); asked != 2 || !again {
			t.Errorf("after a crash: asked %d times, again: %v", asked, again)
		}
	})
}

func TestARegistryThatIsAwayIsTriedAgainForAsLongAsItTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, from := newMachine(), &registry{err: errors.New("no route to host")}
		m := supervisePulls(t, f, from, t.TempDir(), service.Service{Name: "web", Image: "host/web", Restart: service.Restart{Policy: "no"}})
		defer m.end()
		time.Sleep(time.Hour)
		m.want("web", api.StateBackoff, "no route to host, next try in")
		asked, _ := from.seen()
		if row := m.get("web"); row.Failures != 0 || asked < 100 || asked > 200 {
			t.Errorf("%+v after %d tries", row, asked)
		}
		from.answer(nil)
		time.Sleep(time.Minute)
		m.want("web", api.StateRunning, "")
		wantDone(t, f, "start web")
	})
}

// Whoever does not want the image any more does not wait for it.
func TestFetchingEndsWhenItIsNotWantedAnyMore(t *testing.T) {
	web := service.Service{Name: "web", Image: "host/web", Restart: always}
	for name, c := range map[string]struct {
		end   func(m *running) error
		state api.State
	}{
		"stopped": {func(m *running) error { _, err := m.Do(context.Background(), "web", api.VerbStop); return err }, api.StateStopped},
		"changed": {func(m *running) error {
			other := web
			other.Image = "testudo/web"
			_, err := m.Up(context.Background(), declared(other), api.Up{})
			return err
		}, api.StateRunning},
		"disabled": {func(m *running) error {
			_, err := m.Up(context.Background(), &service.Set{Disabled: []service.Service{web}}, api.Up{})
			return err
		}, api.StateDisabled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				from := &registry{takes: time.Hour}
				m := supervisePulls(t, newMachine(), from, t.TempDir(), web)
				defer m.end()
				m.want("web", api.StatePulling, "")
				began := time.Now()
				if err := c.end(m); err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took > time.Minute {
					t.Errorf("it took %v", took)
				}
				m.want("web", c.state, "")
			})
		})
	}
}

func TestTheNextRosdFetchesWhatTheLastOneHadBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, records := newMachine(), t.TempDir()
		web := service.Service{Name: "web", Image: "host/web", Restart: always}
		m := supervisePulls(t, f, &registry{takes: time.Hour}, records, web)
		m.want("web", api.StatePulling, "")
		m.end()
		m = supervisePulls(t, f, &registry{takes: time.Second}, records, web)
		defer m.end()
		time.Sleep(2 * time.Second)
		m.want("web", api.StateRunning, "")
		wantDone(t, f, "start web")
	})
}
