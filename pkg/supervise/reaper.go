package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Command is what to run. Stdin, Stdout and Stderr left nil are /dev/null.
type Command struct {
	Path   string
	Args   []string // with the program's own name first; nil: Path alone
	Env    []string
	Dir    string
	Stdin  *os.File
	Stdout *os.File
	Stderr *os.File
	Sys    *syscall.SysProcAttr
	// CloseAfterStart are files opened for this start alone, such as a terminal.
	CloseAfterStart []io.Closer
}

// Exit is how a process ended.
type Exit struct {
	Status syscall.WaitStatus
	At     time.Time
}

// String says it for people: "exit 1", "killed by SIGKILL".
func (e Exit) String() string {
	switch {
	case e.Status.Signaled():
		s := unix.SignalName(e.Status.Signal())
		if s == "" {
			s = fmt.Sprintf("signal %d", int(e.Status.Signal()))
		}
		if e.Status.CoreDump() {
			s += " (core dumped)"
		}
		return "killed by " + s
	default:
		return fmt.Sprintf("exit %d", e.Status.ExitStatus())
	}
}

// Process is a child that runs or has ended.
type Process struct {
	pid  int
	done chan struct{}

	mu    sync.Mutex
	ended bool // reaped: the pid may be someone else's
	exit  Exit
}

// PID is the process's number.
func (p *Process) PID() int { return p.pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit is valid after Done.
func (p *Process) Exit() Exit {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exit
}

// Signal sends a signal, but never to a process that took over the pid.
func (p *Process) Signal(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return os.ErrProcessDone
	}
	return syscall.Kill(p.pid, sig)
}

// Reaper starts processes and collects their statuses.
type Reaper struct {
	mu        sync.Mutex // held while forking, so that no status comes before its pid is known
	processes map[int]*Process
	reaped    uint64
	wake      []chan struct{} // who wants to hear of each reaped process
}

// NewReaper makes a reaper; Loop must run for statuses to arrive.
func NewReaper() *Reaper { return &Reaper{processes: map[int]*Process{}} }

// Loop reaps until the context ends.
func (r *Reaper) Loop(ctx context.Context) {
	// One pending signal is enough: each drains all that has ended.
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	defer signal.Stop(ended)
	for {
		r.reap()
		select {
		case <-ended:
		case <-ctx.Done():
			return
		}
	}
}

// reap collects all children that have ended.
func (r *Reaper) reap() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		r.reaped++
		if p := r.processes[pid]; p != nil {
			delete(r.processes, pid)
			p.mu.Lock()
			p.ended, p.exit = true, Exit{Status: status, At: time.Now()}
			p.mu.Unlock()
			close(p.done)
		}
		for _, ch := range r.wake {
			select {
			case ch <- struct{}{}:
			default:
			}
		}
	}
}

// Reaped counts all processes that were collected, orphans included.
func (r *Reaper) Reaped() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reaped
}

// Watch gives a channel that is ready after a process was collected, and a
// function that ends this.
func (r *Reaper) Watch() (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wake = append(r.wake, ch)
	return ch, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		for i, c := range r.wake {
			if c == ch {
				r.wake = append(r.wake[:i:i], r.wake[i+1:]...)
				return
			}
		}
	}
}

// Start starts a process.
func (r *Reaper) Start(c Command) (*Process, error) {
	defer func() {
		for _, f := range c.CloseAfterStart {
			f.Close()
		}
	}()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Path, err)
	}
	defer null.Close()
	files := make([]uintptr, 3)
	for i, f := range []*os.File{c.Stdin, c.Stdout, c.Stderr} {
		if f == nil {
			f = null
		}
		files[i] = f.Fd()
	}
	args := c.Args
	if len(args) == 0 {
		args = []string{c.Path}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	pid, err := syscall.ForkExec(c.Path, args, &syscall.ProcAttr{Dir: c.Dir, Env: c.Env, Files: files, Sys: c.Sys})
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Path, err)
	}
	p := &Process{pid: pid, done: make(chan struct{})}
	r.processes[pid] = p
	return p, nil
}

// Run starts a process, gives its output (at most 64 KiB of it) and waits
// until it ends; when the context ends first the process is killed.
func (r *Reaper) Run(ctx context.Context, c Command) (Exit, string, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return Exit{}, "", fmt.Errorf("run %s: %w", c.Path, err)
	}
	defer read.Close()
	c.Stdout, c.Stderr = write, write
	p, err := r.Start(c)
	write.Close()
	if err != nil {
		return Exit{}, "", err
	}
	stop := context.AfterFunc(ctx, func() {
		// Already gone is as good.
		_ = p.Signal(syscall.SIGKILL)
		_ = read.SetReadDeadline(time.Now())
	})
	defer stop()
	output, _ := io.ReadAll(io.LimitReader(read, 64<<10))
	// Let a talkative process end: what is beyond the limit is dropped.
	_, _ = io.Copy(io.Discard, read)
	<-p.Done()
	if err := ctx.Err(); err != nil {
		return p.Exit(), string(output), fmt.Errorf("run %s: %w", c.Path, err)
	}
	return p.Exit(), string(output), nil
}
