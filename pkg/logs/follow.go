package logs

import (
	"bytes"
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
	wanted func(record) bool

	mu      sync.Mutex
	lines   []api.LogLine
	skipped int
	more    chan struct{} // holds one token when there is something to take
}

func newWatcher(wanted func(record) bool) *watcher {
	return &watcher{wanted: wanted, more: make(chan struct{}, 1)}
}

// offer shows new records to those who follow; l.disk is held.
func (l *log) offer(records []byte, bootID string) {
	if len(l.watchers) == 0 {
		return
	}
	for line := range bytes.Lines(records) {
		r, err := parseRecord(bytes.TrimSuffix(line, []byte{'\n'}))
		if err != nil {
			continue // unreachable: they were made by appendRecord
		}
		for w := range l.watchers {
			if w.wanted(r) {
				w.offer(r.line(l.name, bootID))
			}
		}
	}
}

// offer hands a line over without waiting.
func (w *watcher) offer(line api.LogLine) {
	w.mu.Lock()
	if len(w.lines) < watcherLimit {
		w.lines = append(w.lines, line)
	} else {
		w.skipped++
	}
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
			last.Stream, last.Priority = api.StreamStderr, 4
			last.Line = fmt.Sprintf("rosd: %d lines left out: you read too slowly", skipped)
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
