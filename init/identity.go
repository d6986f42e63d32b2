package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/state"
	"golang.org/x/sys/unix"
)

// setMachineID keeps the id on the state disk and shows it in /etc.
func (m *machine) setMachineID(context.Context) error {
	return keepMachineID(layout.MachineID, "/etc/machine-id")
}

// keepMachineID reads or makes the id in one file and copies it to another. An
// id that cannot be kept is used all the same.
func keepMachineID(kept, shown string) error {
	id, err := state.MachineID(kept, func(b []byte) error {
		_, err := unix.Getrandom(b, 0)
		return err
	})
	if id == "" {
		return err
	}
	if err := os.Remove(shown); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("show the machine id: %w", err)
	}
	return errors.Join(err, os.WriteFile(shown, []byte(id+"\n"), 0o444))
}

// raiseClock sets a clock that is behind what is certainly past: the build,
// and the last time this machine saved its seed. NTP does the rest.
func (m *machine) raiseClock(context.Context) error {
	// Called twice: before the state disk is there its file does not count.
	floor := clockFloor(m.buildEpoch, layout.OSRelease, layout.RandomSeed)
	if !time.Now().Before(floor) {
		return nil
	}
	was := time.Now()
	tv := unix.NsecToTimeval(floor.UnixNano())
	if err := unix.Settimeofday(&tv); err != nil {
		return fmt.Errorf("set the clock to %s: %w", floor.UTC().Format(time.RFC3339), err)
	}
	m.log.Warnf("the clock was at %s: it now starts from %s", was.UTC().Format(time.RFC3339), floor.UTC().Format(time.RFC3339))
	return nil
}

// clockFloor is the latest time that is certainly past: of the build, in
// seconds since 1970, and of the files' last change.
func clockFloor(epoch string, files ...string) time.Time {
	var floor time.Time
	if seconds, err := strconv.ParseInt(epoch, 10, 64); err == nil {
		floor = time.Unix(seconds, 0)
	}
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && info.ModTime().After(floor) {
			floor = info.ModTime()
		}
	}
	return floor
}

// rotateSeed gives the kernel the randomness of the last boot.
func (m *machine) rotateSeed(context.Context) error {
	return state.RotateSeed(layout.RandomSeed, state.KernelRNG{})
}

// saveSeed undoes rotateSeed: the next boot gets what this one gathered.
func (m *machine) saveSeed(context.Context) error {
	return state.SaveSeed(layout.RandomSeed, state.KernelRNG{})
}
