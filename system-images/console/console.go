package main

import (
	"context"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/supervise"
)

// console is the state of the program.
type console struct {
	say      func(format string, args ...any)
	reaper   *supervise.Reaper
	kept     []*supervise.Supervisor
	sshd     *supervise.Supervisor           // one of them
	resolved atomic.Pointer[config.Resolved] // nil: could not be read
	greeting sync.Mutex                      // one writes it at a time
}

// newConsole makes a console; its reaper's Loop must run.
func newConsole(say func(string, ...any)) *console {
	return &console{say: say, reaper: supervise.NewReaper()}
}

// keep keeps a process running until shutdown. It returns when the first start
// was made, well or not.
func (c *console) keep(ctx context.Context, spec supervise.Spec) *supervise.Supervisor {
	var once sync.Once
	made := make(chan struct{})
	command, tries := spec.Command, 0
	spec.Command = func() (supervise.Command, error) {
		cmd, err := command()
		if tries++; err != nil || tries > 1 { // a start that failed is not told
			once.Do(func() { close(made) })
		}
		return cmd, err
	}
	spec.Started = func(int) error {
		once.Do(func() { close(made) })
		return nil
	}
	s := supervise.New(spec, c.reaper, logger{c.say})
	c.kept = append(c.kept, s)
	ended := make(chan struct{})
	go func() { s.Run(ctx); close(ended) }()
	select {
	case <-made:
	case <-ended:
	}
	return s
}

// config is the configuration in force, or an empty one.
func (c *console) config() config.Config {
	if r := c.resolved.Load(); r != nil {
		return r.Config
	}
	return config.Config{}
}

// environment is what children get: ours, without the socket on which this
// program alone speaks for the service (sshd would use it, too).
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "NOTIFY_SOCKET=") })
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return name
}

// logger gives supervisors a voice. That something was started or ended as it
// should is in the journal of the service already.
type logger struct{ say func(string, ...any) }

func (logger) Infof(string, ...any) {}

func (l logger) Warnf(format string, args ...any) { l.say(format, args...) }
