package manager

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/runtime"
	"github.com/testudo-os/testudo/pkg/service"
)

// cut is a containerd that is killed at one of the calls that are made to it,
// before or after it has done what was asked, and is back a second later.
type cut struct {
	*machine
	after bool

	mu    sync.Mutex
	at    int // the call; 0: never
	calls int
	away  bool
	hit   string
}

func (c *cut) call(what string, do func() error) error {
	c.mu.Lock()
	c.calls++
	hit := c.calls == c.at
	if hit {
		c.hit = what
	}
	away := c.away
	c.mu.Unlock()
	switch {
	case away:
		return runtime.ErrUnavailable
	case !hit:
		return do()
	case c.after:
		_ = do()
	}
	c.mu.Lock()
	c.away = true
	c.mu.Unlock()
	go func() {
		c.lose <- struct{}{}
		time.Sleep(time.Second)
		c.mu.Lock()
		c.away = false
		c.mu.Unlock()
		c.back <- struct{}{}
	}()
	return runtime.ErrUnavailable
}

func (c *cut) Start(ctx context.Context, svc *service.Service) (pid int, err error) {
	err = c.call("start "+svc.Name, func() (err error) { pid, err = c.machine.Start(ctx, svc); return err })
	if err != nil {
		pid = 0
	}
	return pid, err
}

func (c *cut) Signal(ctx context.Context, svc *service.Service) error {
	return c.call("signal "+svc.Name, func() error { return c.machine.Signal(ctx, svc) })
}

func (c *cut) Kill(ctx context.Context, name string) error {
	return c.call("kill "+name, func() error { return c.machine.Kill(ctx, name) })
}

func (c *cut) Remove(ctx context.Context, name string, keep bool) error {
	return c.call("remove "+name, func() error { return c.machine.Remove(ctx, name, keep) })
}

func (c *cut) List(ctx context.Context) (found []runtime.Found, err error) {
	err = c.call("list", func() (err error) { found, err = c.machine.List(ctx); return err })
	return found, err
}

func (c *cut) Image(ctx context.Context, name string) (image *runtime.Image, err error) {
	err = c.call("image "+name, func() (err error) { image, err = c.machine.Image(ctx, name); return err })
	return image, err
}

// From now on the n-th call is the one.
func (c *cut) next(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls, c.at = 0, n
}

func (c *cut) was() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hit
}

// Whenever containerd goes during an upgrade, also with work that it did and
// could not tell of, the upgrade comes to its end when it is back, and the
// other service has not been touched.
func TestContainerdKilledAtEveryStepOfAnUpgradeChangesNothingOfIt(t *testing.T) {
	seen := map[string]bool{}
	for _, after := range []bool{false, true} {
		for at, over := 1, false; !over; at++ {
			synctest.Test(t, func(t *testing.T) {
				c := &cut{machine: newMachine(), after: after}
				r := startRosd(t, c, t.TempDir(), t.TempDir())
				defer r.end()
				other := r.get("other").PID
				c.next(at)
				done := make(chan error, 1)
				go func() {
					_, err := r.upgrades.Upgrade(context.Background(), "web", api.Upgrade{Image: "web:2", Window: 3 * time.Second}, func(api.Progress) {})
					done <- err
				}()
				select {
				case err := <-done:
					if err != nil {
						t.Errorf("cut at %d, %q, after %v: %v", at, c.was(), after, err)
					}
				case <-time.After(10 * time.Minute):
					t.Fatalf("cut at %d, %q, after %v: the upgrade has no end: %+v", at, c.was(), after, r.get("web"))
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				over = c.was() == ""
				seen[fmt.Sprint(c.was(), after)] = true
				if row := r.get("web"); row.State != api.StateRunning || !row.Ready || row.Image != "web:2@sha256:1" || row.Refused != nil || row.PID != c.pids["web"] {
					t.Errorf("cut at %d, %q, after %v: web is %+v, its process %d", at, c.was(), after, row, c.pids["web"])
				}
				if row := r.get("other"); row.PID != other || row.PID != c.pids["other"] || row.Restarts != 0 {
					t.Errorf("cut at %d, %q, after %v: other was process %d, and is %+v", at, c.was(), after, other, row)
				}
			})
		}
	}
	for _, step := range []string{"signal webfalse", "signal webtrue", "start webfalse", "start webtrue"} {
		if !seen[step] {
			t.Errorf("%s was never cut: %v", step, seen)
		}
	}
}
