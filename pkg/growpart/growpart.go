// Package growpart lets a partition of a GPT disk take in the room behind it: an
// image was written to a larger disk, or a cloud enlarged a volume. It reads and
// writes the table with the go-diskfs library, which writes the copy at the end
// of the disk before the table at its start: a power cut leaves one of them
// whole. init imports it for a partition that it is about to format, pkg/storage
// for those that are in use.
package growpart

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"github.com/diskfs/go-diskfs/partition/gpt"
	"golang.org/x/sys/unix"
)

const (
	mebibyte = 1 << 20
	// least is what must be gained to touch a partition table: not the odd
	// sectors that partitioning tools leave over.
	least = mebibyte
)

// ErrNoGPT is that a disk has no table in which partitions can grow.
var ErrNoGPT = errors.New("no GPT")

// Grow enlarges a partition up to the next one or the end of its disk, on the
// disk and in the running kernel, where it may be mounted. It gives the
// partition's new size in bytes, or 0 when there was nothing to gain. The file
// system in it stays as large as it is. disk is the node of the disk, size the
// disk's in bytes, block its logical block's, number the partition's.
func Grow(disk string, size int64, block, number int) (int64, error) {
	grown, err := grow(disk, size, block, number)
	if err != nil {
		return grown, fmt.Errorf("grow partition %d of %s: %w", number, disk, err)
	}
	return grown, nil
}

func grow(disk string, size int64, block, number int) (int64, error) {
	f, err := os.OpenFile(disk, os.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	table, err := gpt.Read(f, block, block)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrNoGPT, err)
	}
	part, end, err := plan(table, size, number)
	if err != nil || end == 0 {
		return 0, err
	}
	part.Expand(end - part.End)
	if err := errors.Join(table.Write(f, size), f.Sync()); err != nil {
		return 0, err
	}
	now := int64(part.End-part.Start+1) * int64(block)
	if err := resize(f, number, int64(part.Start)*int64(block), now); err != nil {
		return now, fmt.Errorf("the kernel takes it at the next boot: %w", err)
	}
	return now, nil
}

// plan says up to and with which block the partition may reach: a whole number
// of mebibytes; 0 when that is no gain. The table is made as large as the disk.
func plan(table *gpt.Table, size int64, number int) (part *gpt.Partition, end uint64, err error) {
	for _, p := range table.Partitions {
		if p.Type != gpt.Unused && p.Index == number {
			part = p
		}
	}
	if part == nil {
		return nil, 0, errors.New("there is no such partition")
	}
	table.Resize(uint64(size))
	end = table.LastDataSector()
	for _, p := range table.Partitions {
		if p.Type != gpt.Unused && p.Start > part.Start {
			end = min(end, p.Start-1)
		}
	}
	block := uint64(table.LogicalSectorSize)
	end -= (end + 1) % (mebibyte / block)
	if end <= part.End || (end-part.End)*block < least {
		return part, 0, nil
	}
	return part, end, nil
}

// resize tells the kernel of a partition that may be in use (BLKPG; struct
// blkpg_partition of linux/blkpg.h).
func resize(disk *os.File, number int, start, size int64) error {
	type partition struct {
		start, length  int64
		number         int32
		device, volume [64]byte
		_              [4]byte
	}
	type argument struct {
		op, flags, length int32
		_                 int32
		data              unsafe.Pointer
	}
	data := partition{start: start, length: size, number: int32(number)}
	arg := argument{op: unix.BLKPG_RESIZE_PARTITION, length: int32(unsafe.Sizeof(data)), data: unsafe.Pointer(&data)}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, disk.Fd(), unix.BLKPG, uintptr(unsafe.Pointer(&arg)))
	if errno != 0 {
		return errno
	}
	return nil
}
