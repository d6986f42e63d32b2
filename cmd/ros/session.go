package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
)

// session is what a command works with.
type session struct {
	in       io.Reader
	out, err io.Writer
	now      func() time.Time
	socket   string
	format   string // "table", "text", "json", ...: see command.formats

	terminal bool          // out is one
	color    bool          // and may be coloured
	interval time.Duration // between two looks at what changes
	editor   func(ctx context.Context, path string) error
}

func (s *session) client() *api.Client { return api.NewClient(s.socket) }

func (s *session) json() bool { return s.format == "json" }

func (s *session) printf(format string, args ...any) { fmt.Fprintf(s.out, format, args...) }

// usageError is wrong usage: exit code 2.
type usageError string

func (e usageError) Error() string { return string(e) }

func usagef(format string, args ...any) error { return usageError(fmt.Sprintf(format, args...)) }

// errSilent is failure that has been shown already.
var errSilent = errors.New("failed")

// run runs one command line and gives the exit code.
func run(ctx context.Context, s *session, argv []string) int {
	name, args := filepath.Base(argv[0]), argv[1:]
	if power, ok := powerNames()[name]; ok {
		return s.finish(name, power(ctx, s, args))
	}
	return s.finish("ros", dispatch(ctx, s, args))
}

// finish prints an error, once, and gives the exit code.
func (s *session) finish(name string, err error) int {
	var usage usageError
	var exit exitCode
	var failure execFailure
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return int(exit)
	case errors.Is(err, errSilent):
		return 1
	case errors.As(err, &usage):
		fmt.Fprintf(s.err, "%s: %v\n", name, err)
		return 2
	}
	fmt.Fprintf(s.err, "%s: %v\n", name, err)
	switch {
	case errors.Is(err, api.ErrPermission):
		fmt.Fprintln(s.err, "Use `sudo ros ...`, or log in as a member of the group sudo.")
	case errors.Is(err, api.ErrUnreachable):
		fmt.Fprintln(s.err, "init starts it again within 30 s; what it said is in /run/testudo/rosd.log.")
	}
	if errors.As(err, &failure) {
		return failure.code
	}
	return 1
}
