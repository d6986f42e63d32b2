package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/supervise"
	"golang.org/x/sys/unix"
)

// Bounds of the shutdown. rosd keeps each service's own grace period; this is
// for all of them together.
const (
	rosdGrace       = 90 * time.Second
	containerdGrace = 10 * time.Second
)

// logLimit bounds the log of a child in RAM: twice this at most.
const logLimit = 256 << 10

// oomChild keeps the kernel from picking our children while anyone else can go.
const oomChild = "-999"

// hopeless is how often a child may fail at boot before a shell is offered.
const hopeless = 5

// startContainerd starts containerd before the state disk is there: it keeps
// everything in /run, and takes as long to start as a disk to be found.
func (m *machine) startContainerd(context.Context) error {
	m.containerd = m.supervise("containerd", layout.Containerd, "--config", layout.ContainerdConfig)
	return nil
}

// startRosd starts rosd, which waits for containerd's socket and for the
// machine's record itself.
func (m *machine) startRosd(context.Context) error {
	m.rosd = m.supervise("rosd", layout.Rosd)
	return nil
}

// stopServices undoes these: rosd stops all services in reverse order of
// dependency and ends, then containerd has nothing left to do.
func (m *machine) stopServices(ctx context.Context) error {
	return errors.Join(
		end(ctx, m.rosd, unix.SIGPWR, rosdGrace),
		end(ctx, m.containerd, unix.SIGTERM, containerdGrace),
	)
}

// end asks a child to end, and ends it if it does not.
func end(ctx context.Context, child *supervise.Supervisor, sig syscall.Signal, grace time.Duration) error {
	if child == nil {
		return nil
	}
	wait, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	err := child.Stop(wait, sig)
	if err == nil {
		return nil
	}
	kill, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return errors.Join(err, child.Stop(kill, unix.SIGKILL))
}

// supervise starts a child and keeps it running.
func (m *machine) supervise(name, path string, args ...string) *supervise.Supervisor {
	file := supervise.NewLogFile(filepath.Join(layout.RunDir, name+".log"), logLimit)
	out := &childLog{name: name, file: file, log: m.log, now: time.Now}
	child := supervise.New(supervise.Spec{
		Name: name,
		Command: func() (supervise.Command, error) {
			return supervise.Command{
				Path: path,
				Args: append([]string{path}, args...),
				Env:  environment(),
				Dir:  "/",
				// A session of its own: ctrl-c on the console is not for it.
				Sys: &syscall.SysProcAttr{Setsid: true},
			}, nil
		},
		Output: out.line,
		Started: func(pid int) error {
			return writeFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), oomChild)
		},
		Ended: func(s supervise.Status) {
			if s.Fails >= hopeless && !m.up.Load() && !m.ending.Load() {
				m.startEmergency(context.Background(), fmt.Sprintf("%s fails again and again: %s", name, s.LastExit))
			}
		},
	}, m.reaper, m.log)
	m.start(name, func() { child.Run(context.Background()) })
	return child
}

// childLog keeps what a child says in its file, and repeats errors in the
// kernel log as long as they are few.
type childLog struct {
	name string
	file *supervise.LogFile
	log  supervise.Logger
	now  func() time.Time

	since  time.Time
	passed int
}

// At most this many lines a minute reach the kernel log.
const kernelLines = 10

func (c *childLog) line(line string) {
	// The file is in RAM; when even that is full there is nothing to be done.
	_ = c.file.Line(line)
	if !isGrave(line) {
		return
	}
	now := c.now()
	if now.Sub(c.since) >= time.Minute {
		c.since, c.passed = now, 0
	}
	c.passed++
	switch {
	case c.passed <= kernelLines:
		c.log.Warnf("%s: %s", c.name, line)
	case c.passed == kernelLines+1:
		c.log.Warnf("%s: more such lines are in %s/%s.log", c.name, layout.RunDir, c.name)
	}
}

// isGrave recognises errors in logrus's and slog's text and JSON forms, and a
// Go program's last words. Warnings stay in the file.
func isGrave(line string) bool {
	for _, start := range []string{"panic: ", "fatal error: ", "runtime: "} {
		if strings.HasPrefix(line, start) {
			return true
		}
	}
	for _, level := range []string{"error", "fatal", "panic", "ERROR"} {
		if strings.Contains(line, "level="+level) || strings.Contains(line, `"level":"`+level+`"`) {
			return true
		}
	}
	return false
}
