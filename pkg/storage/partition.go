package storage

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/diskfs/go-diskfs/partition/gpt"
	"github.com/diskfs/go-diskfs/partition/mbr"
	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/config"
)

const (
	sector = 512
	align  = 1 << 20 // bytes: what every disk and every tool is content with
	tail   = 1 << 20 // left for the second table of GPT
)

// Table is a partition table to write.
type Table struct {
	Device string
	Size   int64 // of the disk, bytes
	Type   string
	Parts  []Part
}

// Part is a part of a disk, in bytes.
type Part struct {
	Start, Size int64
	Swap        bool
}

// Tables says which disks to divide; first is as with Formats.
func Tables(cfg *config.Config, devices []Device, first bool) (tables []Table, problems []error) {
	for _, name := range slices.Sorted(maps.Keys(cfg.DiskSetup)) {
		setup := cfg.DiskSetup[name]
		if len(setup.Layout) == 0 {
			continue
		}
		problem := func(format string, args ...any) {
			problems = append(problems, fmt.Errorf("disk_setup.%s: "+format, append([]any{name}, args...)...))
		}
		d, err := Find(cfg, devices, name)
		if err != nil {
			problem("%w", err)
			continue
		}
		parts := slices.DeleteFunc(slices.Clone(devices), func(p Device) bool { return !p.Partition || !strings.HasPrefix(p.Path, d.Path) })
		used := d.InUse || slices.ContainsFunc(parts, func(p Device) bool { return p.InUse })
		switch {
		case d.Partition:
			problem("%s is a partition", d.Path)
		case d.Empty && !used, setup.Overwrite && first && !used:
			tables = append(tables, Table{Device: d.Path, Size: d.Size, Type: cmp.Or(setup.TableType, "mbr"), Parts: divide(d.Size, setup.Layout)})
		case len(parts) == len(setup.Layout):
			// Divided already, here or by someone else.
		case used:
			problem("%s is in use: it is left alone", d.Path)
		default:
			problem("%s holds data (%s): it is left alone", d.Path, describe(d))
		}
	}
	return tables, problems
}

// divide divides a disk; the last part takes what rounding leaves.
func divide(size int64, want config.DiskLayout) []Part {
	room := size - align - tail
	at, percent := int64(align), 0
	var parts []Part
	for _, p := range want {
		percent += p.Percent
		end := align + room*int64(percent)/100
		end -= end % align
		_, swap := config.SwapPartition(p.Type)
		parts = append(parts, Part{Start: at, Size: end - at, Swap: swap})
		at = end
	}
	return parts
}

// Write writes the table and has the kernel read it.
func (t Table) Write() error {
	f, err := os.OpenFile(t.Device, os.O_RDWR|unix.O_EXCL|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("divide %s: %w", t.Device, err)
	}
	defer f.Close()
	if err := errors.Join(t.writeTo(f), f.Sync()); err != nil {
		return fmt.Errorf("divide %s: %w", t.Device, err)
	}
	if err := unix.IoctlSetInt(int(f.Fd()), unix.BLKRRPART, 0); err != nil {
		return fmt.Errorf("divide %s: the kernel does not read the table: %w", t.Device, err)
	}
	return nil
}

func (t Table) writeTo(f *os.File) error {
	if t.Type == "gpt" {
		table := &gpt.Table{LogicalSectorSize: sector, PhysicalSectorSize: sector, ProtectiveMBR: true}
		for i, p := range t.Parts {
			kind := gpt.LinuxFilesystem
			if p.Swap {
				kind = gpt.LinuxSwap
			}
			table.Partitions = append(table.Partitions, &gpt.Partition{
				Index: i + 1, Start: uint64(p.Start / sector), End: uint64((p.Start+p.Size)/sector - 1), Size: uint64(p.Size), Type: kind,
			})
		}
		return table.Write(f, t.Size)
	}
	table := &mbr.Table{LogicalSectorSize: sector, PhysicalSectorSize: sector}
	for i, p := range t.Parts {
		kind := mbr.Linux
		if p.Swap {
			kind = mbr.LinuxSwap
		}
		if (p.Start+p.Size)/sector > 1<<32 {
			return errors.New("an mbr reaches 2 TiB: say table_type: gpt")
		}
		table.Partitions = append(table.Partitions, &mbr.Partition{Index: i + 1, Start: uint32(p.Start / sector), Size: uint32(p.Size / sector), Type: kind})
	}
	return table.Write(f, t.Size)
}

// Parent gives the disk of a partition and its number.
func Parent(devices []Device, part string) (disk *Device, number int, ok bool) {
	for i, d := range devices {
		rest, is := strings.CutPrefix(part, d.Path)
		if !is || d.Partition || rest == "" {
			continue
		}
		n, err := strconv.Atoi(strings.TrimPrefix(rest, "p"))
		if err == nil && n > 0 && (disk == nil || len(d.Path) > len(disk.Path)) {
			disk, number, ok = &devices[i], n, true
		}
	}
	return disk, number, ok
}
