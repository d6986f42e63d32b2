package logforward

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/atomicfile"
	"github.com/testudo-os/testudo/pkg/logs"
)

// Source is where lines come from: *logs.Store is one.
type Source interface {
	After(positions map[string]logs.Position, limit int) ([]api.LogLine, map[string]logs.Position, error)
	Grown() <-chan struct{}
}

// Forwarder sends what a source holds to one target. All fields are required
// but Retry.
type Forwarder struct {
	Target   Target
	Source   Source
	Position string // file in which it keeps how far it has come
	Hostname func() string
	Log      *slog.Logger
	Retry    time.Duration // the first pause after a failure; 0 = one second
}

const (
	batch     = 500 // lines that are sent before looking whether they arrived
	together  = 100 * time.Millisecond
	maxRetry  = time.Minute
	saveAfter = 5 * time.Second
)

// Run sends until ctx ends.
func (f *Forwarder) Run(ctx context.Context) {
	p, err := load(f.Position)
	if err != nil {
		f.Log.Warn("log forwarding begins with the oldest line", "target", f.Target, "error", err)
	}
	first := f.Retry
	if first == 0 {
		first = time.Second
	}
	pause, told := first, false
	for ctx.Err() == nil {
		before := p.sent
		err := f.connected(ctx, p)
		p.save(f.Log)
		if ctx.Err() != nil {
			return
		}
		if p.sent > before {
			pause, told = first, false
		}
		if !told { // once for each outage
			f.Log.Warn("log forwarding is interrupted; what is not sent stays in the store", "target", f.Target, "error", err)
			told = true
		}
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		pause = min(2*pause, maxRetry)
	}
}

// connected sends over one connection until it breaks.
func (f *Forwarder) connected(ctx context.Context, p *position) error {
	c, err := dial(ctx, f.Target)
	if err != nil {
		return err
	}
	defer c.close()
	for {
		grown := f.Source.Grown()
		lines, reached, err := f.Source.After(p.reached, batch)
		if err != nil {
			return err
		}
		if len(lines) == 0 {
			if err := f.idle(ctx, c, grown); err != nil {
				return err
			}
			continue
		}
		messages := make([][]byte, len(lines))
		for i, l := range lines {
			messages[i] = message(f.Hostname(), l)
		}
		if err := c.send(ctx, messages); err != nil {
			return err
		}
		p.to(reached, len(lines))
		if time.Since(p.saved) >= saveAfter {
			p.save(f.Log)
		}
	}
}

// idle waits for more lines, and a moment longer for those right behind.
func (f *Forwarder) idle(ctx context.Context, c *conn, grown <-chan struct{}) error {
	select {
	case <-grown:
		return c.wait(ctx, together)
	case <-c.dead:
		return c.why
	case <-ctx.Done():
		return ctx.Err()
	}
}

// position is how far a forwarder has come.
type position struct {
	file    string
	reached map[string]logs.Position
	sent    int // lines
	unsaved bool
	saved   time.Time
}

func load(file string) (*position, error) {
	p := &position{file: file, saved: time.Now()}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &p.reached)
	}
	if err != nil {
		p.reached = nil
		return p, fmt.Errorf("position of log forwarding: %w", err)
	}
	return p, nil
}

func (p *position) to(reached map[string]logs.Position, lines int) {
	p.reached, p.unsaved = reached, true
	p.sent += lines
}

// save keeps the position. When that fails some lines may be sent twice.
func (p *position) save(log *slog.Logger) {
	if !p.unsaved {
		return
	}
	p.saved = time.Now()
	data, err := json.Marshal(p.reached)
	if err == nil {
		if err = os.MkdirAll(filepath.Dir(p.file), 0o700); err == nil {
			err = atomicfile.Write(p.file, data, 0o600)
		}
	}
	if err != nil {
		log.Warn("the position of log forwarding is not kept", "error", err)
		return
	}
	p.unsaved = false
}
