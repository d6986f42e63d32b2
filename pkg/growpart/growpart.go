// Package growpart lets the last partition of a GPT disk take in the room that
// the disk got behind it: an image was written to a larger disk, or a cloud
// enlarged a volume. It reads and writes the table with the go-diskfs library,
// which writes the copy at the end of the disk before the table at its start:
// a power cut leaves one of them whole. init imports it.
package growpart

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"github.com/diskfs/go-diskfs/partition/gpt"
	"golang.org/x/sys/unix"
)

// least is what must be gained to touch a partition table: not the odd
// sectors that partitioning tools leave over.
const least = 16 << 20

// Host is where the machine is: "/sys" and "/dev", and other places in tests.
type Host struct{ Sys, Dev string }

// Grow enlarges the named partition (vda2) to the end of its disk, on the disk
// and in the running kernel, and gives its size in bytes. It does nothing, and
// gives 0, where the partition is not the last one, or the disk has no GPT, or
// there is nothing to gain. The file system in it stays as large as it is.
func (h Host) Grow(name string) (int64, error) {
	size, err := h.grow(name)
	if err != nil {
		return 0, fmt.Errorf("grow partition %s: %w", name, err)
	}
	return size, nil
}

func (h Host) grow(name string) (int64, error) {
	p, err := h.read(name)
	if err != nil || p.behind() < least {
		return 0, err
	}
	disk, err := os.OpenFile(filepath.Join(h.Dev, p.disk), os.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer disk.Close()
	table, err := gpt.Read(disk, p.block, p.block)
	if err != nil {
		return 0, nil // an MBR, or none that can be trusted: left as it is
	}
	end, ok := plan(table, p)
	if !ok {
		return 0, nil
	}
	start := last(table).Start
	last(table).Expand(end - last(table).End)
	table.Resize(uint64(p.diskSize))
	if err := table.Write(disk, p.diskSize); err != nil {
		return 0, err
	}
	size := int64(end-start+1) * int64(p.block)
	return size, resize(disk, p.index, int64(start)*int64(p.block), size)
}

// place is where a partition is, as the kernel says; in bytes.
type place struct {
	disk        string // its name: vda
	index       int    // of the partition, from 1
	block       int    // logical block of the disk
	start, size int64
	diskSize    int64
}

// behind is how much of the disk lies behind the partition.
func (p place) behind() int64 { return p.diskSize - p.start - p.size }

// read asks sysfs, where sizes are in units of 512 bytes whatever the block.
func (h Host) read(name string) (place, error) {
	dir, err := filepath.EvalSymlinks(filepath.Join(h.Sys, "class/block", name))
	if err != nil {
		return place{}, err
	}
	number := func(file string) (n int64) {
		if err != nil {
			return 0
		}
		var text []byte
		if text, err = os.ReadFile(file); err == nil {
			n, err = strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		}
		return n
	}
	disk := filepath.Dir(dir)
	p := place{
		disk:     filepath.Base(disk),
		index:    int(number(filepath.Join(dir, "partition"))),
		start:    number(filepath.Join(dir, "start")) * 512,
		size:     number(filepath.Join(dir, "size")) * 512,
		diskSize: number(filepath.Join(disk, "size")) * 512,
		block:    int(number(filepath.Join(disk, "queue/logical_block_size"))),
	}
	if err == nil && (p.block < 512 || p.block > 64<<10) {
		err = fmt.Errorf("blocks of %d bytes", p.block)
	}
	return p, err
}

// last is the partition that ends last.
func last(table *gpt.Table) *gpt.Partition {
	var out *gpt.Partition
	for _, p := range table.Partitions {
		if p.Type != gpt.Unused && (out == nil || p.End > out.End) {
			out = p
		}
	}
	return out
}

// plan says up to and with which block the partition may reach: to the last
// whole mebibyte before the table's copy. It must be the one that the kernel
// knows, and the last one.
func plan(table *gpt.Table, p place) (end uint64, ok bool) {
	block := uint64(p.block)
	l := last(table)
	if l == nil || l.Index != p.index || int64(l.Start*block) != p.start {
		return 0, false
	}
	const mebibyte = 1 << 20
	// The copy takes 33 blocks of 512 bytes, or fewer that are larger.
	whole := (uint64(p.diskSize) - mebibyte) / mebibyte * mebibyte
	end = whole/block - 1
	return end, end > l.End && (end-l.End)*block >= least
}

// resize tells the kernel of a partition that may be in use (BLKPG; struct
// blkpg_partition of linux/blkpg.h).
func resize(disk *os.File, index int, start, size int64) error {
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
	data := partition{start: start, length: size, number: int32(index)}
	arg := argument{op: unix.BLKPG_RESIZE_PARTITION, length: int32(unsafe.Sizeof(data)), data: unsafe.Pointer(&data)}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, disk.Fd(), unix.BLKPG, uintptr(unsafe.Pointer(&arg)))
	if errno != 0 {
		return errors.Join(errors.New("the table is written; the kernel will see it at the next boot"), errno)
	}
	return nil
}
