package logs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
)

// Query says which lines are wanted. The zero value wants none of all logs:
// Tail is 0.
type Query struct {
	Services []string // empty: all
	Tail     int      // the last so many of those wanted; negative: all that are kept
	Follow   bool     // go on with lines to come, until the context ends

	Since, Until time.Time      // by the wall clock; zero: any
	Boot         *int           // 0 this boot, -1 the one before, ...; nil: all
	Priority     *int           // at least as grave: 3 for err and graver; nil: all
	Grep         *regexp.Regexp // in the text; nil: all
}

// Errors of Read.
var (
	ErrUnknown = errors.New("no log of this service")
	ErrNoBoot  = errors.New("no logs of this boot are kept")
)

func (q Query) wants(r record) bool {
	return (q.Since.IsZero() || !r.wall.Before(q.Since)) &&
		(q.Until.IsZero() || r.wall.Before(q.Until)) &&
		(q.Priority == nil || int(r.priority) <= *q.Priority) &&
		(q.Grep == nil || q.Grep.Match(r.text))
}

// Read calls line for each line wanted, in the order in which they were
// written over all services. An error of line's own ends it.
func (s *Store) Read(ctx context.Context, q Query, line func(api.LogLine) error) error {
	var follower *watcher
	if q.Follow {
		follower = newWatcher(q.wants)
		defer s.forget(follower)
	}
	logs, err := s.choose(q.Services, follower)
	if err != nil {
		return err
	}
	var views []view
	for _, l := range logs {
		views = append(views, s.view(l, follower))
	}
	if q.Boot != nil {
		if err := s.onlyBoot(views, *q.Boot); err != nil {
			return err
		}
	}
	if err := readViews(ctx, q, views, line); err != nil {
		return err
	}
	if follower == nil {
		return nil
	}
	return follower.follow(ctx, line)
}

// readViews merges views and gives the last lines of them.
func readViews(ctx context.Context, q Query, views []view, line func(api.LogLine) error) error {
	var cursors []*cursor
	for _, v := range views {
		v.segments = slices.DeleteFunc(v.segments, func(s segment) bool {
			// A file that was last written before cannot hold a later line,
			// unless the clock was set back meanwhile.
			return !q.Since.IsZero() && s.last.Before(q.Since)
		})
		c := &cursor{view: v, wanted: q.wants}
		if q.Tail >= 0 {
			if err := c.seekLast(q.Tail); err != nil {
				return err
			}
		}
		cursors = append(cursors, c)
	}
	merged, err := newMerge(cursors)
	if err != nil {
		return err
	}
	defer merged.close()
	var last []api.LogLine // with a tail: the end is not known before it is reached
	for c := merged.first(); c != nil; c = merged.first() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if q.Tail < 0 {
			if err := line(c.entry()); err != nil {
				return err
			}
		} else {
			last = append(last, c.entry())
			if len(last) >= 2*q.Tail+64 {
				last = append([]api.LogLine(nil), last[len(last)-q.Tail:]...)
			}
		}
		if err := merged.advance(); err != nil {
			return err
		}
	}
	for _, l := range last[max(0, len(last)-max(q.Tail, 0)):] {
		if err := line(l); err != nil {
			return err
		}
	}
	return nil
}

// choose gives the logs that are asked for. One who follows all is noted for
// those to come.
func (s *Store) choose(names []string, follower *watcher) ([]*log, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(names) == 0 {
		if follower != nil {
			s.watchers[follower] = struct{}{}
		}
		return slices.Collect(maps.Values(s.logs)), nil
	}
	var logs []*log
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		l := s.logs[name]
		if l == nil {
			return nil, fmt.Errorf("%q: %w", filepath.Base(name), ErrUnknown)
		}
		logs = append(logs, l)
	}
	return logs, nil
}

// onlyBoot leaves in views what is of one boot, counted back from this one
// among those of which anything is kept.
func (s *Store) onlyBoot(views []view, back int) error {
	known := map[int]bool{s.boot: true}
	for _, l := range s.all() {
		for _, part := range s.view(l, nil).segments {
			known[part.boot] = true
		}
	}
	boots := slices.Sorted(maps.Keys(known))
	at := slices.Index(boots, s.boot) + back
	if at < 0 || at >= len(boots) {
		return fmt.Errorf("boot %d: %w: there are %d", back, ErrNoBoot, len(boots))
	}
	for i := range views {
		views[i].segments = slices.DeleteFunc(views[i].segments, func(part segment) bool { return part.boot != boots[at] })
		if boots[at] != s.boot {
			views[i].unstored = nil
		}
	}
	return nil
}

// forget takes a follower out of every log.
func (s *Store) forget(w *watcher) {
	s.mu.Lock()
	delete(s.watchers, w)
	s.mu.Unlock()
	for _, l := range s.all() {
		l.disk.Lock()
		delete(l.watchers, w)
		l.disk.Unlock()
	}
}

// Position is how far a reader has come in one log.
type Position struct {
	Boot   int   `json:"boot"`
	Number int   `json:"segment"`
	Offset int64 `json:"offset"`
}

// After gives at most limit stored lines behind positions, by service, in the
// order of time, and where it has come to. A service without a position is read
// from its oldest line.
func (s *Store) After(positions map[string]Position, limit int) ([]api.LogLine, map[string]Position, error) {
	reached := maps.Clone(positions)
	if reached == nil {
		reached = map[string]Position{}
	}
	var cursors []*cursor
	for _, l := range s.all() {
		v := s.view(l, nil)
		v.unstored = nil
		c := &cursor{view: v, wanted: func(record) bool { return true }}
		if from, ok := positions[l.name]; ok {
			if c.seek(from); c.atEnd() {
				continue // without opening a file
			}
		}
		cursors = append(cursors, c)
	}
	merged, err := newMerge(cursors)
	if err != nil {
		return nil, nil, err
	}
	defer merged.close()
	var lines []api.LogLine
	for c := merged.first(); c != nil && len(lines) < limit; c = merged.first() {
		lines = append(lines, c.entry())
		part := c.segments[c.part]
		reached[c.service] = Position{Boot: part.boot, Number: part.number, Offset: c.offset}
		if err := merged.advance(); err != nil {
			return nil, nil, err
		}
	}
	return lines, reached, nil
}

// seek goes to a position, or, when its segment is no more, to what follows.
func (c *cursor) seek(to Position) {
	at := segment{boot: to.Boot, number: to.Number}
	c.part, c.offset = 0, 0
	for c.part < len(c.segments) && c.segments[c.part].compare(at) < 0 {
		c.part++
	}
	if c.part < len(c.segments) && c.segments[c.part].compare(at) == 0 {
		c.offset = min(to.Offset, c.segments[c.part].size)
	}
}

// atEnd says that nothing is stored behind the place a cursor was moved to.
func (c *cursor) atEnd() bool {
	for part := c.part; part < len(c.segments); part++ {
		if c.offset < c.segments[part].size || part > c.part && c.segments[part].size > 0 {
			return false
		}
	}
	return true
}
