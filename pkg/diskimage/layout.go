package diskimage

import (
	"errors"
	"fmt"

	"github.com/diskfs/go-diskfs/partition/gpt"
	"github.com/testudo-os/testudo/pkg/layout"
)

const (
	sector = 512
	// Partitions start at whole mebibytes: that suits every disk's own blocks.
	mebibyte = 1 << 20
	// Below it a FAT32 would have too few clusters (65525 of 512 bytes) to be one.
	leastESP = 40 * mebibyte
	// What the state's file system needs to be of use before it has grown.
	leastState = 64 * mebibyte
)

// Sizes of the disk's parts, in bytes; whole mebibytes.
type Sizes struct{ ESP, State int64 }

// extent is a part of the disk, in bytes.
type extent struct{ start, size int64 }

// parts is where everything is: a mebibyte for the table, the ESP, the state,
// and a mebibyte for the table's copy at the end.
type parts struct {
	esp, state extent
	total      int64
}

func (s Sizes) parts() (parts, error) {
	switch {
	case s.ESP%mebibyte != 0 || s.State%mebibyte != 0:
		return parts{}, errors.New("sizes of partitions are whole mebibytes")
	case s.ESP < leastESP:
		return parts{}, fmt.Errorf("an ESP of %d MiB is less than the %d MiB of the smallest FAT32", s.ESP/mebibyte, leastESP/mebibyte)
	case s.State < leastState:
		return parts{}, fmt.Errorf("a state partition of %d MiB is less than %d MiB", s.State/mebibyte, leastState/mebibyte)
	}
	esp := extent{mebibyte, s.ESP}
	state := extent{esp.start + esp.size, s.State}
	return parts{esp, state, state.start + state.size + mebibyte}, nil
}

// table is the partition table. The state comes last: it grows with the disk.
func (p parts) table(id identity) *gpt.Table {
	row := func(index int, e extent, kind gpt.Type, name string) *gpt.Partition {
		return &gpt.Partition{
			Index: index, Start: uint64(e.start / sector), End: uint64((e.start+e.size)/sector - 1),
			Type: kind, Name: name, GUID: id.uuid(name),
		}
	}
	return &gpt.Table{
		LogicalSectorSize: sector, PhysicalSectorSize: sector, ProtectiveMBR: true, GUID: id.uuid("disk"),
		Partitions: []*gpt.Partition{
			row(1, p.esp, gpt.EFISystemPartition, layout.ESPLabel),
			row(2, p.state, gpt.LinuxFilesystem, layout.StateLabel),
		},
	}
}
