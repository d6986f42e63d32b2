package storage

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"unsafe"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/blockdev"
	"github.com/testudo-os/testudo/pkg/layout"
)

// Devices looks at what is there. One that cannot be read counts as in use.
func Devices(ctx context.Context) ([]Device, error) {
	// Controllers that still look for their disks; the context bounds it.
	_ = blockdev.Host().Settle(ctx)
	list, err := blockdev.Host().List()
	if err != nil {
		return nil, err
	}
	used, err := inUse()
	if err != nil {
		return nil, err
	}
	var out []Device
	for _, d := range list {
		one := Device{Found: blockdev.Found{Device: d}, InUse: d.Held || d.ReadOnly || used[d.Path]}
		info, err := d.Probe()
		if err != nil {
			one.InUse = true
		}
		one.Info = info
		if !one.InUse && info.Type == blockdev.None {
			one.Empty = empty(d)
		}
		if info.Label == layout.StateLabel || info.Label == layout.ESPLabel {
			one.InUse = true
		}
		out = append(out, one)
	}
	return out, nil
}

// empty says whether a disk or a partition holds nothing but zeros where
// anything could be.
func empty(d blockdev.Device) bool {
	if d.Partitions > 0 {
		return false
	}
	f, err := d.Open()
	if err != nil {
		return false
	}
	defer f.Close()
	nothing, err := blockdev.Empty(f, d.Size)
	return err == nil && nothing
}

// inUse gives the nodes that are mounted or swapped to.
func inUse() (map[string]bool, error) {
	used := map[string]bool{}
	mounts, err := mountinfo.GetMounts(nil)
	if err != nil {
		return nil, fmt.Errorf("what is mounted: %w", err)
	}
	for _, m := range mounts {
		used[m.Source] = true
	}
	text, err := os.ReadFile("/proc/swaps")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("what is swapped to: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 0 {
			used[fields[0]] = true
		}
	}
	return used, nil
}

// Run makes the file system.
func (f Format) Run(ctx context.Context) error {
	argv := []string{layout.Mke2fs, "-q", "-F", "-t", f.Type}
	if f.Type == "swap" {
		argv = []string{layout.Busybox, "mkswap"}
	}
	if f.Label != "" {
		argv = append(argv, "-L", f.Label)
	}
	argv = append(append(argv, f.Options...), f.Device)
	if out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("make %s on %s: %w: %s", f.Type, f.Device, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// Run mounts, or swaps, unless that is so already.
func (m Mount) Run() error {
	if m.Target == "" {
		return SwapOn(m.Device)
	}
	there, err := mountinfo.GetMounts(func(i *mountinfo.Info) (skip, stop bool) {
		return i.Mountpoint != m.Target || i.Source != m.Device, false
	})
	if err != nil || len(there) > 0 {
		return err
	}
	if err := os.MkdirAll(m.Target, 0o755); err != nil {
		return fmt.Errorf("mount %s: %w", m.Device, err)
	}
	if err := unix.Mount(m.Device, m.Target, m.Type, m.Flags, m.Data); err != nil {
		return fmt.Errorf("mount %s on %s as %s: %w", m.Device, m.Target, m.Type, err)
	}
	return nil
}

// SwapOn swaps to a file or device (swapon(2)), unless that is so already.
func SwapOn(path string) error {
	name, err := unix.BytePtrFromString(path)
	if err != nil {
		return fmt.Errorf("swap to %s: %w", path, err)
	}
	_, _, errno := unix.Syscall(unix.SYS_SWAPON, uintptr(unsafe.Pointer(name)), 0, 0)
	if errno != 0 && errno != unix.EBUSY {
		return fmt.Errorf("swap to %s: %w", path, errno)
	}
	return nil
}

// Run makes the file, unless it is there with this size, and swaps to it.
func (f SwapFile) Run(ctx context.Context) error {
	info, err := os.Lstat(f.Path)
	if err == nil && info.Mode().IsRegular() && info.Size() == f.Size && info.Mode().Perm() == 0o600 {
		return SwapOn(f.Path)
	}
	if err := f.make(ctx); err != nil {
		return errors.Join(fmt.Errorf("swap: %w", err), os.Remove(f.Path+".new"))
	}
	return SwapOn(f.Path)
}

func (f SwapFile) make(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o700); err != nil {
		return err
	}
	next := f.Path + ".new"
	file, err := os.OpenFile(next, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	err = unix.Fallocate(int(file.Fd()), 0, 0, f.Size)
	if err = errors.Join(err, file.Chmod(0o600), file.Close()); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, layout.Busybox, "mkswap", next).CombinedOutput(); err != nil {
		return fmt.Errorf("mkswap: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return os.Rename(next, f.Path)
}

// resizeFS is EXT4_IOC_RESIZE_FS: _IOW('f', 16, __u64) of linux/fs/ext4/ext4.h.
const resizeFS = 0x40086610

// extBlocks reads how many blocks an ext4 file system has from its superblock
// (linux/fs/ext4/ext4.h: s_blocks_count_lo, s_blocks_count_hi).
func extBlocks(device string) (uint64, error) {
	f, err := os.Open(device)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var sb [1024]byte
	if _, err := f.ReadAt(sb[:], 1024); err != nil {
		return 0, err
	}
	const incompat64 = 0x80
	blocks := uint64(binary.LittleEndian.Uint32(sb[4:]))
	if binary.LittleEndian.Uint32(sb[0x60:])&incompat64 != 0 {
		blocks |= uint64(binary.LittleEndian.Uint32(sb[0x150:])) << 32
	}
	return blocks, nil
}

// Grow has the ext4 file system mounted on dir take the whole of its device of
// size bytes. It is mounted all the while; one that does so already stays as it
// is, and none becomes smaller.
func Grow(dir, device string, size int64) error {
	var on unix.Statfs_t
	if err := unix.Statfs(dir, &on); err != nil {
		return fmt.Errorf("grow the file system of %s: %w", dir, err)
	}
	if on.Type != unix.EXT4_SUPER_MAGIC || on.Bsize <= 0 {
		return nil
	}
	blocks := uint64(size / on.Bsize)
	if have, err := extBlocks(device); err != nil || have >= blocks {
		if err != nil {
			err = fmt.Errorf("grow the file system of %s: %w", dir, err)
		}
		return err
	}
	file, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("grow the file system of %s: %w", dir, err)
	}
	defer file.Close()
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, file.Fd(), resizeFS, uintptr(unsafe.Pointer(&blocks))); errno != 0 {
		return fmt.Errorf("grow the file system of %s to %d blocks: %w", dir, blocks, errno)
	}
	return nil
}
