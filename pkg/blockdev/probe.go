// Package blockdev says what is on a block device: the file system's type,
// label and UUID, or that there is nothing at all. It reads a handful of
// sectors in pure Go instead of running blkid, lists the machine's disks from
// sysfs, and never writes. init (the state disk) and pkg/datasource (NoCloud
// seeds) import it; it imports the standard library only.
package blockdev

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
)

// Type names what was found, with blkid's names.
type Type string

// The types that Probe tells apart. Those without label and UUID are known so
// that no one takes such a device for an empty one.
const (
	None    Type = "" // nothing that is known here
	Ext     Type = "ext4"
	VFAT    Type = "vfat"
	ISO9660 Type = "iso9660"
	EROFS   Type = "erofs"
	XFS     Type = "xfs"
	Btrfs   Type = "btrfs"
	Swap    Type = "swap"
	LUKS    Type = "crypto_LUKS"
	LVM     Type = "LVM2_member"
	RAID    Type = "linux_raid_member"
	GPT     Type = "gpt"
	MBR     Type = "dos"
)

// Info is what a device holds.
type Info struct {
	Type  Type
	Label string
	UUID  string
	// Clean is for ext4: unmounted in order, no error noted, no journal to
	// replay and no check due, so that e2fsck -p would do nothing.
	Clean bool
}

// Probe reads the superblocks in r. Only a failure to read at all is an
// error; what lies beyond the end is just not there.
func Probe(r io.ReaderAt) (Info, error) {
	// All but Btrfs, RAID and ISO 9660 tell themselves in the first pages.
	head, err := read(r, 0, 8192)
	if err != nil {
		return Info{}, err
	}
	for _, probe := range []func([]byte) (Info, bool){probeExt, probeLUKS, probeXFS, probeEROFS, probeSwap, probeLVM, probeFAT} {
		if info, ok := probe(head); ok {
			return info, nil
		}
	}
	if bytes.Equal(at(head, 4096, 4), []byte{0xfc, 0x4e, 0x2b, 0xa9}) || bytes.Equal(at(head, 0, 4), []byte{0xfc, 0x4e, 0x2b, 0xa9}) {
		return Info{Type: RAID}, nil // md superblock 1.1 or 1.2
	}
	iso, err := read(r, 0x8000, 2048)
	if err != nil {
		return Info{}, err
	}
	if info, ok := probeISO(iso); ok {
		return info, nil
	}
	btrfs, err := read(r, 0x10000, 1024)
	if err != nil {
		return Info{}, err
	}
	if bytes.Equal(at(btrfs, 0x40, 8), []byte("_BHRfS_M")) {
		return Info{Type: Btrfs, Label: text(at(btrfs, 0x12b, 256)), UUID: uuid(at(btrfs, 0x20, 16))}, nil
	}
	if bytes.Equal(at(head, 512, 8), []byte("EFI PART")) || bytes.Equal(at(head, 4096, 8), []byte("EFI PART")) {
		return Info{Type: GPT}, nil
	}
	if bytes.Equal(at(head, 510, 2), []byte{0x55, 0xaa}) {
		return Info{Type: MBR}, nil
	}
	return Info{}, nil
}

// read gets up to n bytes; a short device gives fewer.
func read(r io.ReaderAt, offset int64, n int) ([]byte, error) {
	buf := make([]byte, n)
	got, err := r.ReadAt(buf, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read %d bytes at %d: %w", n, offset, err)
	}
	return buf[:got], nil
}

// at is a slice of b, or nil where b is too short: a comparison then fails.
func at(b []byte, offset, n int) []byte {
	if offset+n > len(b) {
		return nil
	}
	return b[offset : offset+n]
}

// text is a label out of a fixed field: up to the first NUL, trimmed.
func text(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return strings.ToValidUTF8(strings.TrimSpace(string(b)), "?")
}

func uuid(b []byte) string {
	if len(b) != 16 {
		return ""
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// probeExt reads ext2, ext3 and ext4, which are one to the kernel: fields of
// struct ext4_super_block (Documentation/filesystems/ext4).
func probeExt(head []byte) (Info, bool) {
	sb := at(head, 1024, 1024)
	if sb == nil || binary.LittleEndian.Uint16(sb[0x38:]) != 0xef53 {
		return Info{}, false
	}
	const (
		stateValid, stateError = 1, 2
		incompatRecover        = 4
	)
	state := binary.LittleEndian.Uint16(sb[0x3a:])
	mounts, maxMounts := binary.LittleEndian.Uint16(sb[0x34:]), int16(binary.LittleEndian.Uint16(sb[0x36:]))
	interval := binary.LittleEndian.Uint32(sb[0x44:])
	recoverJournal := binary.LittleEndian.Uint32(sb[0x60:])&incompatRecover != 0
	orphans := binary.LittleEndian.Uint32(sb[0xe8:])
	due := maxMounts > 0 && mounts >= uint16(maxMounts) || interval != 0
	return Info{
		Type:  Ext,
		Label: text(sb[0x78:0x88]),
		UUID:  uuid(sb[0x68:0x78]),
		Clean: state&stateValid != 0 && state&stateError == 0 && !recoverJournal && orphans == 0 && !due,
	}, true
}

// probeFAT reads FAT12, 16 and 32. The label in the boot sector is the one
// that mkfs.vfat -n and mtools set; a label that exists as a directory entry
// only is not looked for.
func probeFAT(head []byte) (Info, bool) {
	bs := at(head, 0, 512)
	if bs == nil || bs[510] != 0x55 || bs[511] != 0xaa {
		return Info{}, false
	}
	var ext []byte
	switch {
	case bytes.HasPrefix(bs[82:], []byte("FAT32   ")):
		ext = bs[66:90]
	case bytes.HasPrefix(bs[54:], []byte("FAT12   ")), bytes.HasPrefix(bs[54:], []byte("FAT16   ")):
		ext = bs[38:62]
	default:
		return Info{}, false
	}
	if ext[0] != 0x29 { // no serial number and label
		return Info{Type: VFAT}, true
	}
	label := text(ext[5:16])
	if label == "NO NAME" {
		label = ""
	}
	id := binary.LittleEndian.Uint32(ext[1:])
	return Info{Type: VFAT, Label: label, UUID: fmt.Sprintf("%04X-%04X", id>>16, id&0xffff)}, true
}

// probeISO reads the primary volume descriptor, or a Joliet one where the
// first is not the primary (ECMA-119, 8.4 and 8.5).
func probeISO(pvd []byte) (Info, bool) {
	if !bytes.Equal(at(pvd, 1, 5), []byte("CD001")) {
		return Info{}, false
	}
	info := Info{Type: ISO9660}
	switch name := at(pvd, 40, 32); {
	case name == nil:
	case pvd[0] == 2: // supplementary: UCS-2 big endian
		units := make([]uint16, 16)
		for i := range units {
			units[i] = binary.BigEndian.Uint16(name[2*i:])
		}
		info.Label = text([]byte(string(utf16.Decode(units))))
	default:
		info.Label = text(name)
	}
	// The creation date is what blkid gives as the UUID.
	if d := at(pvd, 813, 16); d != nil && d[0] >= '0' && d[0] <= '9' {
		s := strings.ToValidUTF8(string(d), "?")
		if len(s) == 16 {
			info.UUID = strings.Join([]string{s[0:4], s[4:6], s[6:8], s[8:10], s[10:12], s[12:14], s[14:16]}, "-")
		}
	}
	return info, true
}

func probeEROFS(head []byte) (Info, bool) {
	sb := at(head, 1024, 128)
	if sb == nil || binary.LittleEndian.Uint32(sb) != 0xe0f5e1e2 {
		return Info{}, false
	}
	return Info{Type: EROFS, UUID: uuid(sb[48:64]), Label: text(sb[64:80])}, true
}

func probeXFS(head []byte) (Info, bool) {
	if !bytes.Equal(at(head, 0, 4), []byte("XFSB")) {
		return Info{}, false
	}
	return Info{Type: XFS, UUID: uuid(at(head, 32, 16)), Label: text(at(head, 108, 12))}, true
}

func probeSwap(head []byte) (Info, bool) {
	if !bytes.Equal(at(head, 4086, 10), []byte("SWAPSPACE2")) {
		return Info{}, false
	}
	return Info{Type: Swap, UUID: uuid(at(head, 1036, 16)), Label: text(at(head, 1052, 16))}, true
}

func probeLUKS(head []byte) (Info, bool) {
	if !bytes.Equal(at(head, 0, 6), []byte{'L', 'U', 'K', 'S', 0xba, 0xbe}) {
		return Info{}, false
	}
	info := Info{Type: LUKS, UUID: text(at(head, 168, 40))}
	if v := at(head, 6, 2); v != nil && v[1] == 2 {
		info.Label = text(at(head, 24, 48))
	}
	return info, true
}

func probeLVM(head []byte) (Info, bool) {
	for sector := 0; sector < 4; sector++ {
		if bytes.Equal(at(head, sector*512, 8), []byte("LABELONE")) {
			return Info{Type: LVM}, true
		}
	}
	return Info{}, false
}
