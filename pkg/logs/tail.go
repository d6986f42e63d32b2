package logs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/api"
)

// Query says which lines are wanted.
type Query struct {
	Service string // "" = all
	Tail    int    // the last so many; negative: all that are kept
	Follow  bool   // go on with lines to come, until the context ends
}

// ErrUnknown says that a service has no log and never had.
var ErrUnknown = errors.New("no log of this service")

// Read calls line for each line wanted, oldest first. An error of line's own
// ends it.
func (s *Store) Read(ctx context.Context, q Query, line func(api.LogLine) error) error {
	var follower *watcher
	if q.Follow {
		follower = &watcher{more: make(chan struct{}, 1)}
		defer s.forget(follower)
	}
	records, err := s.records(q.Service, follower)
	if err != nil {
		return err
	}
	var all []api.LogLine
	for _, l := range records {
		lines, err := l.kept(q.Tail, follower)
		if err != nil {
			return err
		}
		all = append(all, lines...)
	}
	slices.SortStableFunc(all, func(a, b api.LogLine) int { return a.Time.Compare(b.Time) })
	for _, l := range lastLines(all, q.Tail) {
		if err := line(l); err != nil {
			return err
		}
	}
	if follower == nil {
		return nil
	}
	all = nil
	return follower.follow(ctx, line)
}

// records gives the logs that are asked for: of this boot, or kept from
// earlier ones. One who follows all is noted for those to come.
func (s *Store) records(service string, follower *watcher) ([]*log, error) {
	names := []string{service}
	if service == "" {
		files, err := filepath.Glob(filepath.Join(s.opt.Files, "*.log"))
		if err != nil {
			return nil, fmt.Errorf("logs: %w", err)
		}
		names = nil
		for _, file := range files {
			names = append(names, strings.TrimSuffix(filepath.Base(file), ".log"))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if service != "" && s.services[service] == nil {
		if service != filepath.Base(service) {
			return nil, fmt.Errorf("%q: %w", service, ErrUnknown)
		}
		if _, err := os.Stat(filepath.Join(s.opt.Files, service+".log")); err != nil {
			return nil, fmt.Errorf("%s: %w", service, ErrUnknown)
		}
	}
	for _, name := range names {
		s.log(name)
	}
	if service != "" {
		return []*log{s.services[service]}, nil
	}
	if follower != nil {
		s.watchers[follower] = struct{}{}
	}
	var records []*log
	for _, l := range s.services {
		records = append(records, l)
	}
	slices.SortFunc(records, func(a, b *log) int { return strings.Compare(a.name, b.name) })
	return records, nil
}

// forget takes a follower out of every log.
func (s *Store) forget(w *watcher) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watchers, w)
	for _, l := range s.services {
		l.mu.Lock()
		delete(l.watchers, w)
		l.mu.Unlock()
	}
}

func lastLines(lines []api.LogLine, n int) []api.LogLine {
	if n < 0 {
		return lines
	}
	return lines[max(0, len(lines)-n):]
}

// kept gives the last n lines, oldest first: of the rotated file, the file, and
// what waits to be stored. From this moment on follower gets the lines that
// come. The files are read after the lock is released: they only grow.
func (l *log) kept(n int, follower *watcher) ([]api.LogLine, error) {
	l.mu.Lock()
	waiting := slices.Clone(l.file.unstored)
	current, currentErr := openPart(l.file.path)
	rotated, rotatedErr := openPart(l.file.path + ".1")
	if follower != nil {
		if l.watchers == nil {
			l.watchers = map[*watcher]struct{}{}
		}
		l.watchers[follower] = struct{}{}
	}
	l.mu.Unlock()
	defer current.close()
	defer rotated.close()
	if err := errors.Join(currentErr, rotatedErr); err != nil {
		return nil, fmt.Errorf("logs of %s: %w", l.name, err)
	}
	lines := waiting
	for _, p := range []part{current, rotated} {
		if n >= 0 && len(lines) >= n {
			break
		}
		older, err := p.last(n - len(lines)) // of n < 0: still negative, all
		if err != nil {
			return nil, fmt.Errorf("logs of %s: %w", l.name, err)
		}
		lines = append(older, lines...)
	}
	return lastLines(lines, n), nil
}

// part is a file as it was at one moment.
type part struct {
	file *os.File // nil: there is none
	size int64
}

func openPart(path string) (part, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return part{}, nil
	} else if err != nil {
		return part{}, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return part{}, err
	}
	return part{file, info.Size()}, nil
}

func (p part) close() {
	if p.file != nil {
		p.file.Close()
	}
}

// last decodes the last n lines; negative: all. What is not a line of ours is
// left out.
func (p part) last(n int) ([]api.LogLine, error) {
	if p.file == nil {
		return nil, nil
	}
	data, err := io.ReadAll(io.LimitReader(p.file, p.size))
	if err != nil {
		return nil, err
	}
	return decode(lastText(data, n)), nil
}

// lastText cuts data to its last n lines.
func lastText(data []byte, n int) []byte {
	if n < 0 {
		return data
	}
	end := len(bytes.TrimSuffix(data, []byte{'\n'}))
	for ; n > 0; n-- {
		end = bytes.LastIndexByte(data[:end], '\n')
		if end < 0 {
			return data
		}
	}
	return data[min(end+1, len(data)):]
}

func decode(data []byte) []api.LogLine {
	var lines []api.LogLine
	for text := range bytes.Lines(data) {
		var line api.LogLine
		if json.Unmarshal(text, &line) == nil && line.Service != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
