package state

import (
	"context"
	"fmt"
	"os"

	"github.com/testudo-os/testudo/pkg/blockdev"
	"github.com/testudo-os/testudo/pkg/growpart"
	"golang.org/x/sys/unix"
)

// Host is the machine we run on. RunProgram starts programs: only the caller
// may wait for children.
type Host struct {
	RunProgram func(ctx context.Context, path string, args ...string) (status int, output string, err error)
}

// Find looks for ext4 file systems with the label.
func (Host) Find(label string) ([]blockdev.Found, error) {
	return blockdev.Host().Find(label, blockdev.Ext)
}

// Disks lists the machine's disks and partitions.
func (Host) Disks() ([]blockdev.Device, error) { return blockdev.Host().List() }

// Empty says whether a disk carries no data.
func (Host) Empty(d blockdev.Device) (bool, error) { return d.Empty() }

// Grow gives a partition the room behind it.
func (h Host) Grow(d blockdev.Device) (int64, error) {
	disks, err := h.Disks()
	if err != nil {
		return 0, err
	}
	for _, disk := range disks {
		if disk.Name == d.Disk {
			return growpart.Grow(disk.Path, disk.Size, disk.Block, d.Number)
		}
	}
	return 0, fmt.Errorf("grow partition %s: its disk %q is not there", d.Path, d.Disk)
}

// Run runs a program.
func (h Host) Run(ctx context.Context, path string, args ...string) (int, string, error) {
	return h.RunProgram(ctx, path, args...)
}

// Mount mounts a file system.
func (Host) Mount(source, target, fstype string, flags uintptr, data string) error {
	if err := unix.Mount(source, target, fstype, flags, data); err != nil {
		return fmt.Errorf("mount %s on %s: %w", source, target, err)
	}
	return nil
}

// Mkdir makes a folder and those above it.
func (Host) Mkdir(dir string) error { return os.MkdirAll(dir, 0o755) }

// Free asks the file system what users may still write.
func (Host) Free(dir string) (bytes, inodes uint64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, err
	}
	return st.Bavail * uint64(st.Bsize), st.Ffree, nil
}
