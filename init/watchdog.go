package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/testudo-os/testudo/pkg/layout"
	"golang.org/x/sys/unix"
)

const (
	watchdogDevice = "/dev/watchdog0"
	// A machine that hangs starts again after this; the argument changes it.
	watchdogDefault = 60 * time.Second
	// What a shutdown may take at most, all its bounds added.
	watchdogShutdown = 180 * time.Second
)

// watchdog is the hardware watchdog, fed by us as long as the reaper works.
type watchdog struct {
	file *os.File
	stop context.CancelFunc
}

// openWatchdog begins to feed the hardware watchdog, if the machine has one
// and the kernel command line does not say otherwise.
func (m *machine) openWatchdog(context.Context) error {
	timeout, err := watchdogTimeout(m.args.Get(layout.ArgWatchdog))
	if err != nil {
		m.log.Warnf("%v", err)
	}
	if timeout == 0 {
		return nil
	}
	ctx, stop := context.WithCancel(context.Background())
	m.start("watchdog", func() {
		// Its driver may be among those that are being loaded.
		<-m.driversDone
		if err := m.feedWatchdog(ctx, timeout, stop); err != nil && !errors.Is(err, os.ErrNotExist) {
			m.log.Warnf("%v", err)
		}
	})
	return nil
}

// watchdogTimeout reads the argument: seconds, 0 for none.
func watchdogTimeout(value string, given bool) (time.Duration, error) {
	if !given {
		return watchdogDefault, nil
	}
	seconds, err := strconv.ParseUint(value, 10, 16)
	if err != nil {
		return watchdogDefault, fmt.Errorf("%s=%q is not a number of seconds: %v is used", layout.ArgWatchdog, value, watchdogDefault)
	}
	return time.Duration(seconds) * time.Second, nil
}

func (m *machine) feedWatchdog(ctx context.Context, timeout time.Duration, stop context.CancelFunc) error {
	f, err := os.OpenFile(watchdogDevice, os.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		stop()
		return fmt.Errorf("open the watchdog: %w", err)
	}
	m.watchdog.Store(&watchdog{file: f, stop: stop})
	if err := setWatchdog(f, timeout); err != nil {
		m.log.Warnf("%v", err) // it keeps its own timeout, which is seldom below 10 s
		timeout = 10 * time.Second
	}
	m.log.Infof("watchdog %s: %v", watchdogDevice, timeout)
	tick := time.NewTicker(timeout / 3)
	defer tick.Stop()
	for {
		// A reaper that hangs would block here, and the machine start again.
		m.reaper.Reaped()
		if _, err := f.Write([]byte{0}); err != nil {
			m.log.Warnf("feed the watchdog: %v", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func setWatchdog(f *os.File, timeout time.Duration) error {
	if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.WDIOC_SETTIMEOUT, int(timeout/time.Second)); err != nil {
		return fmt.Errorf("set the watchdog to %v: %w", timeout, err)
	}
	return nil
}

// guardShutdown feeds the watchdog a last time: a shutdown that hangs ends
// with a reset.
func (m *machine) guardShutdown() {
	w := m.watchdog.Load()
	if w == nil {
		return
	}
	w.stop()
	if err := setWatchdog(w.file, watchdogShutdown); err != nil {
		m.log.Warnf("%v", err)
	}
	if _, err := w.file.Write([]byte{0}); err != nil {
		m.log.Warnf("feed the watchdog: %v", err)
	}
}

// disarmWatchdog is for a machine that halts and stays as it is.
func (m *machine) disarmWatchdog() {
	if w := m.watchdog.Load(); w != nil {
		// The magic close of watchdog-api.rst.
		if _, err := w.file.Write([]byte("V")); err != nil {
			m.log.Warnf("stop the watchdog: %v", err)
		}
		w.file.Close()
	}
}
