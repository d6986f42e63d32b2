package manager

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/service"
	"github.com/testudo-os/testudo/pkg/upgrade"
)

// rosd is a manager with the records of upgrades, as cmd/rosd has them.
type rosd struct {
	*running
	upgrades *upgrade.Upgrader
}

func startRosd(t *testing.T, f Runtime, records, pins string) *rosd {
	t.Helper()
	r := &rosd{running: &running{t: t, result: make(chan error, 1)}}
	r.upgrades = upgrade.New(upgrade.Options{
		Dir: pins, BootID: "boot", Now: time.Now,
		Fetch: func(_ context.Context, ref, _ string, _ func(api.Progress)) (string, error) {
			return ref + "@sha256:1", nil
		},
		Drop: func(...string) error { return nil },
		Files: func() *service.Set {
			return &service.Set{Services: []service.Service{{Name: "web", Image: "web:1", Restart: always}, {Name: "other", Image: "testudo/other", Restart: always}}}
		},
		Apply: func(ctx context.Context, set *service.Set, name string) ([]api.Change, error) {
			return r.Up(ctx, set, api.Up{Services: []string{name}})
		},
	})
	if err := r.upgrades.Recover(); err != nil {
		t.Fatal(err)
	}
	r.Manager = New(r.upgrades.Declared(), Options{
		Connect:  func(context.Context) (Runtime, error) { return f, nil },
		Attach:   func(*service.Service) error { return nil },
		Records:  records,
		BootTime: func() int64 { return 1 },
		Log:      slog.New(slog.NewTextHandler(io.Discard, nil)),
		Judged: func(name string, good service.Service, refused *service.Refusal) {
			if err := r.upgrades.Judged(name, good, refused); err != nil {
				t.Error(err)
			}
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	r.leave = cancel
	go func() { r.result <- r.Run(ctx) }()
	synctest.Wait()
	return r
}

// Whenever rosd goes during an upgrade, the next one brings it to an end: the
// new version is kept when it is well, and what ran before is back when not.
func TestAnUpgradeOutlivesRosdAtAnyTime(t *testing.T) {
	const window = 3 * time.Second
	for _, well := range []bool{true, false} {
		for at := time.Duration(0); at <= window+time.Second; at += 250 * time.Millisecond {
			synctest.Test(t, func(t *testing.T) {
				f, records, pins := newMachine(), t.TempDir(), t.TempDir()
				first := startRosd(t, f, records, pins)
				go first.upgrades.Upgrade(context.Background(), "web", api.Upgrade{Image: "web:2", Window: window}, func(api.Progress) {})
				synctest.Wait()
				time.Sleep(at)
				synctest.Wait()
				first.end()

				second := startRosd(t, f, records, pins)
				defer second.end()
				if !well && at < window {
					f.die("web", 1, "")
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				want := "web:2@sha256:1"
				if !well && at < window {
					want = "web:1"
				}
				row := second.get("web")
				if got := second.upgrades.Declared().Services[0]; row.Image != want || got.Image != want || got.Trial != 0 || !row.Ready {
					t.Errorf("left after %v, well %v: runs %s (%s: %s), declared %s on trial for %v; want %s", at, well, row.Image, row.State, row.Reason, got.Image, got.Trial, want)
				}
			})
		}
	}
}
