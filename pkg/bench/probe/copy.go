package main

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// leaveCopy starts this program again. It gets a mount namespace of its own,
// so that neither its /proc nor what the system moves about disturbs the other.
func leaveCopy(log *kernelLog) error {
	_, err := os.StartProcess(os.Args[0], []string{os.Args[0]}, &os.ProcAttr{
		Dir: "/",
		Env: []string{childFlag + "=1", "GOMAXPROCS=1"},
		// Go's runtime wants 0 to 2 open and finds no /dev/null to put there; this
		// way its own last words land in the kernel log too.
		Files: []*os.File{log.file, log.file, log.file, log.file},
		Sys:   &syscall.SysProcAttr{Setsid: true, Cloneflags: unix.CLONE_NEWNS},
	})
	if err != nil {
		return fmt.Errorf("start the probe's copy: %w", err)
	}
	return nil
}

// initProcess is how PID 1 is asked to power off, and where its root is.
type initProcess interface {
	powerOff() error
	root() string
}

// otherInit is a real PID 1. Testudo's init takes systemd's signals.
type otherInit struct{}

const sigPowerOff = 34 + 4 // SIGRTMIN+4

func (otherInit) powerOff() error { return unix.Kill(1, unix.Signal(sigPowerOff)) }
func (otherInit) root() string    { return "1/root" }

// ownInit is this program as PID 1.
type ownInit struct{}

func (ownInit) powerOff() error { return unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF) }
func (ownInit) root() string    { return "/" }
