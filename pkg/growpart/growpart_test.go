package growpart

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/diskfs/go-diskfs/partition/gpt"
)

const mebibyte = 1 << 20

// disk is a file with a GPT of two partitions, made for size and then
// enlarged, and the sysfs that a kernel would show of it.
func disk(t *testing.T, made, now int64, second gpt.Partition) Host {
	t.Helper()
	h := Host{Sys: t.TempDir(), Dev: t.TempDir()}
	f, err := os.Create(filepath.Join(h.Dev, "vda"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(made); err != nil {
		t.Fatal(err)
	}
	table := gpt.Table{LogicalSectorSize: 512, PhysicalSectorSize: 512, ProtectiveMBR: true, Partitions: []*gpt.Partition{
		{Index: 1, Start: 2048, End: 2048 + 2047, Type: gpt.EFISystemPartition, Name: "one"},
		&second,
	}}
	if err := table.Write(f, made); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(now); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(h.Sys, "devices/vda")
	for name, value := range map[string]uint64{
		"size": uint64(now / 512), "queue/logical_block_size": 512,
		"vda2/partition": 2, "vda2/start": second.Start, "vda2/size": second.End - second.Start + 1,
		"vda1/partition": 1, "vda1/start": 2048, "vda1/size": 2048,
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(strconv.FormatUint(value, 10)+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(h.Sys, "class/block"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"vda1", "vda2"} {
		if err := os.Symlink(filepath.Join(dir, name), filepath.Join(h.Sys, "class/block", name)); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func read(t *testing.T, h Host) *gpt.Table {
	t.Helper()
	f, err := os.Open(filepath.Join(h.Dev, "vda"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := gpt.Read(f, 512, 512)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func second() gpt.Partition {
	return gpt.Partition{Index: 2, Start: 4096, End: 4096 + 64*2048 - 1, Type: gpt.LinuxFilesystem, Name: "two"}
}

func TestTheLastPartitionTakesInWhatTheDiskGot(t *testing.T) {
	h := disk(t, 67*mebibyte, 500*mebibyte+512, second())
	// The file is no disk, so the kernel cannot be told: the table is what counts.
	if _, err := h.Grow("vda2"); err == nil {
		t.Error("a file took BLKPG")
	}
	table := read(t, h)
	if len(table.Partitions) != 2 {
		t.Fatalf("%d partitions", len(table.Partitions))
	}
	got := table.Partitions[1]
	if got.Start != 4096 || got.End != 499*2048-1 || got.Name != "two" {
		t.Errorf("the partition is now %d to %d, %s", got.Start, got.End, got.Name)
	}
	f, err := os.Open(filepath.Join(h.Dev, "vda"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := table.Verify(f, 500*mebibyte+512); err != nil {
		t.Errorf("the copy at the end: %v", err)
	}
}

func TestWhatCannotGrowIsLeftAlone(t *testing.T) {
	for name, c := range map[string]struct {
		host Host
		part string
	}{
		"nothing to gain": {disk(t, 67*mebibyte, 70*mebibyte, second()), "vda2"},
		"not the last":    {disk(t, 67*mebibyte, 500*mebibyte, second()), "vda1"},
	} {
		before, err := os.ReadFile(filepath.Join(c.host.Dev, "vda"))
		if err != nil {
			t.Fatal(err)
		}
		if size, err := c.host.Grow(c.part); size != 0 || err != nil {
			t.Errorf("%s: %d, %v", name, size, err)
		}
		after, err := os.ReadFile(filepath.Join(c.host.Dev, "vda"))
		if err != nil || string(after) != string(before) {
			t.Errorf("%s: the disk has changed (%v)", name, err)
		}
	}
}

func TestADiskWithoutATableIsLeftAlone(t *testing.T) {
	h := disk(t, 67*mebibyte, 500*mebibyte, second())
	if err := os.WriteFile(filepath.Join(h.Dev, "vda"), make([]byte, 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	if size, err := h.Grow("vda2"); size != 0 || err != nil {
		t.Errorf("%d, %v", size, err)
	}
}

func TestAPartitionThatIsNotThereIsAnError(t *testing.T) {
	if _, err := (Host{Sys: t.TempDir(), Dev: t.TempDir()}).Grow("vda9"); err == nil {
		t.Error("no error")
	}
}
