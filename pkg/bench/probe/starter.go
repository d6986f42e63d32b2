package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// starterPath is where pkg/bench puts that program.
const starterPath = "/starter"

// runStarter has pkg/bench/starter measure how long a service takes to start,
// among PID 1's mounts.
func runStarter(log *kernelLog, service string) error {
	program, err := os.Open(starterPath)
	if err != nil {
		return err
	}
	defer program.Close()
	mounts, err := os.Open("1/ns/mnt")
	if err != nil {
		return err
	}
	defer mounts.Close()
	failed := make(chan error)
	go func() {
		// The thread belongs to those mounts from here on; it ends with its goroutine.
		runtime.LockOSThread()
		failed <- func() error {
			if err := errors.Join(unix.Unshare(unix.CLONE_FS), unix.Setns(int(mounts.Fd()), unix.CLONE_NEWNS)); err != nil {
				return fmt.Errorf("enter the mounts of process 1: %w", err)
			}
			// By its number: among those mounts there is no path to it.
			path := fmt.Sprintf("/proc/self/fd/%d", program.Fd())
			p, err := os.StartProcess(path, []string{starterPath, service}, &os.ProcAttr{
				Dir: "/", Files: []*os.File{log.file, log.file, log.file},
			})
			if err != nil {
				return err
			}
			state, err := p.Wait()
			if err == nil && !state.Success() {
				err = errors.New(state.String())
			}
			return err
		}()
	}()
	return <-failed
}
