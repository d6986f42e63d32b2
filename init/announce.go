package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/testudo-os/testudo/pkg/await"
	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/state"
)

// Levels of the kernel's console: it shows what is graver than them.
const (
	printkFile     = "/proc/sys/kernel/printk"
	showWarnings   = 5
	showNotices    = 6
	collectPercent = 50 // of the live heap, once the boot is over
)

// announceWhenUp waits for rosd's socket, says that the system is up, and
// keeps the console for people from then on: warnings and worse only, unless
// the kernel command line asks for something else.
func (m *machine) announceWhenUp(ctx context.Context) {
	if err := await.File(ctx, layout.APISocket); err != nil {
		m.log.Warnf("wait for rosd: %v", err)
		return
	}
	m.up.Store(true)
	m.emergency.end() // a login may run from now on
	m.announce("Testudo %s up in %.2f s (kernel %s, state %s)", releaseName(), float64(now())/1e6, m.release, m.describeState())
	if err := m.writeBootRecord(ctx); err != nil {
		m.log.Warnf("%v", err)
	}
	if !m.loglevelGiven() {
		if err := lowerConsole(showWarnings); err != nil {
			m.log.Warnf("keep the console quiet: %v", err)
		}
	}
	tidyMemory()
}

func (m *machine) describeState() string {
	switch m.state.Mode {
	case state.ModeDisk:
		return "on " + m.state.Device
	case state.ModeReadOnly:
		return m.state.Device + " read-only"
	}
	return "in RAM"
}

func (m *machine) loglevelGiven() bool {
	for _, key := range []string{"loglevel", "debug", "ignore_loglevel"} {
		if _, given := m.args.Get(key); given {
			return true
		}
	}
	return false
}

// announce logs a line that the console shows whatever its level is now.
func (m *machine) announce(format string, args ...any) {
	was := consoleLevel()
	if was != "" && was < fmt.Sprint(showNotices) {
		if writeFile(printkFile, fmt.Sprint(showNotices)) == nil {
			defer func() { _ = writeFile(printkFile, was) }()
		}
	}
	m.log.Noticef(format, args...)
}

// consoleLevel is the first of four numbers, each of one digit.
func consoleLevel() string {
	level, _, _ := strings.Cut(strings.ReplaceAll(readLine(printkFile), "\t", " "), " ")
	return level
}

// lowerConsole lowers the level and never raises it: "quiet" stays quiet.
func lowerConsole(level int) error {
	if was := consoleLevel(); was != "" && was <= fmt.Sprint(level) {
		return nil
	}
	return writeFile(printkFile, fmt.Sprint(level))
}
