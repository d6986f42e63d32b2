package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/supervise"
	"golang.org/x/sys/unix"
)

// emergency is the shell of last resort. It runs only while nothing else can:
// when the system image is not there, or when containerd or rosd has failed
// again and again before the system ever was up. It ends before a login runs.
type emergency struct {
	mu     sync.Mutex
	cancel context.CancelFunc
}

// begin gives a context for the shell, unless there is one already.
func (e *emergency) begin(ctx context.Context) (context.Context, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cancel != nil {
		return nil, false
	}
	ctx, e.cancel = context.WithCancel(ctx)
	return ctx, true
}

// end ends the shell, if there is one. Another may begin later.
func (e *emergency) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cancel != nil {
		e.cancel()
		e.cancel = nil
	}
}

// unattended is when a machine with no system image tries again: nobody may be
// at the console, and the boot loader may have another release.
const unattended = 2 * time.Minute

// startEmergency offers a shell on the console.
func (m *machine) startEmergency(ctx context.Context, why string) {
	ctx, ok := m.emergency.begin(ctx)
	if !ok {
		return
	}
	m.announce("emergency: %s", why)
	m.start("emergency", func() {
		for ctx.Err() == nil {
			if err := m.shell(ctx, "Nothing else can run here: "+why+"\nreboot -f and poweroff -f end it."); err != nil {
				m.log.Warnf("emergency shell: %v", err)
				m.prompt(ctx, why)
				return
			}
		}
	})
}

// breakBefore stops before the step that testudo.break names.
func (m *machine) breakBefore(ctx context.Context, step string) {
	if at, _ := m.args.Get(layout.ArgBreak); at != step {
		return
	}
	m.announce("stopped before the step %s (%s); leave the shell to go on", step, layout.ArgBreak)
	if err := m.shell(ctx, "The boot goes on when you leave this shell."); err != nil {
		m.log.Warnf("%s: %v", layout.ArgBreak, err)
	}
}

// shellScript gives the shell its own /proc, so that it sees its own
// processes; the machine's are under /proc/1/root of none but us.
const shellScript = `/bin/busybox mount -t proc proc /proc; export PS1='emergency# '; echo "$1"; exec /bin/busybox sh -i`

// shell runs busybox on the console in its own mount and process namespaces,
// and waits for its end. What is typed there cannot harm the machine's mounts,
// and nothing is left behind.
func (m *machine) shell(ctx context.Context, greeting string) error {
	busybox := layout.Busybox
	if !m.inImage {
		busybox = "/bin/busybox" // if the initial ramfs has one
	}
	if _, err := os.Stat(busybox); err != nil {
		return err
	}
	tty, err := openConsole()
	if err != nil {
		return err
	}
	script := strings.ReplaceAll(shellScript, "/bin/busybox", busybox)
	p, err := m.reaper.Start(supervise.Command{
		Path:  busybox,
		Args:  []string{"sh", "-c", script, "sh", greeting},
		Env:   append(environment(), "TERM=linux"),
		Dir:   "/",
		Stdin: tty, Stdout: tty, Stderr: tty,
		Sys: &syscall.SysProcAttr{
			Setsid: true, Setctty: true, Ctty: 0,
			Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID,
		},
		CloseAfterStart: []io.Closer{tty},
	})
	if err != nil {
		return err
	}
	select {
	case <-p.Done():
		// reboot(2) in a process namespace ends its process 1 by a signal.
		switch status := p.Exit().Status; {
		case !status.Signaled():
		case status.Signal() == unix.SIGHUP:
			m.request(reboot)
		case status.Signal() == unix.SIGINT:
			m.request(powerOff)
		}
	case <-ctx.Done():
		// Its process namespace goes with it.
		if p.Signal(unix.SIGKILL) == nil {
			<-p.Done()
		}
	}
	return nil
}

// openConsole opens the terminal behind /dev/console, which itself cannot be a
// controlling terminal. Opening must not wait for a carrier.
func openConsole() (*os.File, error) {
	name := "console"
	if active := strings.Fields(readLine("/sys/class/tty/console/active")); len(active) > 0 {
		name = active[len(active)-1]
	}
	fd, err := unix.Open(filepath.Join("/dev", name), unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the console %s: %w", name, err)
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("open the console %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// prompt is for when there is not even a shell: it says what is wrong and
// takes one letter. Unattended, the machine starts again.
func (m *machine) prompt(ctx context.Context, why string) {
	letters := make(chan byte, 1)
	if tty, err := openConsole(); err == nil {
		// Left open: a read on a terminal cannot be called off.
		fmt.Fprintf(tty, "\r\nTestudo cannot start: %s\r\nType r to reboot, p to power off, then Enter. Reboot in %v.\r\n", why, unattended)
		m.start("prompt", func() {
			keys := bufio.NewReader(tty)
			for {
				key, err := keys.ReadByte()
				if err != nil {
					return
				}
				letters <- key
			}
		})
	}
	timer := time.NewTimer(unattended)
	defer timer.Stop()
	for {
		select {
		case key := <-letters:
			switch key {
			case 'r':
				m.request(reboot)
			case 'p':
				m.request(powerOff)
			}
		case <-timer.C:
			m.request(reboot)
		case <-ctx.Done():
			return
		}
	}
}

// tidyMemory ends the boot's way with memory: from here on garbage is
// collected, and what the boot left is given back.
func tidyMemory() {
	debug.SetGCPercent(collectPercent)
	debug.FreeOSMemory()
}
