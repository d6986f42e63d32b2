package storage

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/diskfs/go-diskfs/partition/gpt"
	"github.com/diskfs/go-diskfs/partition/mbr"

	"github.com/testudo-os/testudo/pkg/blockdev"
	"github.com/testudo-os/testudo/pkg/config"
)

const mib = 1 << 20

func TestTables(t *testing.T) {
	devices := disks()
	for i := range devices {
		devices[i].Size = 102 * mib
	}
	for _, tt := range []struct {
		name, cfg string
		again     bool
		want      []string
		problem   string
	}{
		{"one part", "{/dev/vdb: {layout: true}}", false, []string{"/dev/vdb mbr 1+100"}, ""},
		{"two, one of them swap", "{vdb: {table_type: gpt, layout: [75, [25, 82]]}}", false, []string{"/dev/vdb gpt 1+75 76+25s"}, ""},
		{"no parts", "{/dev/vdb: {layout: false}}", false, nil, ""},
		{"data is left alone", "{/dev/vdc: {layout: true}}", false, nil, "/dev/vdc holds data (xfs"},
		{"unless it is to be overwritten", "{/dev/vdc: {layout: true, overwrite: true}}", false, []string{"/dev/vdc mbr 1+100"}, ""},
		{"once for an instance", "{/dev/vdc: {layout: true, overwrite: true}}", true, nil, "it is left alone"},
		{"one that is divided already", "{/dev/vdd: {layout: [50, 50]}}", false, nil, ""},
		{"never the state disk", "{/dev/vda: {layout: true, overwrite: true}}", false, nil, "/dev/vda is in use"},
		{"a partition", "{/dev/vdd1: {layout: true}}", false, nil, "is a partition"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tables, problems := Tables(parse(t, "disk_setup: "+tt.cfg), devices, !tt.again)
			var got []string
			for _, table := range tables {
				text := table.Device + " " + table.Type
				for _, p := range table.Parts {
					text += fmt.Sprintf(" %d+%d%s", p.Start/mib, p.Size/mib, map[bool]string{true: "s"}[p.Swap])
				}
				got = append(got, text)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if all := fmt.Sprint(problems); tt.problem == "" && len(problems) > 0 || !strings.Contains(all, tt.problem) {
				t.Errorf("problems: %s, want %s", all, tt.problem)
			}
		})
	}
}

func image(t *testing.T, size int64) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestATableIsWrittenAsOthersReadIt(t *testing.T) {
	const size = 102 * mib
	parts := divide(size, config.DiskLayout{{Percent: 75}, {Percent: 25, Type: "82"}})
	f := image(t, size)
	if err := (Table{Size: size, Type: "gpt", Parts: parts}).writeTo(f); err != nil {
		t.Fatal(err)
	}
	table, err := gpt.Read(f, sector, sector)
	if err != nil {
		t.Fatal(err)
	}
	if err := table.Verify(f, size); err != nil {
		t.Error(err)
	}
	if p := table.Partitions; p[0].Start != mib/sector || p[0].Size != 75*mib || p[1].Start != 76*mib/sector || p[1].Type != gpt.LinuxSwap {
		t.Errorf("got %+v %+v", p[0], p[1])
	}
	f = image(t, size)
	if err := (Table{Size: size, Type: "mbr", Parts: parts}).writeTo(f); err != nil {
		t.Fatal(err)
	}
	old, err := mbr.Read(f, sector, sector)
	if err != nil {
		t.Fatal(err)
	}
	if p := old.Partitions; p[1].Start != 76*mib/sector || p[1].Size != 25*mib/sector || p[1].Type != mbr.LinuxSwap {
		t.Errorf("got %+v", p[1])
	}
}

func TestParent(t *testing.T) {
	for part, want := range map[string]string{"/dev/vdd2": "/dev/vdd 2", "/dev/nvme0n1p1": "/dev/nvme0n1 1", "/dev/vdd": "", "/dev/vdz1": ""} {
		devices := append(disks(), device("nvme0n1", "", ""))
		got := ""
		if d, n, ok := Parent(devices, part); ok {
			got = fmt.Sprintf("%s %d", d.Path, n)
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", part, got, want)
		}
	}
}

func TestTheSizeOfAFileSystemIsReadFromIt(t *testing.T) {
	mke2fs, err := exec.LookPath("mke2fs")
	if err != nil {
		t.Skip("there is no mke2fs")
	}
	for _, features := range []string{"64bit", "^64bit"} {
		f := image(t, 64*mib)
		if out, err := exec.Command(mke2fs, "-q", "-F", "-t", "ext4", "-b", "1024", "-O", features, f.Name()).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if got, err := extBlocks(f.Name()); err != nil || got != 64*1024 {
			t.Errorf("%s: got %d, %v", features, got, err)
		}
	}
}

// A part that was just made is one to put a file system on.
func TestAPartitionOfZerosIsEmptyAndADiskWithPartsIsNot(t *testing.T) {
	f := image(t, 8*mib)
	d := blockdev.Device{Path: f.Name(), Size: 8 * mib, Partition: true}
	if !empty(d) {
		t.Error("zeros are data")
	}
	whole := d
	whole.Partition, whole.Partitions = false, 1
	if empty(whole) {
		t.Error("a disk with partitions is empty")
	}
	if _, err := f.WriteAt([]byte("data"), 4096); err != nil {
		t.Fatal(err)
	}
	if empty(d) {
		t.Error("data is nothing")
	}
}
