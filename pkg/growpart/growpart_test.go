package growpart

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/diskfs/go-diskfs/partition/gpt"
)

const sector = 512

// disk is a file with a GPT made for a disk of before bytes, which has since
// become one of after. Partitions are in mebibytes.
func disk(t *testing.T, before, after int64, parts ...[2]uint64) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "disk")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(before); err != nil {
		t.Fatal(err)
	}
	table := gpt.Table{LogicalSectorSize: sector, PhysicalSectorSize: sector, ProtectiveMBR: true}
	for i, p := range parts {
		table.Partitions = append(table.Partitions, &gpt.Partition{
			Index: i + 1, Type: gpt.LinuxFilesystem, Name: "part", Start: p[0] * mebibyte / sector, End: p[1]*mebibyte/sector - 1,
		})
	}
	if err := table.Write(f, before); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(after); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestAPartitionTakesInTheRoomBehindIt(t *testing.T) {
	const before, after = 22 * mebibyte, 42*mebibyte + 512
	for _, tt := range []struct {
		name   string
		parts  [][2]uint64
		number int
		want   int64 // MiB; 0: stays
	}{
		{"the last one, on a disk that became larger", [][2]uint64{{1, 11}, {11, 21}}, 2, 30},
		{"one with room before the next", [][2]uint64{{1, 5}, {10, 21}}, 1, 9},
		{"one with none", [][2]uint64{{1, 11}, {11, 21}}, 1, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := disk(t, before, after, tt.parts...)
			old, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Grow(file, after, sector, tt.number)
			// A file is no disk, so the kernel cannot be told; the table counts.
			if got != tt.want*mebibyte || (err == nil) != (tt.want == 0) {
				t.Fatalf("%d MiB, %v", got/mebibyte, err)
			}
			if tt.want == 0 {
				if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, old) {
					t.Errorf("the disk has changed (%v)", err)
				}
				return
			}
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			table, err := gpt.Read(f, sector, sector)
			if err != nil {
				t.Fatal(err)
			}
			if err := table.Verify(f, after); err != nil {
				t.Errorf("the copy at the end: %v", err)
			}
			p := table.Partitions[tt.number-1]
			if p.Start != tt.parts[tt.number-1][0]*mebibyte/sector || int64(p.Size) != tt.want*mebibyte || p.Name != "part" {
				t.Errorf("the partition: %+v", p)
			}
			if again, err := Grow(file, after, sector, tt.number); again != 0 || err != nil {
				t.Errorf("a second time: %d, %v", again, err)
			}
		})
	}
}

func TestWhatCannotGrowIsAnError(t *testing.T) {
	const size = 52 * mebibyte
	if _, err := Grow(disk(t, size, size, [2]uint64{1, 51}), size, sector, 7); err == nil {
		t.Error("a partition that is not there")
	}
	file := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(file, make([]byte, mebibyte), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Grow(file, mebibyte, sector, 1); !errors.Is(err, ErrNoGPT) {
		t.Errorf("a disk without a table: %v", err)
	}
	if _, err := Grow("/nonesuch", mebibyte, sector, 1); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a disk that is not there: %v", err)
	}
}
