// Package storage makes the file systems, mounts and swap of a configuration:
// fs_setup, mounts, swap and resize_rootfs. What is to be done is worked out by
// pure functions from the configuration and the devices that are there; rosd
// carries it out before services start.
//
// Nothing here writes to a device that holds anything, except where `overwrite`
// asks for it, and then once for each instance; never to the state disk, nor to
// what is mounted.
package storage

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/blockdev"
	"github.com/testudo-os/testudo/pkg/config"
)

// Device is one that is there, with what it holds.
type Device struct {
	blockdev.Found
	Empty bool // nothing but zeros where anything could be
	InUse bool // mounted, swapped to, part of another device, or the state disk
}

// Format is a file system to make.
type Format struct {
	Device  string // its node
	Type    string // ext2, ext3, ext4, swap
	Label   string
	Options []string
	Reason  string
}

// Mount is a file system to mount, or a device to swap to.
type Mount struct {
	Device string // its node
	Target string // "" for swap
	Type   string // "" to be found out
	Flags  uintptr
	Data   string
	NoFail bool // its absence is no problem
}

// Find gives the device that a text names: a node, a name below /dev, an alias
// with or without .N for its Nth partition, LABEL= or UUID=.
func Find(cfg *config.Config, devices []Device, spec string) (*Device, error) {
	if tag, value, ok := strings.Cut(spec, "="); ok {
		for i, d := range devices {
			if tag == "LABEL" && d.Info.Label == value || tag == "UUID" && strings.EqualFold(d.Info.UUID, value) {
				return &devices[i], nil
			}
		}
		return nil, fmt.Errorf("no device has %s", spec)
	}
	node := Node(cfg, spec)
	for i, d := range devices {
		if d.Path == node {
			return &devices[i], nil
		}
	}
	return nil, fmt.Errorf("there is no device %s", node)
}

// Node gives the path that a text other than LABEL= and UUID= stands for.
func Node(cfg *config.Config, spec string) string {
	if alias := cfg.DeviceAliases[spec]; alias != "" {
		return alias
	}
	if at := strings.LastIndexByte(spec, '.'); at > 0 && !strings.HasPrefix(spec, "/") {
		if alias := cfg.DeviceAliases[spec[:at]]; alias != "" {
			return partition(alias, spec[at+1:])
		}
	}
	if strings.HasPrefix(spec, "/") {
		return spec
	}
	return "/dev/" + spec
}

// partition names a part of a disk as the kernel does: vda1, nvme0n1p1.
func partition(disk, number string) string {
	if last := disk[len(disk)-1]; last >= '0' && last <= '9' {
		return disk + "p" + number
	}
	return disk + number
}

// Formats says which file systems to make. first is whether this instance has
// not had its file systems made yet. What is not done, though asked for, is
// among the problems.
func Formats(cfg *config.Config, devices []Device, first bool) (formats []Format, problems []error) {
	for i, f := range cfg.FSSetup {
		problem := func(format string, args ...any) {
			problems = append(problems, fmt.Errorf("fs_setup[%d]: "+format, append([]any{i}, args...)...))
		}
		d, done, err := place(cfg, devices, f)
		switch {
		case err != nil:
			problem("%w", err)
		case done, holds(d, f) && !(f.Overwrite && first):
			// As it should be, made here or by someone else.
		case d.InUse:
			problem("%s is in use: nothing is made on it", d.Path)
		case d.Partitions > 0:
			problem("%s has partitions: nothing is made on it", d.Path)
		case d.Empty:
			formats = append(formats, Format{d.Path, f.Filesystem, f.Label, f.ExtraOpts, "it is empty"})
		case f.Overwrite && first:
			formats = append(formats, Format{d.Path, f.Filesystem, f.Label, f.ExtraOpts, "overwrite is set"})
		default:
			problem("%s holds data (%s): it is left alone", d.Path, describe(d))
		}
	}
	return formats, problems
}

// place finds where a file system is to be; done says that it is there.
func place(cfg *config.Config, devices []Device, f config.FSSetup) (d *Device, done bool, err error) {
	node := Node(cfg, f.Device)
	switch part := string(f.Partition); part {
	case "", "none":
		d, err = Find(cfg, devices, f.Device)
		return d, false, err
	case "auto", "any":
		var free *Device
		for i := range devices {
			one := &devices[i]
			if one.Path != node && !(one.Partition && strings.HasPrefix(one.Path, node)) {
				continue
			}
			if holds(one, f) && (part == "any" || one.Info.Label == f.Label) {
				return one, true, nil
			}
			if free == nil && one.Empty && one.Partitions == 0 {
				free = one
			}
		}
		if free == nil {
			return nil, false, fmt.Errorf("%s has no room for it: nothing there is empty", node)
		}
		return free, false, nil
	default:
		d, err = Find(cfg, devices, partition(node, part))
		return d, false, err
	}
}

// holds says whether a device has the file system that is wanted.
func holds(d *Device, f config.FSSetup) bool {
	have := string(d.Info.Type)
	same := have == f.Filesystem || have == string(blockdev.Ext) && strings.HasPrefix(f.Filesystem, "ext")
	return same && (f.Label == "" || d.Info.Label == f.Label)
}

func describe(d *Device) string {
	if d.Info.Type == blockdev.None {
		return "of a kind that is not known here"
	}
	text := string(d.Info.Type)
	if d.Info.Label != "" {
		text += ", label " + strconv.Quote(d.Info.Label)
	}
	return text
}

// defaults are cloud-init's, less what only systemd reads.
var defaults = config.MountEntry{"", "", "auto", "defaults,nofail", "0", "2"}

// Mounts says what to mount, in an order in which no mount hides another.
func Mounts(cfg *config.Config, devices []Device) (mounts []Mount, problems []error) {
	for i, entry := range cfg.Mounts {
		fields := filled(entry, cfg.MountDefaultFields)
		if len(entry) == 1 || fields[1] == "" {
			continue // cloud-init: takes an entry away
		}
		if strings.HasPrefix(fields[0], "ephemeral") || fields[0] == "swap" {
			continue // devices of some clouds, by names that no cloud here gives
		}
		m := parseOptions(fields[3])
		m.Target, m.Type = fields[1], fields[2]
		if m.Type == "swap" {
			m.Target = ""
		}
		d, err := Find(cfg, devices, fields[0])
		if err != nil {
			if !m.NoFail {
				problems = append(problems, fmt.Errorf("mounts[%d]: %w", i, err))
			}
			continue
		}
		m.Device = d.Path
		if m.Type == "auto" || m.Type == "" {
			m.Type = string(d.Info.Type)
		}
		switch blockdev.Type(m.Type) {
		case blockdev.None, blockdev.GPT, blockdev.MBR, blockdev.LUKS, blockdev.LVM, blockdev.RAID:
			problems = append(problems, fmt.Errorf("mounts[%d]: %s holds no file system (%s)", i, d.Path, describe(d)))
			continue
		}
		mounts = append(mounts, m)
	}
	slices.SortStableFunc(mounts, func(a, b Mount) int { return depth(a.Target) - depth(b.Target) })
	return mounts, problems
}

func depth(target string) int { return strings.Count(path.Clean(target), "/") }

// filled puts defaults in the place of missing and empty fields.
func filled(entry, own config.MountEntry) config.MountEntry {
	out := slices.Clone(defaults)
	for _, over := range []config.MountEntry{own, entry} {
		for i, field := range over {
			if field != "" && i < len(out) {
				out[i] = field
			}
		}
	}
	return out
}

var mountFlags = map[string]struct {
	set, clear uintptr
}{
	"ro": {set: unix.MS_RDONLY}, "rw": {clear: unix.MS_RDONLY},
	"nosuid": {set: unix.MS_NOSUID}, "suid": {clear: unix.MS_NOSUID},
	"nodev": {set: unix.MS_NODEV}, "dev": {clear: unix.MS_NODEV},
	"noexec": {set: unix.MS_NOEXEC}, "exec": {clear: unix.MS_NOEXEC},
	"noatime": {set: unix.MS_NOATIME}, "relatime": {set: unix.MS_RELATIME}, "strictatime": {set: unix.MS_STRICTATIME},
	"nodiratime": {set: unix.MS_NODIRATIME}, "sync": {set: unix.MS_SYNCHRONOUS}, "async": {clear: unix.MS_SYNCHRONOUS},
	"dirsync": {set: unix.MS_DIRSYNC}, "lazytime": {set: unix.MS_LAZYTIME},
}

// parseOptions reads the fourth field of fstab(5). Unless told otherwise nothing
// on such a file system is a device or gives privileges.
func parseOptions(text string) Mount {
	m := Mount{Flags: unix.MS_NODEV | unix.MS_NOSUID}
	var data []string
	for option := range strings.SplitSeq(text, ",") {
		flag, known := mountFlags[option]
		switch {
		case known:
			m.Flags = m.Flags&^flag.clear | flag.set
		case option == "nofail":
			m.NoFail = true
		case option == "", option == "defaults", option == "auto", option == "nouser", option == "_netdev", option == "sw",
			strings.HasPrefix(option, "x-"), strings.HasPrefix(option, "comment="), strings.HasPrefix(option, "pri="):
			// For programs that are not here.
		default:
			data = append(data, option)
		}
	}
	m.Data = strings.Join(data, ",")
	return m
}

// SwapFile is where a swap file is and how large.
type SwapFile struct {
	Path string
	Size int64
}

const swapFolder = "/var/lib/testudo/swap"

// leastSwap is too little to be worth a file.
const leastSwap = 1 << 20

// WantedSwap gives the swap file of a configuration, nil without one. Files
// elsewhere than on the state disk are put there under their name. The size
// auto is that of the memory, at most a quarter of what is free, and maxsize.
func WantedSwap(s config.Swap, memory, free int64) *SwapFile {
	if s.Filename == "" && s.Size == "" {
		return nil
	}
	f := &SwapFile{Path: s.Filename}
	if f.Path == "" {
		f.Path = "swapfile"
	}
	if !strings.HasPrefix(f.Path, "/var/lib/testudo/") {
		f.Path = path.Join(swapFolder, path.Base(f.Path))
	}
	size, given := s.Size.Bytes()
	if f.Size = size; !given {
		f.Size = min(memory, free/4)
		if most, bounded := s.MaxSize.Bytes(); bounded {
			f.Size = min(f.Size, most)
		}
	}
	f.Size &^= leastSwap - 1
	if f.Size < leastSwap {
		return nil
	}
	return f
}
