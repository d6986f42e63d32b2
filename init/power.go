package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/testudo-os/testudo/pkg/layout"
	"golang.org/x/sys/unix"
)

// action is how the machine ends.
type action int

// The three ends.
const (
	powerOff action = iota
	reboot
	halt
)

func (a action) String() string {
	return [...]string{"powering off", "rebooting", "halting"}[a]
}

// do asks the kernel for it.
func (a action) do() error {
	return unix.Reboot([...]int{unix.LINUX_REBOOT_CMD_POWER_OFF, unix.LINUX_REBOOT_CMD_RESTART, unix.LINUX_REBOOT_CMD_HALT}[a])
}

// actionFor says what a signal to process 1 asks for; see pkg/layout.
func actionFor(sig os.Signal) (a action, ok bool) {
	switch sig {
	case syscall.Signal(layout.SigPowerOff), syscall.SIGPWR:
		return powerOff, true
	case syscall.Signal(layout.SigReboot), syscall.SIGTERM, syscall.SIGINT:
		return reboot, true
	case syscall.Signal(layout.SigHalt):
		return halt, true
	}
	return 0, false
}

// catchSignals passes requests on and keeps every other signal from ending us:
// Go's runtime exits on SIGQUIT, SIGABRT and others that no one handles. They
// are caught, not ignored, because children would inherit that.
func (m *machine) catchSignals() <-chan action {
	caught := make(chan os.Signal, 16)
	signal.Notify(caught, handled()...)
	m.start("signals", func() {
		for sig := range caught {
			a, ok := actionFor(sig)
			if !ok {
				m.log.Warnf("signal %v is of no meaning here", sig)
				continue
			}
			m.request(a)
		}
	})
	return m.requests
}

// request asks for the machine's end.
func (m *machine) request(a action) {
	select {
	case m.requests <- a:
	default: // the first one counts
	}
}

// handled are all signals but those that Go's runtime or our reaper use, that
// cannot be caught, or that come with every resized or resumed terminal.
func handled() []os.Signal {
	var out []os.Signal
	for n := syscall.Signal(1); n <= 64; n++ {
		switch n {
		case syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGCHLD, syscall.SIGURG, syscall.SIGPROF,
			syscall.SIGCONT, syscall.SIGWINCH, syscall.SIGPIPE, 32, 33, 34:
			continue
		}
		out = append(out, n)
	}
	return append(out, syscall.SIGPIPE)
}

// shutdown takes the machine down: what the steps did is undone in reverse.
// Then only the read-only root is left, and the kernel is asked for the end.
func (m *machine) shutdown(a action) {
	m.ending.Store(true)
	m.guardShutdown()
	m.announce("Testudo is %s", a)
	m.emergency.end()
	m.runner.Undo(context.Background())
	unix.Sync()
	if a == halt {
		m.disarmWatchdog()
	}
	m.announce("Testudo has stopped after %.2f s: %s", float64(now())/1e6, a)
	if err := a.do(); err != nil {
		m.log.Errorf("%v: %v", a, err)
		time.Sleep(time.Second)
	}
}
