package state

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/testudo-os/testudo/pkg/blockdev"
	"github.com/testudo-os/testudo/pkg/layout"
	"golang.org/x/sys/unix"
)

// Where the state lives.
const (
	ModeDisk     = "disk"      // on the state disk
	ModeRAM      = "ram"       // gone after the next boot
	ModeReadOnly = "read-only" // read from the disk, written to RAM
)

// In read-only mode the disk is mounted at diskBelow and an overlay over it
// takes what is written; ramBelow holds that.
const (
	diskBelow = "/run/testudo/state/disk"
	ramBelow  = "/run/testudo/state/ram"
)

// Result is how the state lives.
type Result struct {
	Device   string // "" in RAM
	Mode     string
	Reason   string // why it is not on a disk, or what was done to it
	Warnings []string
}

// Request is what the kernel command line asks for.
type Request struct {
	Autoformat string // "", "true" or the path of a disk
	Repair     bool   // e2fsck -y where -p is not enough
}

// Edge is the machine: everything that reads or changes it.
type Edge interface {
	Find(label string) ([]blockdev.Found, error)
	Disks() ([]blockdev.Device, error)
	Empty(blockdev.Device) (bool, error)
	// Grow gives the last partition of a disk the room behind it, and its new
	// size in bytes, or 0 when there was nothing to do.
	Grow(blockdev.Device) (int64, error)
	// Run gives a program's exit status and output.
	Run(ctx context.Context, path string, args ...string) (status int, output string, err error)
	Mount(source, target, fstype string, flags uintptr, data string) error
	Mkdir(dir string) error
	// Free gives what users can still write on a file system.
	Free(dir string) (bytes, inodes uint64, err error)
}

// low is when a state disk counts as full.
const (
	lowBytes  = 16 << 20
	lowInodes = 64
)

// flags of the state disk. Programs in home folders run; setuid programs and
// device nodes of containers live in mounts of their own.
const stateFlags = unix.MS_NOATIME | unix.MS_NOSUID | unix.MS_NODEV

// Attach mounts the state at layout.State, in the best way there is.
func Attach(ctx context.Context, edge Edge, request Request) Result {
	r := &attachment{edge: edge, request: request}
	device, ok := r.find(ctx)
	if !ok {
		return r.ram()
	}
	r.result.Device = device.Path
	if device.ReadOnly {
		return r.readOnly(device, "the disk is write-protected")
	}
	if !device.Info.Clean {
		if why := r.check(ctx, device); why != "" {
			return r.readOnly(device, why)
		}
	}
	if err := edge.Mount(device.Path, layout.State, "ext4", stateFlags, "errors=remount-ro"); err != nil {
		return r.readOnly(device, fmt.Sprintf("mount %s: %v", device.Path, err))
	}
	r.result.Mode = ModeDisk
	r.measure()
	return r.result
}

type attachment struct {
	edge    Edge
	request Request
	result  Result
}

func (r *attachment) warn(format string, args ...any) {
	r.result.Warnings = append(r.result.Warnings, fmt.Sprintf(format, args...))
}

func (r *attachment) because(format string, args ...any) {
	if r.result.Reason != "" {
		r.result.Reason += "; "
	}
	r.result.Reason += fmt.Sprintf(format, args...)
}

// find gives the disk with the label, or formats one.
func (r *attachment) find(ctx context.Context) (blockdev.Found, bool) {
	found, err := r.edge.Find(layout.StateLabel)
	if err != nil {
		r.warn("some disks cannot be read: %v", err)
	}
	switch {
	case len(found) > 1:
		var names []string
		for _, f := range found {
			names = append(names, f.Path)
		}
		r.warn("%s are all labelled %s: the first one is used", strings.Join(names, ", "), layout.StateLabel)
		fallthrough
	case len(found) == 1:
		return found[0], true
	}
	r.because("no disk is labelled %s", layout.StateLabel)
	if part, ok := r.newPartition(); ok {
		return r.format(ctx, r.grow(part))
	}
	if r.request.Autoformat == "" {
		return blockdev.Found{}, false
	}
	disk, ok := r.emptyDisk()
	if !ok {
		return blockdev.Found{}, false
	}
	return r.format(ctx, disk)
}

// newPartition is the partition that an installation has set aside for the
// state, and that nothing was written to yet.
func (r *attachment) newPartition() (blockdev.Device, bool) {
	disks, err := r.edge.Disks()
	if err != nil {
		r.warn("cannot look for the state partition: %v", err)
	}
	for _, d := range disks {
		if !d.Partition || d.PartName != layout.StateLabel {
			continue
		}
		empty, err := r.edge.Empty(d)
		if err != nil {
			r.warn("%v", err)
		} else if empty {
			return d, true
		}
		r.because("the partition %s has that name, but holds something else", d.Path)
	}
	return blockdev.Device{}, false
}

// grow gives a partition the room behind it, so that its file system is made
// for that. Those that have a file system are rosd's to grow (growpart).
func (r *attachment) grow(d blockdev.Device) blockdev.Device {
	size, err := r.edge.Grow(d)
	if err != nil {
		r.warn("%v", err)
	}
	if size > 0 {
		d.Size = size
	}
	return d
}

// emptyDisk picks the first wholly empty disk, or the one that was asked for
// if it is one.
func (r *attachment) emptyDisk() (blockdev.Device, bool) {
	disks, err := r.edge.Disks()
	if err != nil {
		r.warn("cannot look for an empty disk: %v", err)
		return blockdev.Device{}, false
	}
	wanted := r.request.Autoformat
	named := strings.HasPrefix(wanted, "/")
	for _, disk := range disks {
		if named && disk.Path != wanted || disk.Partition || virtual(disk.Name) {
			continue
		}
		empty, err := r.edge.Empty(disk)
		if err != nil {
			r.warn("%v", err)
			continue
		}
		if empty {
			return disk, true
		}
		if named {
			r.because("%s is not empty and so not formatted", wanted)
			return blockdev.Device{}, false
		}
	}
	if named {
		r.because("there is no disk %s", wanted)
	} else {
		r.because("none is empty")
	}
	return blockdev.Device{}, false
}

// virtual devices are ours, or memory, or read-only media.
func virtual(name string) bool {
	for _, prefix := range []string{"loop", "dm-", "sr", "md", "nbd", "zram"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// mke2fsArgs make an ext4 that is ready at once: tables are initialised in the
// background, and only 1 % is kept for root.
func mke2fsArgs(device string) []string {
	return []string{"-q", "-F", "-t", "ext4", "-L", layout.StateLabel, "-m", "1", "-E", "lazy_itable_init=1,lazy_journal_init=1", device}
}

func (r *attachment) format(ctx context.Context, disk blockdev.Device) (blockdev.Found, bool) {
	status, output, err := r.edge.Run(ctx, layout.Mke2fs, mke2fsArgs(disk.Path)...)
	if err != nil || status != 0 {
		r.warn("format %s: %s", disk.Path, outcome(status, output, err))
		r.because("formatting %s failed", disk.Path)
		return blockdev.Found{}, false
	}
	r.result.Reason = ""
	r.because("%s was empty and has been formatted", disk.Path)
	return blockdev.Found{Device: disk, Info: blockdev.Info{Type: blockdev.Ext, Label: layout.StateLabel, Clean: true}}, true
}

// Exit status of e2fsck is a sum (e2fsck(8)): 1 errors corrected, 2 corrected
// and a restart advised, which is for file systems in use; the rest is failure.
const (
	fsckCorrected = 1
	fsckReboot    = 2
)

// check runs e2fsck and gives why the disk must not be written to, or "".
func (r *attachment) check(ctx context.Context, device blockdev.Found) string {
	status, output, err := r.edge.Run(ctx, layout.E2fsck, "-p", device.Path)
	if errors.Is(err, unix.ENOENT) {
		r.warn("%s is not checked: %v", device.Path, err)
		return ""
	}
	if r.request.Repair && (err != nil || status&^(fsckCorrected|fsckReboot) != 0) {
		status, output, err = r.edge.Run(ctx, layout.E2fsck, "-f", "-y", device.Path)
	}
	switch {
	case err != nil || status&^(fsckCorrected|fsckReboot) != 0:
		r.warn("e2fsck %s: %s", device.Path, outcome(status, output, err))
		return fmt.Sprintf("the file system on %s is damaged beyond what is repaired unasked (start with %s to have it repaired)", device.Path, layout.ArgRepair)
	case status != 0:
		r.because("errors on %s were repaired", device.Path)
		r.warn("e2fsck %s: %s", device.Path, outcome(status, output, nil))
	}
	return ""
}

// outcome says in one line how a program ended: its last words.
func outcome(status int, output string, err error) string {
	lines := strings.FieldsFunc(output, func(r rune) bool { return r == '\n' || r == '\r' })
	if len(lines) > 3 {
		lines = lines[len(lines)-3:]
	}
	said := strings.TrimSpace(strings.Join(lines, " / "))
	if err != nil {
		return strings.TrimSpace(fmt.Sprintf("%v %s", err, said))
	}
	return fmt.Sprintf("exit %d: %s", status, said)
}

// readOnly shows what is on the disk and keeps what is written in RAM: users,
// keys and configuration are there, and nothing makes the damage worse.
func (r *attachment) readOnly(device blockdev.Found, why string) Result {
	// noload: replaying the journal would write.
	err := errors.Join(r.edge.Mkdir(diskBelow), r.edge.Mkdir(ramBelow))
	if err == nil {
		err = r.edge.Mount(device.Path, diskBelow, "ext4", stateFlags|unix.MS_RDONLY, "noload")
	}
	if err == nil {
		err = r.edge.Mount("tmpfs", ramBelow, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=50%")
	}
	for _, dir := range []string{"upper", "work", "docker"} {
		if err == nil {
			err = r.edge.Mkdir(filepath.Join(ramBelow, dir))
		}
	}
	if err == nil {
		err = r.edge.Mount("overlay", layout.State, "overlay", unix.MS_NOSUID|unix.MS_NODEV,
			fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work", diskBelow, ramBelow, ramBelow))
	}
	if err != nil {
		r.result.Reason = ""
		r.because("%s; reading it fails too: %v", why, err)
		r.result.Device = ""
		return r.ram()
	}
	r.result.Mode = ModeReadOnly
	r.because("%s", why)
	r.warn("nothing that is written now lasts: %s", why)
	return r.result
}

// ram keeps the state in memory.
func (r *attachment) ram() Result {
	r.result.Mode = ModeRAM
	if err := r.edge.Mount("tmpfs", layout.State, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=50%"); err != nil {
		r.warn("there is no place for the state: %v", err)
	}
	return r.result
}

// measure warns of a full disk.
func (r *attachment) measure() {
	bytes, inodes, err := r.edge.Free(layout.State)
	switch {
	case err != nil:
		r.warn("free space of %s: %v", r.result.Device, err)
	case bytes < lowBytes:
		r.warn("the state disk %s is full: %d KiB are free", r.result.Device, bytes>>10)
	case inodes < lowInodes:
		r.warn("the state disk %s is full: %d files can be made", r.result.Device, inodes)
	}
}
