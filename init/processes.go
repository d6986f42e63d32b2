package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/testudo-os/testudo/pkg/supervise"
	"golang.org/x/sys/unix"
)

// Bounds for processes that are left when containerd has ended.
const (
	processGrace = 10 * time.Second
	killGrace    = 3 * time.Second
)

// allowProcesses does nothing: its undo part is what matters. It stands before
// rosd and after all that services use.
func (m *machine) allowProcesses(context.Context) error { return nil }

// endProcesses ends every process that is left: those that can heed SIGTERM
// get some time, the others none.
func (m *machine) endProcesses(ctx context.Context) error {
	ended, done := m.reaper.Watch()
	defer done()
	// To all but us; no process left is as good.
	if err := unix.Kill(-1, unix.SIGTERM); errors.Is(err, unix.ESRCH) {
		return nil
	}
	wait, cancel := context.WithTimeout(ctx, processGrace)
	defer cancel()
	heeding := awaitProcesses(wait, ended, func(p process) bool { return p.heeds(unix.SIGTERM) })
	if len(heeding) > 0 {
		m.log.Warnf("killed, because they did not end in %v: %s", processGrace, names(heeding))
	}
	if err := unix.Kill(-1, unix.SIGKILL); errors.Is(err, unix.ESRCH) {
		return nil
	}
	wait, cancel = context.WithTimeout(ctx, killGrace)
	defer cancel()
	if left := awaitProcesses(wait, ended, func(process) bool { return true }); len(left) > 0 {
		return fmt.Errorf("still there after SIGKILL: %s", names(left))
	}
	return nil
}

// awaitProcesses waits until no process is left that counts, and gives those
// that are left when the context ends. Ends of processes in other process
// namespaces are not told to us: a look now and then finds them.
func awaitProcesses(ctx context.Context, ended <-chan struct{}, counts func(process) bool) []process {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		var left []process
		for _, p := range processes("/proc") {
			if counts(p) {
				left = append(left, p)
			}
		}
		if len(left) == 0 {
			return nil
		}
		select {
		case <-ended:
		case <-tick.C:
		case <-ctx.Done():
			return left
		}
	}
}

// runProgram runs a program to its end.
func runProgram(ctx context.Context, reaper *supervise.Reaper, path string, args ...string) (int, string, error) {
	exit, output, err := reaper.Run(ctx, supervise.Command{Path: path, Args: append([]string{path}, args...), Env: environment()})
	if err != nil {
		return 0, output, err
	}
	if exit.Status.Signaled() {
		return 0, output, fmt.Errorf("%s: %s", path, exit)
	}
	return exit.Status.ExitStatus(), output, nil
}

// process is one row of /proc.
type process struct {
	pid       int
	name      string
	innermost int    // its pid in its own namespace
	caught    uint64 // signals that it handles
	ignored   uint64
}

// heeds says whether a signal can have an effect: process 1 of a namespace
// gets only those that it handles (pid_namespaces(7)).
func (p process) heeds(sig unix.Signal) bool {
	bit := uint64(1) << (sig - 1)
	if p.innermost == 1 {
		return p.caught&bit != 0
	}
	return p.ignored&bit == 0
}

// processes lists all processes but us, the kernel's threads and the dead.
func processes(proc string) []process {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil
	}
	var out []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid <= 1 {
			continue
		}
		text, err := os.ReadFile(fmt.Sprintf("%s/%d/status", proc, pid))
		if err != nil {
			continue // it has ended
		}
		if p, ok := parseStatus(string(text)); ok {
			p.pid = pid
			out = append(out, p)
		}
	}
	return out
}

// parseStatus reads proc_pid_status(5). Kernel threads and zombies, which have
// no memory, are not ok.
func parseStatus(text string) (p process, ok bool) {
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch key {
		case "Name":
			p.name = value
		case "VmSize":
			ok = true
		case "NSpid":
			fields := strings.Fields(value)
			if len(fields) > 0 {
				p.innermost, _ = strconv.Atoi(fields[len(fields)-1])
			}
		case "SigIgn":
			p.ignored, _ = strconv.ParseUint(value, 16, 64)
		case "SigCgt":
			p.caught, _ = strconv.ParseUint(value, 16, 64)
		}
	}
	return p, ok
}

func names(list []process) string {
	var out []string
	for _, p := range list {
		out = append(out, fmt.Sprintf("%s (%d)", p.name, p.pid))
	}
	return strings.Join(out, ", ")
}
