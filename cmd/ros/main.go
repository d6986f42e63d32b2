// Command ros is Testudo's command line, a thin client of rosd's API. Called
// by the name poweroff, reboot, halt or shutdown it does what that name says.
//
// Exit codes: 0 done, 1 failed (for `ros status`: not healthy), 2 wrong usage.
//
// It has a small table of commands of its own and pflag for the flags: a
// framework would double its size, and it is in every console.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/layout"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	s := &session{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, now: time.Now, socket: layout.APISocket,
		terminal: isTerminal(os.Stdout), interval: time.Second, editor: runEditor,
	}
	s.color = s.terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	code := run(ctx, s, os.Args)
	stop()
	os.Exit(code)
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
