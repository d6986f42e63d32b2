package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// grace is how long logins have to leave. The machine waits for it on its way
// down, and shells save their history in a few milliseconds.
const grace = 600 * time.Millisecond

// adoptOrphans makes orphans of this container ours although it shares the
// host's process numbers, so that the shutdown hears when the last one is gone.
func adoptOrphans() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("adopt orphans: %w", err)
	}
	return nil
}

// shutdown ends everything. When it returns the program ends, and whatever is
// left in the container is killed.
func (c *console) shutdown() {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	reaped, end := c.reaper.Watch()
	defer end()
	var all sync.WaitGroup
	for _, s := range c.kept {
		all.Go(func() {
			// What does not leave in time is killed with the container.
			_ = s.Stop(ctx, syscall.SIGTERM)
		})
	}
	for _, pid := range c.others() {
		// HUP, because interactive shells ignore TERM; CONT, for what is stopped.
		for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGTERM, syscall.SIGCONT} {
			_ = syscall.Kill(pid, sig) // it may have left by itself
		}
	}
	all.Wait()
	for len(c.others()) > 0 {
		select {
		case <-reaped:
		case <-ctx.Done():
			return
		}
	}
}

// others are the processes of this container beside this program.
func (c *console) others() []int {
	pids, err := processes("/proc/self/cgroup", "/sys/fs/cgroup")
	c.check(err)
	self := os.Getpid()
	out := pids[:0]
	for _, pid := range pids {
		if pid != self {
			out = append(out, pid)
		}
	}
	return out
}

// processes lists the processes of the control group that self names. None
// are listed for the root group: that is the whole machine, not a container.
func processes(self, mount string) ([]int, error) {
	text, err := os.ReadFile(self)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	group, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "0::")
	if !ok || filepath.Clean(group) == "/" {
		return nil, nil
	}
	text, err = os.ReadFile(filepath.Join(mount, group, "cgroup.procs"))
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []int
	for _, field := range strings.Fields(string(text)) {
		// 0 is a process that our process namespace does not show, and to
		// kill(2) it is our own group: never pass it on.
		if pid, err := strconv.Atoi(field); err == nil && pid > 1 {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
