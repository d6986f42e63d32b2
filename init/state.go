package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/testudo-os/testudo/pkg/boot"
	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/mount"
	"github.com/testudo-os/testudo/pkg/state"
	"golang.org/x/sys/unix"
)

// diskWait bounds how long a machine without a state disk waits for one, where
// there are controllers that bring disks late.
const diskWait = 10 * time.Second

// attachState mounts the state disk, or what takes its place, and binds its
// folders.
func (m *machine) attachState(ctx context.Context) error {
	request := state.Request{Autoformat: autoformat(m.args.Get(layout.ArgAutoformat)), Repair: m.args.Bool(layout.ArgRepair)}
	host := state.Host{RunProgram: m.run}
	// The disk may be there already; only if not is there anything to wait for.
	if found, _ := host.Find(layout.StateLabel); len(found) == 0 {
		wait, cancel := context.WithTimeout(ctx, diskWait)
		if err := m.waitForDisks(wait); err != nil {
			m.log.Warnf("look for the state disk: %v", err)
		}
		cancel()
	}
	m.state = state.Attach(ctx, host, request)
	if m.state.Reason != "" {
		m.log.Infof("state: %s: %s", m.state.Mode, m.state.Reason)
	}
	for _, w := range m.state.Warnings {
		m.log.Warnf("state: %s", w)
	}
	return m.bindState()
}

// autoformat reads the argument: a switch, or the path of a disk.
func autoformat(value string, given bool) string {
	switch strings.ToLower(value) {
	case "false", "no", "off", "0":
		return ""
	case "", "true", "yes", "on", "1":
		if given {
			return "true"
		}
		return ""
	}
	return value
}

// bindState puts the folders that last in their places.
func (m *machine) bindState() error {
	var errs []error
	for _, b := range state.Binds(m.state.Mode) {
		// On a full disk the folder may not be there: the place in RAM stays.
		if err := state.MakeDir(b.From, b.Mode); err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, mount.Bind(b.From, b.To))
		if b.Shared {
			errs = append(errs, mount.Shared(b.To))
		}
	}
	_, lasting := state.Folders()
	return errors.Join(append(errs, state.Make("/", lasting))...)
}

// run runs a program for a step.
func (m *machine) run(ctx context.Context, path string, args ...string) (int, string, error) {
	return runProgram(ctx, m.reaper, path, args...)
}

// unmountWait bounds how long a file system may take to let go of its disk
// once the last process is gone.
const unmountWait = 5 * time.Second

// detachState undoes attachState: it unmounts all that is not the machine's
// own, the newest first, and makes sure that the disk is at rest.
func (m *machine) detachState(ctx context.Context) error {
	err := errors.Join(swapOff(), unmountAll())
	unix.Sync()
	if m.state.Mode != state.ModeDisk {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, unmountWait)
	defer cancel()
	device := filepath.Base(m.state.Device)
	if at := awaitGone(wait, filepath.Join("/sys/fs/ext4", device)); at != nil {
		// Someone still holds it: read-only, it is as clean as it can be.
		if ro := unix.Mount("", layout.State, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); ro != nil {
			at = fmt.Errorf("%w; remounting it read-only: %w", at, ro)
		}
		return errors.Join(err, fmt.Errorf("the state disk %s is still in use: %w", m.state.Device, at))
	}
	return err
}

// awaitGone waits until a file is gone. ext4 removes its folder in sysfs when
// the last mount, in whatever namespace, has gone and all is written.
func awaitGone(ctx context.Context, file string) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// unmountAll unmounts what was mounted after the machine's own file systems.
func unmountAll() error {
	var last error
	// A mount may become free only when another has gone: a few passes do.
	for range 3 {
		text, err := os.ReadFile("/proc/self/mountinfo")
		if err != nil {
			return fmt.Errorf("list mounts: %w", err)
		}
		targets := foreign(mount.Targets(string(text)))
		if len(targets) == 0 {
			return nil
		}
		last = nil
		for _, target := range slices.Backward(targets) {
			if err := unix.Unmount(target, unix.UMOUNT_NOFOLLOW); err != nil {
				last = errors.Join(last, fmt.Errorf("unmount %s: %w", target, err))
			}
		}
		if last == nil {
			return nil
		}
	}
	return last
}

// foreign leaves out the machine's own mounts, in the order given. What is in
// the folders of these, but not in the table, is not the machine's own.
func foreign(targets []string) []string {
	own := map[string]bool{"/": true}
	for _, m := range append(append(mount.Early(), mount.Late()...), mount.EFIVars()) {
		own[m.Target] = true
	}
	var out []string
	for _, target := range targets {
		if own[target] {
			// The first mount there is the machine's, any above it is not.
			own[target] = false
			continue
		}
		out = append(out, target)
	}
	return out
}

// machineRecord is api.Machine, whose package is not imported because it
// brings net/http into PID 1.
type machineRecord struct {
	StateDevice string   `json:"state_device"`
	StateReason string   `json:"state_reason"`
	StateMode   string   `json:"state_mode"`
	Warnings    []string `json:"warnings,omitempty"`
}

// allowServices tells rosd what went wrong so far. rosd has waited for that:
// what services need is in place.
func (m *machine) allowServices(context.Context) error {
	return boot.WriteJSON(layout.MachineRecord, machineRecord{
		StateDevice: m.state.Device,
		StateReason: m.state.Reason,
		StateMode:   m.state.Mode,
		Warnings:    append(slices.Clone(m.state.Warnings), m.runner.Problems()...),
	})
}

// writeBootRecord tells rosd how long each step took.
func (m *machine) writeBootRecord(context.Context) error {
	return boot.WriteJSON(layout.BootRecord, m.runner.Records())
}
