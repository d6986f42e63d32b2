package manager

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/runtime"
	"github.com/testudo-os/testudo/pkg/service"
)

func TestWhatIsRunInAServiceIsToldAsEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var told []string
		f := newMachine()
		m := New(&service.Set{Services: []service.Service{{Name: "web", Image: "testudo/web", Restart: always}, {Name: "once", Image: "testudo/once"}}}, Options{
			Connect: func(context.Context) (Runtime, error) { return f, nil }, Attach: func(*service.Service) error { return nil },
			Records: t.TempDir(), BootTime: func() int64 { return 1 }, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
			Event: func(e api.SystemEvent) {
				mu.Lock()
				defer mu.Unlock()
				if e.Kind == "exec" {
					code := "-"
					if e.ExitCode != nil {
						code = fmt.Sprint(*e.ExitCode)
					}
					told = append(told, e.Name+" "+e.Reason+" "+code)
				}
			},
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- m.Run(ctx) }()
		defer func() { cancel(); <-done }()
		synctest.Wait()
		f.die("once", 0, "")
		synctest.Wait()

		p, err := m.Exec(t.Context(), "web", api.Exec{Command: []string{"sh", "-c", "echo \"a b\""}, User: "nobody"})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if code, err := p.Run(t.Context(), strings.NewReader("hello"), &out, nil); code != 3 || err != nil || out.String() != "hello" {
			t.Errorf("exit %d, %v: %q", code, err, out.String())
		}
		want := `web sh -c "echo \"a b\"", as nobody -|web sh -c "echo \"a b\"", as nobody: exit 3 after 0s 3`
		if got := strings.Join(told, "|"); got != want {
			t.Errorf("told %s\nwant %s", got, want)
		}

		for _, c := range []struct {
			name  string
			fails error
			want  error
		}{
			{"nobody", nil, api.ErrNotFound},
			{"once", nil, api.ErrConflict},
			{"web", fmt.Errorf("%w: no user x", runtime.ErrPermanent), api.ErrInvalid},
			{"web", runtime.ErrNotRunning, api.ErrConflict},
			{"web", runtime.ErrUnavailable, api.ErrUnavailable},
		} {
			f.fails["exec web"] = c.fails
			if _, err := m.Exec(t.Context(), c.name, api.Exec{Command: []string{"x"}}); !errors.Is(err, c.want) {
				t.Errorf("%s, %v: %v, want %v", c.name, c.fails, err, c.want)
			}
		}
	})
}
