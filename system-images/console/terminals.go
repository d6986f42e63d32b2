package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/supervise"
)

const (
	activeConsoles = "/sys/class/tty/console/active"
	everyTerminal  = "all" // in testudo.console.autologin
)

// startTerminals offers a login on every terminal the kernel uses as console.
func (c *console) startTerminals(ctx context.Context) {
	active, err := os.ReadFile(activeConsoles)
	if err != nil {
		c.say("no logins on terminals: %v", err)
		return
	}
	for _, name := range terminals(string(active)) {
		if _, err := os.Stat(device(name)); err != nil {
			c.say("no login on %s: %v", name, err)
			continue
		}
		c.keep(ctx, supervise.Spec{
			Name: "login on " + name,
			Command: func() (supervise.Command, error) { // asked for each login
				if a := c.config().Testudo.Console.Autologin; slices.Contains(a, name) || slices.Contains(a, everyTerminal) {
					return c.autologin(name)
				}
				return getty(name)
			},
			// Someone waits at the screen; a login is long after a few seconds.
			Backoff: supervise.Backoff{Min: 50 * time.Millisecond, Max: 10 * time.Second, Reset: 5 * time.Second},
		})
	}
}

// terminals reads the kernel's list. tty0 is whatever virtual terminal is in
// front; a login belongs on the first. ttynull is no terminal at all.
func terminals(active string) []string {
	var names []string
	for _, name := range strings.Fields(active) {
		if name == "tty0" {
			name = "tty1"
		}
		if name != "ttynull" && !strings.Contains(name, "/") && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func device(name string) string { return filepath.Join("/dev", name) }

// terminalType is what programs are told they talk to.
func terminalType(name string) string {
	number, virtual := strings.CutPrefix(name, "tty")
	if virtual && number != "" && strings.Trim(number, "0123456789") == "" {
		return "linux"
	}
	return "vt220" // what every terminal emulator at the end of a serial line understands
}

// getty asks for a name; 0 leaves the line's speed as the kernel set it.
func getty(name string) (supervise.Command, error) {
	return supervise.Command{
		Path: layout.Busybox, Args: []string{"getty", "-L", "0", name, terminalType(name)},
		Dir: "/", Env: environment(), Sys: &syscall.SysProcAttr{Setsid: true},
	}, nil
}

// autologin logs the default user in without asking, where the configuration
// says so. busybox's getty cannot: it takes a login program but no arguments.
func (c *console) autologin(name string) (supervise.Command, error) {
	tty, err := os.OpenFile(device(name), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return supervise.Command{}, err
	}
	return supervise.Command{
		Path: layout.Busybox, Args: []string{"login", "-f", c.loginUser()},
		Dir: "/", Env: append(environment(), "TERM="+terminalType(name)),
		Stdin: tty, Stdout: tty, Stderr: tty, CloseAfterStart: []io.Closer{tty},
		Sys: &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0},
	}, nil
}
