package logs

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Options of a Store; all fields are required.
type Options struct {
	FIFOs string // NAME/{stdout,stderr}
	Files string // NAME.log
	Size  int64  // bytes of NAME.log at which it becomes NAME.log.1
}

// Store keeps the logs of all services. It is safe for concurrent use.
type Store struct {
	opt Options
	now func() time.Time

	mu       sync.Mutex
	services map[string]*log
	watchers map[*watcher]struct{} // those of every service
	closed   bool
}

// Open makes a Store. Its folders are made when they are missing.
func Open(opt Options) (*Store, error) {
	for _, dir := range []string{opt.FIFOs, opt.Files} {
		// A log folder that cannot be made (a full or read-only disk) is
		// no reason not to run services: lines are kept in memory.
		if err := os.MkdirAll(dir, 0o755); err != nil && dir == opt.FIFOs {
			return nil, fmt.Errorf("logs: %w", err)
		}
	}
	return &Store{opt: opt, now: time.Now, services: map[string]*log{}, watchers: map[*watcher]struct{}{}}, nil
}

// Attach makes the FIFOs of a service and reads them from now on. Doing it
// again does nothing: one reading lasts for all runs of the service.
func (s *Store) Attach(name string) error {
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
		l.readers.Go(func() { s.read(l, stream, fifo) })
	}
	return nil
}

// log gives the record of a service; s.mu is held.
func (s *Store) log(name string) *log {
	l := s.services[name]
	if l == nil {
		l = &log{
			name:     name,
			file:     logFile{path: filepath.Join(s.opt.Files, name+".log"), limit: s.opt.Size},
			watchers: maps.Clone(s.watchers), // a new service is followed by those who follow all
		}
		s.services[name] = l
	}
	return l
}

// Close stops reading. What services write meanwhile waits in their FIFOs.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	var all []*log
	var errs []error
	for _, l := range s.services {
		all = append(all, l)
		errs = append(errs, l.closeFIFOs())
	}
	s.mu.Unlock()
	for _, l := range all {
		l.readers.Wait()
		errs = append(errs, l.close())
	}
	return errors.Join(errs...)
}

// openFIFO opens for writing as well: so there is no end of file when the last
// writer goes, and the pipe's content survives between two runs.
func openFIFO(path string) (*os.File, error) {
	if err := unix.Mkfifo(path, 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, &fs.PathError{Op: "mkfifo", Path: path, Err: err}
	}
	return os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
}
