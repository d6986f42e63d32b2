package supervise

import (
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/testudo-os/testudo/pkg/guard"
)

// Starter starts processes: a *Reaper, or a fake in tests.
type Starter interface {
	Start(Command) (*Process, error)
}

// Logger takes what a supervisor has to say.
type Logger interface {
	Infof(format string, args ...any)
	Warnf(format string, args ...any)
}

// Spec is one process to keep running.
type Spec struct {
	Name string
	// Command is asked before each start.
	Command func() (Command, error)
	// Output gets each line that the process writes to stdout or stderr. When
	// it is nil the Command's own files are used.
	Output func(line string)
	// Started is called with each new process, before anything waits for it.
	Started func(pid int) error
	// Ended is called after each end and each failed start.
	Ended   func(Status)
	Backoff Backoff
}

// Status is a supervisor's view of its process.
type Status struct {
	PID      int // 0 when it does not run
	Starts   int // attempts to start it
	Fails    int // ends and failed starts since the last long run
	Since    time.Time
	LastExit string // "" while the first one runs
}

// Supervisor keeps one process running.
type Supervisor struct {
	spec    Spec
	starter Starter
	log     Logger
	stop    chan struct{} // closed: no more starts
	done    chan struct{} // closed: Run has returned

	mu       sync.Mutex
	stopping bool
	process  *Process
	status   Status
}

// New makes a supervisor; Run runs it.
func New(spec Spec, starter Starter, log Logger) *Supervisor {
	return &Supervisor{spec: spec, starter: starter, log: log, stop: make(chan struct{}), done: make(chan struct{})}
}

// Status says how things stand.
func (s *Supervisor) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// Run starts the process and starts it again whenever it has ended, until Stop
// is called or the context ends. The process itself is only ended by Stop.
// Run is called once.
func (s *Supervisor) Run(ctx context.Context) {
	defer close(s.done)
	for {
		began := time.Now()
		why, ended := s.once(ctx)
		if !ended {
			return
		}
		pause := s.spec.Backoff.Next(time.Since(began))
		s.mu.Lock()
		s.process = nil
		s.status.PID, s.status.LastExit, s.status.Since = 0, why, time.Now()
		s.status.Fails = s.spec.Backoff.Fails()
		stopping, status := s.stopping, s.status
		s.mu.Unlock()
		if s.spec.Ended != nil {
			s.spec.Ended(status)
		}
		if stopping || ctx.Err() != nil {
			s.log.Infof("%s has ended: %s", s.spec.Name, why)
			return
		}
		s.log.Warnf("%s has ended: %s; next start in %v", s.spec.Name, why, pause)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-s.stop:
			timer.Stop()
			return
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// once is one life of the process. ended is false if there is to be no more
// waiting for it.
func (s *Supervisor) once(ctx context.Context) (why string, ended bool) {
	p, err := s.start()
	if err != nil {
		return err.Error(), true
	}
	if p == nil { // Stop came first
		return "", false
	}
	select {
	case <-p.Done():
		return p.Exit().String(), true
	case <-ctx.Done():
		return "", false
	}
}

// start starts the process with its output connected.
func (s *Supervisor) start() (*Process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return nil, nil
	}
	s.status.Starts++
	command, err := s.spec.Command()
	if err != nil {
		return nil, err
	}
	var read *os.File
	if s.spec.Output != nil {
		var write *os.File
		if read, write, err = os.Pipe(); err != nil {
			return nil, fmt.Errorf("start %s: %w", s.spec.Name, err)
		}
		command.Stdout, command.Stderr = write, write
		command.CloseAfterStart = append(command.CloseAfterStart, write)
	}
	p, err := s.starter.Start(command)
	if err != nil {
		if read != nil {
			read.Close()
		}
		return nil, err
	}
	s.process = p
	s.status.PID, s.status.Since = p.PID(), time.Now()
	if read != nil {
		// It ends when the last process that has the pipe closes it.
		guard.Go(s.spec.Name+" output", func(err error) { s.log.Warnf("%v", err) }, func() {
			defer read.Close()
			Lines(read, s.spec.Output)
		})
	}
	if s.spec.Started != nil {
		if err := s.spec.Started(p.PID()); err != nil {
			s.log.Warnf("%s: %v", s.spec.Name, err)
		}
	}
	s.log.Infof("%s is started (pid %d)", s.spec.Name, p.PID())
	return p, nil
}

// Signal sends a signal to the process that runs now.
func (s *Supervisor) Signal(sig syscall.Signal) error {
	s.mu.Lock()
	p := s.process
	s.mu.Unlock()
	if p == nil {
		return os.ErrProcessDone
	}
	return p.Signal(sig)
}

// Stop ends the supervision: the process gets sig and is not started again.
// Stop waits until it has ended or the context does; a second call may send a
// graver signal.
func (s *Supervisor) Stop(ctx context.Context, sig syscall.Signal) error {
	s.mu.Lock()
	if !s.stopping {
		s.stopping = true
		close(s.stop)
	}
	p := s.process
	s.mu.Unlock()
	if p == nil {
		return nil
	}
	if err := p.Signal(sig); err != nil {
		return nil // it has ended
	}
	select {
	case <-p.Done():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop %s (pid %d): %w", s.spec.Name, p.PID(), ctx.Err())
	}
}
