package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/containerd/console"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/api"
)

// Exit codes of `ros service exec` where it is not the program's own. They are
// Docker's and env(1)'s.
const (
	exitNotDone    = 125 // rosd does not answer, the service does not run, ...
	exitNotStarted = 126 // there is no such program or user in it, ...
)

// exitCode is that of a program that was run: nothing is to be said about it.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// execFailure is an error with an exit code of its own.
type execFailure struct {
	error
	code int
}

func (e execFailure) Unwrap() error { return e.error }

func serviceExec(set *pflag.FlagSet) action {
	set.SetInterspersed(false) // what follows the service is the program's
	interactive := set.BoolP("interactive", "i", false, "pass on standard input")
	terminal := set.BoolP("tty", "t", false, "run it on a terminal")
	var o api.Exec
	set.StringVarP(&o.User, "user", "u", "", "USER[:GROUP]; by default as the service itself")
	set.StringArrayVarP(&o.Environment, "env", "e", nil, "KEY=VALUE; repeat for more")
	set.StringVarP(&o.WorkingDir, "workdir", "w", "", "folder to start in; by default the service's own")
	return func(ctx context.Context, s *session, args []string) error {
		o.Command, o.Terminal = args[1:], *terminal
		streams := api.ExecStreams{Stdout: s.out, Stderr: s.err}
		if *interactive {
			streams.Stdin = s.in
		}
		signals, stop := forwarded()
		defer stop()
		streams.Signals = signals
		if *terminal {
			restore, err := s.takeTerminal(&o, &streams)
			if err != nil {
				return err
			}
			defer restore()
		}
		// Signals are the program's business, not this command's.
		code, err := s.client().Exec(context.WithoutCancel(ctx), args[0], o, streams)
		switch {
		case errors.Is(err, api.ErrInvalid):
			return execFailure{err, exitNotStarted}
		case err != nil:
			return execFailure{fmt.Errorf("exec in %s: %w", args[0], err), exitNotDone}
		case code != 0:
			return exitCode(code)
		}
		return nil
	}
}

// forwarded gives the names of signals that are sent to this process from now
// on. SIGHUP is not among them: who loses ros loses the program.
func forwarded() (names <-chan string, stop func()) {
	caught := make(chan os.Signal, 8)
	signal.Notify(caught, unix.SIGINT, unix.SIGTERM, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2)
	out, done := make(chan string), make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case got := <-caught:
				number, ok := got.(syscall.Signal)
				if !ok {
					continue
				}
				select {
				case out <- unix.SignalName(number):
				case <-done:
					return
				}
			}
		}
	}()
	return out, func() {
		signal.Stop(caught)
		close(done)
	}
}

// takeTerminal makes the program's terminal look like this one, key by key.
func (s *session) takeTerminal(o *api.Exec, streams *api.ExecStreams) (restore func(), err error) {
	if term := os.Getenv("TERM"); term != "" {
		o.Environment = append([]string{"TERM=" + term}, o.Environment...)
	}
	here, err := s.console()
	switch {
	case err != nil && streams.Stdin != nil:
		return nil, execFailure{errors.New("-t: standard input is no terminal; leave out -t, or -i"), exitNotDone}
	case err != nil:
		return func() {}, nil // one of a size nobody knows
	}
	size := func() (api.Size, bool) {
		now, err := here.Size()
		return api.Size{Rows: int(now.Height), Columns: int(now.Width)}, err == nil
	}
	o.Size, _ = size()
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, unix.SIGWINCH)
	sizes, done := make(chan api.Size), make(chan struct{})
	streams.Sizes = sizes
	go func() {
		for {
			select {
			case <-done:
				return
			case <-changed:
				if now, ok := size(); ok {
					select {
					case sizes <- now:
					case <-done:
						return
					}
				}
			}
		}
	}()
	if streams.Stdin != nil {
		err = here.SetRaw()
	}
	return func() {
		signal.Stop(changed)
		close(done)
		_ = here.Reset() // of one that has gone there is nothing to reset
	}, err
}

// console is the terminal that standard input is.
func (s *session) console() (console.Console, error) {
	file, ok := s.in.(*os.File)
	if !ok {
		return nil, console.ErrNotAConsole
	}
	return console.ConsoleFromFile(file)
}
