package logs

import (
	"github.com/testudo-os/testudo/pkg/api"

	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Options of a Store. FIFOs, Files, BootID and Limits are required.
type Options struct {
	FIFOs  string // NAME/{stdout,stderr}
	Files  string // NAME/*.log
	BootID string // of this boot: 32 hex digits
	Limits Limits
	Own    map[string]Limit // of single logs, whatever Limits and Limit say
	Rate   Rate             // of one service; the zero value is what fits its limit
	Sync   time.Duration    // from a write to the disk at most; 0 = DefaultSync
}

// DefaultSync is what a power cut may cost.
const DefaultSync = 2 * time.Second

// Store keeps the logs of all services. It is safe for concurrent use.
type Store struct {
	opt  Options
	boot int // the number of this boot
	now  func() stamp

	mu       sync.Mutex
	logs     map[string]*log
	watchers map[*watcher]struct{} // those of every service
	closed   bool

	waiting atomic.Int64  // bytes of lines that wait for the writer
	dirty   chan struct{} // holds one token when there is something to write
	stop    chan struct{} // closed when the readers have ended
	done    chan struct{} // closed when the writer has ended

	grown   sync.Mutex
	changed chan struct{} // closed and made anew when records were written
}

// Open makes a Store and begins to write. A log folder that cannot be made or
// read (a full or broken disk) is no reason not to run services: lines are then
// kept in memory, and the log says what was lost.
func Open(opt Options) (*Store, error) {
	if opt.Sync == 0 {
		opt.Sync = DefaultSync
	}
	if err := os.MkdirAll(opt.FIFOs, 0o755); err != nil {
		return nil, fmt.Errorf("logs: %w", err)
	}
	s := &Store{
		opt: opt, now: hostNow, logs: map[string]*log{}, watchers: map[*watcher]struct{}{},
		dirty: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}), changed: make(chan struct{}),
	}
	s.load()
	go s.write()
	return s, nil
}

// load finds the logs that are there and the number of this boot.
func (s *Store) load() {
	entries, err := os.ReadDir(s.opt.Files)
	if err != nil {
		entries = nil // made with the first line
	}
	last, lastID := 0, ""
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		segments, err := listSegments(filepath.Join(s.opt.Files, e.Name()))
		if err != nil || len(segments) == 0 {
			continue
		}
		s.log(e.Name()).segments = segments
		if newest := segments[len(segments)-1]; newest.boot > last {
			last, lastID = newest.boot, newest.bootID
		}
	}
	s.boot = last
	if lastID != s.opt.BootID {
		s.boot++
	}
}

// Attach makes the FIFOs of a service and reads them from now on. Doing it
// again does nothing: one reading lasts for all runs of the service.
func (s *Store) Attach(name string) error {
	if name == api.KernelLog || name == api.RosdLog {
		return fmt.Errorf("logs: the name %s is the system's own", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("logs: closed")
	}
	l := s.log(name)
	if len(l.fifos) > 0 {
		return nil
	}
	dir := filepath.Join(s.opt.FIFOs, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("logs of %s: %w", name, err)
	}
	for _, stream := range []string{"stdout", "stderr"} {
		fifo, err := openFIFO(filepath.Join(dir, stream))
		if err != nil {
			return errors.Join(fmt.Errorf("logs of %s: %w", name, err), l.closeFIFOs())
		}
		l.fifos = append(l.fifos, fifo)
		l.readers.Go(func() { s.read(l, stream[3], fifo) })
	}
	return nil
}

// Know makes a log known by its name, before its first line.
func (s *Store) Know(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log(name)
}

// log gives the log of a service; s.mu is held, or nobody else knows s yet.
func (s *Store) log(name string) *log {
	l := s.logs[name]
	if l == nil {
		l = &log{
			name: name, dir: filepath.Join(s.opt.Files, name),
			watchers: maps.Clone(s.watchers), // a new service is followed by those who follow all
		}
		l.bound(s.limit(name, Limit{}), s.opt.Rate)
		s.logs[name] = l
	}
	return l
}

// Limit bounds the log of a service from now on, as far as Options.Own does not.
func (s *Store) Limit(name string, limit Limit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log(name).bound(s.limit(name, limit), s.opt.Rate)
}

// limit is what holds for a log: its own, what its service asks for, and what
// holds for all.
func (s *Store) limit(name string, asked Limit) Limit {
	own := s.opt.Own[name]
	return Limit{
		Size: min(cmp.Or(own.Size, asked.Size, s.opt.Limits.Service), s.opt.Limits.Total),
		Age:  cmp.Or(own.Age, asked.Age, s.opt.Limits.Age),
	}
}

// all gives every log.
func (s *Store) all() []*log {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*log, 0, len(s.logs))
	for _, l := range s.logs {
		all = append(all, l)
	}
	return all
}

// Close stops reading, and writes and syncs what was read. What services write
// meanwhile waits in their FIFOs.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	var errs []error
	for _, l := range s.logs {
		errs = append(errs, l.closeFIFOs())
	}
	s.mu.Unlock()
	for _, l := range s.all() {
		l.readers.Wait()
	}
	close(s.stop)
	<-s.done
	return errors.Join(errs...)
}

// Grown gives a channel that is closed when records are written after now.
func (s *Store) Grown() <-chan struct{} {
	s.grown.Lock()
	defer s.grown.Unlock()
	return s.changed
}

func (s *Store) tellGrown() {
	s.grown.Lock()
	defer s.grown.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

// openFIFO opens for writing as well: so there is no end of file when the last
// writer goes, and the pipe's content survives between two runs.
func openFIFO(path string) (*os.File, error) {
	if err := unix.Mkfifo(path, 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, &fs.PathError{Op: "mkfifo", Path: path, Err: err}
	}
	return os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
}

// hostNow reads both clocks.
func hostNow() stamp {
	var boot unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot); err != nil {
		return stamp{wall: time.Now()} // cannot fail since Linux 2.6.39
	}
	return stamp{wall: time.Now(), mono: boot.Nano() / 1000}
}
