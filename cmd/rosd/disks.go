package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/atomicfile"
	"github.com/testudo-os/testudo/pkg/await"
	"github.com/testudo-os/testudo/pkg/blockdev"
	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/datasource"
	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/storage"
)

// diskTimeout bounds the wait for disks that the configuration names, and
// setUpTimeout all that is done with them before services start.
const (
	diskTimeout  = 10 * time.Second
	setUpTimeout = 5 * time.Minute
)

// setUpDisks makes what is wanted, lets what is there grow, and mounts. It is done before services start.
func setUpDisks(ctx context.Context, resolved *config.Resolved) (errs []error) {
	cfg := &resolved.Config
	var machine api.Machine
	state := ""
	if err := readJSON(layout.MachineRecord, &machine); err == nil && machine.StateMode == "disk" {
		state = machine.StateDevice
	}
	if len(cfg.DiskSetup)+len(cfg.FSSetup)+len(cfg.Mounts) > 0 {
		bounded, cancel := context.WithTimeout(ctx, diskTimeout)
		awaitDisks(bounded, cfg)
		cancel()
		errs = append(errs, makeFileSystems(ctx, resolved)...)
	}
	errs = append(errs, growPartitions(cfg, state)...)
	if state != "" && cfg.ResizeRootfs != "false" {
		errs = append(errs, growState(state))
	}
	return append(errs, doMounts(ctx, cfg, false))
}

// awaitDisks waits for the nodes that the configuration names and does not call
// dispensable.
func awaitDisks(ctx context.Context, cfg *config.Config) {
	var wanted []string
	for name := range cfg.DiskSetup {
		wanted = append(wanted, name)
	}
	if len(cfg.DiskSetup) == 0 { // else partitions are still to be made
		for _, f := range cfg.FSSetup {
			wanted = append(wanted, f.Device)
		}
	}
	for _, m := range cfg.Mounts {
		if len(m) > 3 && !strings.Contains(m[3], "nofail") {
			wanted = append(wanted, m[0])
		}
	}
	for _, spec := range wanted {
		if strings.Contains(spec, "=") {
			continue
		}
		if err := await.File(ctx, storage.Node(cfg, spec)); err != nil {
			return // the time is over; what is missing is told below
		}
	}
}

func makeFileSystems(ctx context.Context, resolved *config.Resolved) (errs []error) {
	cfg := &resolved.Config
	if len(cfg.DiskSetup)+len(cfg.FSSetup) == 0 {
		return nil
	}
	devices, err := storage.Devices(ctx)
	if err != nil {
		return []error{err}
	}
	stamp := filepath.Join(layout.InstanceDir, datasource.SafeID(resolved.InstanceID), "fs_setup.done")
	_, err = os.Stat(stamp)
	first := errors.Is(err, fs.ErrNotExist)
	if first {
		// Before the work: what is done twice is lost, what is not done is told.
		if err := os.MkdirAll(filepath.Dir(stamp), 0o700); err != nil {
			return []error{err}
		}
		if err := atomicfile.Write(stamp, nil, 0o644); err != nil {
			return []error{err}
		}
	}
	tables, errs := storage.Tables(cfg, devices, first)
	for _, t := range tables {
		errs = append(errs, t.Write())
	}
	if len(tables) > 0 {
		if devices, err = storage.Devices(ctx); err != nil {
			return append(errs, err)
		}
	}
	formats, problems := storage.Formats(cfg, devices, first)
	errs = append(errs, problems...)
	for _, f := range formats {
		errs = append(errs, f.Run(context.WithoutCancel(ctx))) // never half a file system
	}
	return errs
}

// doMounts mounts and swaps. While services run it leaves out what they could
// not see.
func doMounts(ctx context.Context, cfg *config.Config, running bool) error {
	var errs []error
	if len(cfg.Mounts) > 0 {
		devices, err := storage.Devices(ctx)
		if err != nil {
			return err
		}
		mounts, problems := storage.Mounts(cfg, devices)
		errs = append(errs, problems...)
		for _, m := range mounts {
			if running && m.Target != "" && !strings.HasPrefix(m.Target, "/mnt") && !strings.HasPrefix(m.Target, "/media") {
				continue
			}
			errs = append(errs, m.Run())
		}
	}
	return errors.Join(append(errs, doSwap(ctx, cfg.Swap))...)
}

func doSwap(ctx context.Context, swap config.Swap) error {
	if swap.Filename == "" && swap.Size == "" {
		return nil
	}
	var on unix.Statfs_t
	if err := unix.Statfs(layout.VarTestudo, &on); err != nil {
		return fmt.Errorf("swap: %w", err)
	}
	if on.Type != unix.EXT4_SUPER_MAGIC {
		return errors.New("swap: there is no state disk for the file")
	}
	var memory unix.Sysinfo_t
	if err := unix.Sysinfo(&memory); err != nil {
		return fmt.Errorf("swap: %w", err)
	}
	file := storage.WantedSwap(swap, int64(memory.Totalram)*int64(memory.Unit), int64(on.Bavail)*on.Bsize)
	if file == nil {
		return nil
	}
	return file.Run(ctx)
}

// growPartitions lets partitions take the room behind them; "/" is the state's.
func growPartitions(cfg *config.Config, state string) (errs []error) {
	if cfg.Growpart.Mode == "off" {
		return nil
	}
	list, err := blockdev.Host().List()
	if err != nil {
		return []error{err}
	}
	devices := make([]storage.Device, len(list))
	for i, d := range list {
		devices[i].Device = d
	}
	wanted := cfg.Growpart.Devices
	if wanted == nil {
		wanted = []string{"/"}
	}
	for _, spec := range wanted {
		node := state
		if spec != "/" {
			node = storage.Node(cfg, spec)
		}
		disk, number, ok := storage.Parent(devices, node)
		if !ok {
			if spec != "/" { // the state may well have a whole disk, or none
				errs = append(errs, fmt.Errorf("growpart: %s is no partition that is there", node))
			}
			continue
		}
		_, err := storage.GrowPartition(disk.Path, disk.Size, number)
		if cfg.Growpart.Devices == nil && errors.Is(err, storage.ErrNoGPT) {
			continue // nobody asked for it
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("growpart: %w", err))
		}
	}
	return errs
}

// growState lets the state's file system take the whole of its device.
func growState(node string) error {
	list, err := blockdev.Host().List()
	if err != nil {
		return err
	}
	for _, d := range list {
		if d.Path == node {
			return storage.Grow(layout.State, d.Path, d.Size)
		}
	}
	return nil
}
