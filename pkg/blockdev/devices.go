package blockdev

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Device is one disk or partition of the machine.
type Device struct {
	Name       string // as in /sys/class/block: vda, vda1, nvme0n1p2
	Path       string // its node: /dev/vda
	Size       int64  // bytes; 0 without a medium
	ReadOnly   bool
	Partition  bool   // part of a disk
	PartName   string // a partition's name in a GPT
	Disk       string // a partition's disk: vda
	Number     int    // a partition's, from 1
	Block      int    // bytes of a whole disk's logical block
	Partitions int    // how many parts a whole disk has
	Held       bool   // a dm or md device is built on it
}

// Roots say where the machine is: other places in tests.
type Roots struct{ Sys, Dev string }

// Host are the roots of the machine we run on.
func Host() Roots { return Roots{Sys: "/sys", Dev: "/dev"} }

// List gives all devices that can hold data of ours, in an order that stays
// the same: by length of name, then by name, so that vdb is before vdaa. RAM
// disks, loop devices without a file, floppy drives (opening one takes seconds)
// and drives without a medium are left out.
func (r Roots) List() ([]Device, error) {
	disks, err := os.ReadDir(filepath.Join(r.Sys, "block"))
	if err != nil {
		return nil, fmt.Errorf("list disks: %w", err)
	}
	var out []Device
	for _, disk := range disks {
		name := disk.Name()
		if strings.HasPrefix(name, "ram") || strings.HasPrefix(name, "zram") || isFloppy(name) {
			continue
		}
		dir := filepath.Join(r.Sys, "block", name)
		d := r.device(dir, name)
		if d.Size == 0 {
			continue
		}
		parts, err := os.ReadDir(dir)
		if err != nil {
			continue // the disk has gone
		}
		for _, part := range parts {
			if !strings.HasPrefix(part.Name(), name) {
				continue
			}
			p := r.device(filepath.Join(dir, part.Name()), part.Name())
			p.Partition, p.Disk = true, name
			d.Partitions++
			if p.Size > 0 {
				out = append(out, p)
			}
		}
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b Device) int {
		if len(a.Name) != len(b.Name) {
			return len(a.Name) - len(b.Name)
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out, nil
}

func isFloppy(name string) bool {
	return len(name) > 2 && name[:2] == "fd" && name[2] >= '0' && name[2] <= '9'
}

// device reads one folder below /sys/block; sizes there are in sectors of 512.
func (r Roots) device(dir, name string) Device {
	attr := func(file string) string {
		b, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(b))
	}
	sectors, err := strconv.ParseInt(attr("size"), 10, 64)
	if err != nil || sectors < 0 || sectors > 1<<53 {
		sectors = 0
	}
	number, err := strconv.Atoi(attr("partition"))
	if err != nil {
		number = 0
	}
	block, err := strconv.Atoi(attr("queue/logical_block_size"))
	if err != nil || block < 512 || block > 64<<10 || block&(block-1) != 0 {
		block = 512
	}
	uevent := attr("uevent")
	holders, err := os.ReadDir(filepath.Join(dir, "holders"))
	return Device{
		Name:     name,
		Path:     filepath.Join(r.Dev, strings.ReplaceAll(name, "!", "/")),
		Size:     sectors * 512,
		ReadOnly: attr("ro") == "1",
		Held:     err == nil && len(holders) > 0,
		PartName: partName(uevent),
		Number:   number,
		Block:    block,
	}
}

// partName is the name in a partition's uevent file.
func partName(uevent string) string {
	for line := range strings.Lines(uevent) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "PARTNAME="); ok {
			return name
		}
	}
	return ""
}

// Open opens a device for reading. Without O_NONBLOCK an optical drive would
// wait for its tray.
func (d Device) Open() (*os.File, error) {
	return os.OpenFile(d.Path, os.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
}

// Found is a device with what it holds.
type Found struct {
	Device
	Info Info
}

// Find gives every device that holds a file system with this label, in the
// order of List; types narrows it unless empty. Devices that cannot be read
// are named in the error, next to what was found.
func (r Roots) Find(label string, types ...Type) ([]Found, error) {
	devices, err := r.List()
	if err != nil {
		return nil, err
	}
	var found []Found
	var errs []error
	for _, d := range devices {
		info, err := d.Probe()
		if err != nil {
			if !errors.Is(err, unix.ENOMEDIUM) {
				errs = append(errs, err)
			}
			continue
		}
		// FAT labels are upper case and NoCloud's is not: compare as cloud-init does.
		match := info.Label == label || info.Type == VFAT && strings.EqualFold(info.Label, label)
		if match && (len(types) == 0 || slices.Contains(types, info.Type)) {
			found = append(found, Found{d, info})
		}
	}
	return found, errors.Join(errs...)
}

// Probe says what is on the device.
func (d Device) Probe() (Info, error) {
	f, err := d.Open()
	if err != nil {
		return Info{}, fmt.Errorf("probe: %w", err)
	}
	defer f.Close()
	if d.noMedium(f) {
		return Info{}, fmt.Errorf("probe %s: %w", d.Path, unix.ENOMEDIUM)
	}
	info, err := Probe(f)
	if err != nil {
		return Info{}, fmt.Errorf("probe %s: %w", d.Path, err)
	}
	return info, nil
}

// Empty says whether the device carries no data, has no partitions, and is not
// in use.
func (d Device) Empty() (bool, error) {
	if d.Partitions > 0 || d.Held || d.ReadOnly {
		return false, nil
	}
	f, err := d.Open()
	if err != nil {
		return false, fmt.Errorf("look for data: %w", err)
	}
	defer f.Close()
	if d.noMedium(f) {
		return false, nil
	}
	empty, err := Empty(f, d.Size)
	if err != nil {
		return false, fmt.Errorf("look for data on %s: %w", d.Path, err)
	}
	return empty, nil
}
