package logs

import (
	"context"
	"fmt"
	"sync"

	"github.com/testudo-os/testudo/pkg/api"
)

// watcherLimit is how many lines wait for a slow reader before some are left
// out. A reader never holds up a service.
const watcherLimit = 1024

// watcher is one who follows.
type watcher struct {
	mu      sync.Mutex
	lines   []api.LogLine
	skipped int
	more    chan struct{} // holds one token when there is something to take
}

// offer hands lines over without waiting.
func (w *watcher) offer(lines []api.LogLine) {
	w.mu.Lock()
	room := max(0, watcherLimit-len(w.lines))
	take := min(room, len(lines))
	w.lines = append(w.lines, lines[:take]...)
	w.skipped += len(lines) - take
	w.mu.Unlock()
	select {
	case w.more <- struct{}{}:
	default:
	}
}

func (w *watcher) take() (lines []api.LogLine, skipped int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	lines, skipped = w.lines, w.skipped
	w.lines, w.skipped = nil, 0
	return lines, skipped
}

func (w *watcher) follow(ctx context.Context, line func(api.LogLine) error) error {
	for {
		lines, skipped := w.take()
		for _, l := range lines {
			if err := line(l); err != nil {
				return err
			}
		}
		if skipped > 0 && len(lines) > 0 {
			last := lines[len(lines)-1]
			last.Stream, last.Line = "stderr", fmt.Sprintf("rosd: %d lines left out: you read too slowly", skipped)
			if err := line(last); err != nil {
				return err
			}
		}
		select {
		case <-w.more:
		case <-ctx.Done():
			return nil
		}
	}
}
