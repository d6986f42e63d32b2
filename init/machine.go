package main

import (
	"context"
	"errors"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/testudo-os/testudo/pkg/boot"
	"github.com/testudo-os/testudo/pkg/cmdline"
	"github.com/testudo-os/testudo/pkg/guard"
	"github.com/testudo-os/testudo/pkg/kmsg"
	"github.com/testudo-os/testudo/pkg/state"
	"github.com/testudo-os/testudo/pkg/supervise"
	"golang.org/x/sys/unix"
)

// machine is the machine as far as init knows it. The steps fill it in, in
// order; later steps rely on earlier ones only where a comment says so.
type machine struct {
	buildEpoch string
	log        *kmsg.Log
	runner     *boot.Runner
	reaper     *supervise.Reaper
	args       cmdline.Args
	release    string // of the kernel
	efi        bool

	inImage     bool          // the system image is /
	espDevice   string        // on which the system image is; "" in the initial ramfs
	driversDone chan struct{} // closed when all drivers are loaded
	state       state.Result
	watchdog    atomic.Pointer[watchdog]

	containerd *supervise.Supervisor
	rosd       *supervise.Supervisor
	up         atomic.Bool // rosd answered once
	ending     atomic.Bool // going down: no shell any more
	emergency  emergency
	requests   chan action // to end; the first one counts
}

// While booting nothing is collected: the heap stays far below this.
const bootHeap = 48 << 20

func newMachine(buildEpoch string) *machine {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(bootHeap)
	m := &machine{
		buildEpoch:  buildEpoch,
		log:         kmsg.New("testudo", nil),
		reaper:      supervise.NewReaper(),
		driversDone: make(chan struct{}),
		requests:    make(chan action, 1),
	}
	m.runner = &boot.Runner{Log: m.log, Now: now, Before: m.breakBefore}
	return m
}

// now is CLOCK_BOOTTIME in microseconds.
func now() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return ts.Nano() / 1000
}

// start runs f in a goroutine that survives its panic.
func (m *machine) start(name string, f func()) {
	guard.Go(name, m.report, f)
}

// report logs what a goroutine left behind.
func (m *machine) report(err error) {
	var panicked *guard.PanicError
	if errors.As(err, &panicked) {
		m.log.Errorf("%v\n%s", err, panicked.Stack)
		return
	}
	m.log.Errorf("%v", err)
}

// live boots, waits until someone asks for the end, and goes down. It never
// returns.
func (m *machine) live() {
	requests := m.catchSignals()
	ctx, cancel := context.WithCancel(context.Background())
	booted := make(chan error, 1)
	m.start("boot", func() {
		booted <- guard.Run("boot", func() error { return m.runner.Run(ctx, m.steps()) })
	})
	var end action
	select {
	case err := <-booted:
		if err != nil {
			m.startEmergency(ctx, err.Error())
		} else {
			m.start("announcement", func() { m.announceWhenUp(ctx) })
		}
		end = <-requests
	case end = <-requests:
		// A boot that hangs can be ended too.
		cancel()
		select {
		case <-booted:
		case <-time.After(5 * time.Second):
		}
	}
	if err := guard.Run("shutdown", func() error { m.shutdown(end); return nil }); err != nil {
		m.report(err)
	}
	cancel()
	for {
		// Only a kernel that refuses to go down leads here.
		if err := guard.Run("end", func() error { return end.do() }); err != nil {
			m.report(err)
		}
		time.Sleep(time.Second)
	}
}

// environment is what our children get: nothing that the boot loader put into
// ours.
func environment() []string {
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"}
	if term := os.Getenv("TERM"); term != "" {
		env = append(env, "TERM="+term)
	}
	return env
}
