package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/testudo-os/testudo/pkg/blockdev"
	"github.com/testudo-os/testudo/pkg/kmod"
	"github.com/testudo-os/testudo/pkg/layout"
	"golang.org/x/sys/unix"
)

// imageModules are what the system image needs, and no device asks for.
func imageModules() []string { return []string{"loop", "dm_mod", "dm_verity", "erofs"} }

// rounds bounds how often new devices may bring new devices: a bus, a
// controller, a disk, a partition, and one to spare.
const rounds = 5

// imageHash says whether a module is a faster SHA-256, for this processor, with
// which dm-verity hashes.
func imageHash(m *kmod.Module) bool { return strings.HasPrefix(m.Name, "sha2") }

// wanted says whether a device's driver is loaded at boot: those for disks,
// networks, the buses that lead to them, watchdogs, and what shows us QEMU's
// fw_cfg, which may hold the configuration. All others are for the
// udev service to load, when the machine is up: many take long (a processor's
// KVM, for one) and nothing in the boot waits for them.
func wanted(m *kmod.Module) bool {
	for _, folder := range []string{
		"ata", "block", "bus", "cdrom", "firmware", "hv", "md", "message", "mmc", "net", "nvdimm", "nvme",
		"pci", "scsi", "ufs", "usb/host", "usb/storage", "usb/typec", "virtio", "watchdog", "xen",
	} {
		if strings.HasPrefix(m.Path, "kernel/drivers/"+folder+"/") {
			return true
		}
	}
	return false
}

// loadBootModules loads from the initial ramfs what leads to the system image,
// which lies in memory.
func (m *machine) loadBootModules(ctx context.Context) error {
	// Nothing to autoload with yet: the kernel is not to try.
	if err := writeFile("/proc/sys/kernel/modprobe", ""); err != nil {
		m.log.Warnf("stop the kernel from calling modprobe: %v", err)
	}
	loader, err := m.loader(layout.InitramfsModules, imageHash)
	if err != nil {
		return err
	}
	// Before dm-verity picks an implementation.
	processor := []string{readLine("/sys/devices/system/cpu/modalias")}
	if _, err := loader.LoadAliases(ctx, processor); err != nil {
		m.log.Warnf("%v", err)
	}
	return loader.Load(ctx, imageModules()...)
}

// loadDrivers loads the devices' drivers from the system image, in the
// background: what needs them waits for driversDone. From here on the
// kernel may ask for modules by itself.
func (m *machine) loadDrivers(ctx context.Context) error {
	if err := writeFile("/proc/sys/kernel/modprobe", "/usr/sbin/modprobe"); err != nil {
		m.log.Warnf("let the kernel call modprobe: %v", err)
	}
	loader, err := m.loader(filepath.Join(layout.Modules, m.release), wanted)
	if err != nil {
		close(m.driversDone)
		return err
	}
	// Services start at the same time. The kernel loads overlay when the first
	// one asks, and tells others that ask meanwhile that there is no such file
	// system ("request_module fs-overlay succeeded, but still no fs?").
	if err := loader.Load(ctx, "overlay"); err != nil {
		m.log.Warnf("%v", err)
	}
	m.start("drivers", func() {
		defer close(m.driversDone)
		// Half-loaded drivers help no one: this is not cut short.
		m.coldplug(context.Background(), loader)
	})
	return nil
}

// coldplug loads what all devices ask for, then what the devices ask for that
// these drivers brought.
func (m *machine) coldplug(ctx context.Context, loader *kmod.Loader) {
	known := map[string]bool{}
	for range rounds {
		var fresh []string
		for _, alias := range kmod.Modaliases("/sys") {
			if !known[alias] {
				known[alias] = true
				fresh = append(fresh, alias)
			}
		}
		if len(fresh) == 0 {
			return
		}
		names, err := loader.LoadAliases(ctx, fresh)
		if err != nil {
			m.log.Warnf("%v", err)
		}
		if len(names) == 0 {
			return
		}
	}
}

// loader reads the tables of a folder of modules.
func (m *machine) loader(dir string, wanted func(*kmod.Module) bool) (*kmod.Loader, error) {
	table, err := kmod.Open(dir)
	if err != nil {
		return nil, err
	}
	return kmod.NewLoader(table, kmod.Options{
		Params:    m.args.Module,
		Wanted:    wanted,
		Blacklist: append(m.args.List("modprobe.blacklist"), m.args.List("module_blacklist")...),
		Loaded: func(name string) bool {
			_, err := os.Stat(filepath.Join("/sys/module", name))
			return err == nil
		},
		Insert: insertUrgently,
		Go:     func(f func()) { m.start("module", f) },
	}), nil
}

// urgent is the nice value of threads that load modules. Disks take a while to
// answer once they are asked: the sooner that is, the more of the boot's other
// work fits into the wait.
const urgent = -19

// insertUrgently loads a module in a thread that goes first.
func insertUrgently(file, params string) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	thread := unix.Gettid()
	if unix.Setpriority(unix.PRIO_PROCESS, thread, urgent) == nil {
		defer func() { _ = unix.Setpriority(unix.PRIO_PROCESS, thread, 0) }()
	}
	return kmod.Insert(file, params)
}

// waitForDisks waits until all drivers are loaded and every controller that is
// known to bring disks later has brought one, or the context ends.
func (m *machine) waitForDisks(ctx context.Context) error {
	select {
	case <-m.driversDone:
	case <-ctx.Done():
		return fmt.Errorf("wait for drivers: %w", ctx.Err())
	}
	return blockdev.Host().Settle(ctx)
}
