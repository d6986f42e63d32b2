package blockdev

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ext makes the superblock of an ext4 file system as mke2fs leaves it.
func ext(label string, change func(sb []byte)) []byte {
	image := make([]byte, 128<<10)
	sb := image[1024:]
	binary.LittleEndian.PutUint16(sb[0x38:], 0xef53)
	binary.LittleEndian.PutUint16(sb[0x3a:], 1)
	binary.LittleEndian.PutUint16(sb[0x36:], 0xffff)
	copy(sb[0x68:], "0123456789abcdef")
	copy(sb[0x78:], label)
	if change != nil {
		change(sb)
	}
	return image
}

func fat(kind string, label string) []byte {
	image := make([]byte, 128<<10)
	ext, name := 38, 54
	if kind == "FAT32   " {
		ext, name = 66, 82
	}
	image[ext] = 0x29
	binary.LittleEndian.PutUint32(image[ext+1:], 0x1234abcd)
	copy(image[ext+5:], label)
	copy(image[name:], kind)
	image[510], image[511] = 0x55, 0xaa
	return image
}

func put(offset int, text string) []byte {
	image := make([]byte, 128<<10)
	copy(image[offset:], text)
	return image
}

func iso() []byte {
	image := put(0x8000, "\x01CD001\x01")
	copy(image[0x8000+40:], "cidata                          ")
	copy(image[0x8000+813:], "2026112104200000")
	return image
}

func joliet() []byte {
	image := put(0x8000, "\x02CD001\x01")
	copy(image[0x8000+40:], "\x00c\x00i\x00d\x00a\x00t\x00a")
	return image
}

func TestProbe(t *testing.T) {
	const id = "30313233-3435-3637-3839-616263646566"
	le := binary.LittleEndian
	tests := []struct {
		name  string
		image []byte
		want  Info
	}{
		{"a fresh ext4 is clean", ext("TESTUDO_STATE", nil), Info{Type: Ext, Label: "TESTUDO_STATE", UUID: id, Clean: true}},
		{"ext4 with a label of full length", ext("0123456789ABCDEF", nil), Info{Type: Ext, Label: "0123456789ABCDEF", UUID: id, Clean: true}},
		{"ext4 that was not unmounted is not clean", ext("S", func(sb []byte) { le.PutUint16(sb[0x3a:], 0) }), Info{Type: Ext, Label: "S", UUID: id}},
		{"ext4 with an error noted is not clean", ext("S", func(sb []byte) { le.PutUint16(sb[0x3a:], 3) }), Info{Type: Ext, Label: "S", UUID: id}},
		{"ext4 with a journal to replay is not clean", ext("S", func(sb []byte) { le.PutUint32(sb[0x60:], 4) }), Info{Type: Ext, Label: "S", UUID: id}},
		{"ext4 with orphaned inodes is not clean", ext("S", func(sb []byte) { le.PutUint32(sb[0xe8:], 12) }), Info{Type: Ext, Label: "S", UUID: id}},
		{"ext4 whose count of mounts is used up is not clean", ext("S", func(sb []byte) { le.PutUint16(sb[0x34:], 20); le.PutUint16(sb[0x36:], 20) }), Info{Type: Ext, Label: "S", UUID: id}},
		{"FAT32 has a serial number for a UUID", fat("FAT32   ", "TESTUDO_ESP"), Info{Type: VFAT, Label: "TESTUDO_ESP", UUID: "1234-ABCD"}},
		{"FAT16 keeps them elsewhere", fat("FAT16   ", "CIDATA     "), Info{Type: VFAT, Label: "CIDATA", UUID: "1234-ABCD"}},
		{"FAT12 with no name has no label", fat("FAT12   ", "NO NAME    "), Info{Type: VFAT, UUID: "1234-ABCD"}},
		{"ISO 9660", iso(), Info{Type: ISO9660, Label: "cidata", UUID: "2026-11-21-04-20-00-00"}},
		{"ISO 9660 with a Joliet descriptor first", joliet(), Info{Type: ISO9660, Label: "cidata"}},
		{"EROFS", put(1024, "\xe2\xe1\xf5\xe0"), Info{Type: EROFS, UUID: "00000000-0000-0000-0000-000000000000"}},
		{"XFS", put(0, "XFSB"), Info{Type: XFS, UUID: "00000000-0000-0000-0000-000000000000"}},
		{"swap", put(4086, "SWAPSPACE2"), Info{Type: Swap, UUID: "00000000-0000-0000-0000-000000000000"}},
		{"LUKS", put(0, "LUKS\xba\xbe\x00\x02"), Info{Type: LUKS}},
		{"LVM", put(512, "LABELONE"), Info{Type: LVM}},
		{"md", put(4096, "\xfc\x4e\x2b\xa9"), Info{Type: RAID}},
		{"Btrfs", put(0x10040, "_BHRfS_M"), Info{Type: Btrfs, UUID: "00000000-0000-0000-0000-000000000000"}},
		{"a GPT", put(512, "EFI PART"), Info{Type: GPT}},
		{"a GPT on sectors of 4096", put(4096, "EFI PART"), Info{Type: GPT}},
		{"an MBR", put(510, "\x55\xaa"), Info{Type: MBR}},
		{"zeros are nothing", make([]byte, 128<<10), Info{}},
		{"a device shorter than a superblock is nothing", make([]byte, 100), Info{}},
		{"an empty device is nothing", nil, Info{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Probe(bytes.NewReader(tt.image))
			if err != nil || got != tt.want {
				t.Fatalf("got %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}

type broken struct{}

func (broken) ReadAt([]byte, int64) (int, error) { return 0, errors.New("medium error") }

func TestAnUnreadableDeviceIsAnErrorAndNeverEmpty(t *testing.T) {
	if _, err := Probe(broken{}); err == nil {
		t.Error("Probe gave no error")
	}
	if empty, err := Empty(broken{}, 1<<20); err == nil || empty {
		t.Errorf("Empty gave %v, %v", empty, err)
	}
}

// sparse is a big device with bytes at few places.
type sparse struct {
	size int64
	data map[int64]byte
}

func (s sparse) ReadAt(b []byte, off int64) (int, error) {
	clear(b)
	for at, v := range s.data {
		if at >= off && at < off+int64(len(b)) {
			b[at-off] = v
		}
	}
	return len(b), nil
}

func TestEmpty(t *testing.T) {
	const big = int64(1) << 40
	step := (big - 2*emptyEnds) / emptySamples
	step -= step % emptySample
	tests := []struct {
		name string
		size int64
		data map[int64]byte
		want bool
	}{
		{"a big disk of zeros is empty", big, nil, true},
		{"a small disk of zeros is empty", 1 << 20, nil, true},
		{"one byte at the start is data", big, map[int64]byte{0: 1}, false},
		{"one byte in the last sector is data", big, map[int64]byte{big - 1: 1}, false},
		{"a backup GPT is data", big, map[int64]byte{big - 512: 'E'}, false},
		{"one byte in a sample is data", big, map[int64]byte{emptyEnds + 7*step + 5: 1}, false},
		{"one byte anywhere on a small disk is data", 8 << 20, map[int64]byte{5<<20 + 3: 1}, false},
		{"a device without a size is not empty", 0, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Empty(sparse{tt.size, tt.data}, tt.size)
			if got != tt.want || (err != nil) != (tt.size == 0) {
				t.Fatalf("got %v, %v, want %v", got, err, tt.want)
			}
		})
	}
}

// machine makes a sysfs and a /dev with these devices; the key of a partition
// is DISK/PARTITION.
func machine(t *testing.T, devices map[string][]byte) Roots {
	t.Helper()
	roots := Roots{Sys: t.TempDir(), Dev: t.TempDir()}
	write := func(file, text string) {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, image := range devices {
		write(filepath.Join(roots.Sys, "block", name, "size"), strconv.Itoa(len(image)/512)+"\n")
		write(filepath.Join(roots.Sys, "block", name, "ro"), "0\n")
		write(filepath.Join(roots.Dev, filepath.Base(name)), string(image))
	}
	return roots
}

func TestList(t *testing.T) {
	disk := make([]byte, 1024)
	roots := machine(t, map[string][]byte{
		"vda": disk, "vda/vda1": disk, "vdb": disk, "vdaa": disk, "sr0": nil, "loop0": nil, "ram0": disk, "fd0": disk,
	})
	devices, err := roots.List()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range devices {
		names = append(names, d.Name)
		if d.Size != 1024 || (d.Name == "vda") != (d.Partitions == 1) || (d.Name == "vda1") != d.Partition {
			t.Errorf("%+v", d)
		}
	}
	if want := []string{"vda", "vdb", "vda1", "vdaa"}; !reflect.DeepEqual(names, want) {
		t.Fatalf("got %q, want %q", names, want)
	}
}

func TestFind(t *testing.T) {
	roots := machine(t, map[string][]byte{
		"vda": put(510, "\x55\xaa"), "vda/vda1": ext("TESTUDO_STATE", nil), "vdb": ext("other", nil),
		"vdc": fat("FAT16   ", "CIDATA"), "sr0": iso(),
	})
	names := func(label string, types ...Type) (out []string) {
		found, err := roots.Find(label, types...)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			out = append(out, f.Name)
		}
		return out
	}
	if got := names("TESTUDO_STATE", Ext); !reflect.DeepEqual(got, []string{"vda1"}) {
		t.Errorf("the state disk: %q", got)
	}
	if got := names("cidata"); !reflect.DeepEqual(got, []string{"sr0", "vdc"}) {
		t.Errorf("seeds, whatever the case on FAT: %q", got)
	}
	if got := names("testudo_state"); got != nil {
		t.Errorf("the case of an ext4 label matters: %q", got)
	}
}

func TestADiskWithPartitionsIsNotEmptyAndAnEmptyPartitionIs(t *testing.T) {
	disk := make([]byte, 4096)
	roots := machine(t, map[string][]byte{"vda": disk, "vda/vda1": disk, "vdb": disk, "vdc": []byte("data" + string(make([]byte, 508)))})
	devices, err := roots.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devices {
		got, err := d.Empty()
		if err != nil || got != (d.Name == "vdb" || d.Name == "vda1") {
			t.Errorf("%s: empty %v, %v", d.Name, got, err)
		}
	}
}

func TestAPartitionHasItsNameFromTheTable(t *testing.T) {
	if got := partName("MAJOR=254\nDEVTYPE=partition\nPARTN=2\nPARTNAME=TESTUDO_STATE\n"); got != "TESTUDO_STATE" {
		t.Errorf("got %q", got)
	}
}

func TestUnsettledControllersAreThoseWithoutADisk(t *testing.T) {
	sys := t.TempDir()
	for path, text := range map[string]string{
		"class/nvme/nvme0/nvme0n1/size":                                    "8",
		"class/nvme/nvme1/model":                                           "slow",
		"bus/usb/devices/1-1:1.0/bInterfaceClass":                          "08",
		"bus/usb/devices/1-2:1.0/bInterfaceClass":                          "08",
		"bus/usb/devices/1-2:1.0/host0/target0:0:0/0:0:0:0/block/sda/size": "8",
		"bus/usb/devices/1-3:1.0/bInterfaceClass":                          "03",
	} {
		file := filepath.Join(sys, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	roots := Roots{Sys: sys}
	if got := roots.Unsettled(); !reflect.DeepEqual(got, []string{"nvme1", "1-1:1.0"}) {
		t.Fatalf("got %q", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := roots.Settle(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "nvme1, 1-1:1.0") {
		t.Fatalf("got %v", err)
	}
	if err := (Roots{Sys: t.TempDir()}).Settle(ctx); err != nil {
		t.Fatalf("nothing to wait for: %v", err)
	}
}

func FuzzProbe(f *testing.F) {
	for _, image := range [][]byte{ext("X", nil), fat("FAT32   ", "X"), iso(), joliet()} {
		f.Add(image[:66<<10])
	}
	f.Fuzz(func(t *testing.T, image []byte) {
		info, err := Probe(bytes.NewReader(image))
		if err != nil {
			t.Fatalf("reading memory failed: %v", err)
		}
		if info.Type == None && info != (Info{}) {
			t.Fatalf("details of nothing: %+v", info)
		}
	})
}
