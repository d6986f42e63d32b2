package diskimage

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/diskfs/go-diskfs/partition/gpt"
	"github.com/testudo-os/testudo/pkg/tools"
)

// programs are Debian 13's, which a build uses as well.
func programs(t *testing.T) Command {
	t.Helper()
	debian, err := tools.Ensure(t.Context(), "../../.cache", t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	return debian.Command
}

func content(t *testing.T) Content {
	t.Helper()
	source := filepath.Join(t.TempDir(), "source")
	if err := os.WriteFile(source, bytes.Repeat([]byte("x"), 100_000), 0o644); err != nil {
		t.Fatal(err)
	}
	return Content{
		Files: []File{{"EFI/Linux/testudo.efi", source}, {"EFI/BOOT/BOOTX64.EFI", source}, {"loader.conf", source}},
		Sizes: Sizes{ESP: 40 << 20, State: 64 << 20}, Epoch: time.Unix(1793491200, 0),
	}
}

func TestTheSameContentMakesTheSameDisk(t *testing.T) {
	command := programs(t)
	c := content(t)
	var disks [2][]byte
	for i := range disks {
		file := filepath.Join(t.TempDir(), "disk")
		if err := Write(t.Context(), command, file, c); err != nil {
			t.Fatal(err)
		}
		var err error
		if disks[i], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
		c.Files[0], c.Files[2] = c.Files[2], c.Files[0] // the order does not count
	}
	if !bytes.Equal(disks[0], disks[1]) {
		t.Error("two disks of the same content differ")
	}
}

func TestTheDiskHoldsWhatWasAskedFor(t *testing.T) {
	command := programs(t)
	file := filepath.Join(t.TempDir(), "disk")
	if err := Write(t.Context(), command, file, content(t)); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := gpt.Read(f, 512, 512)
	if err != nil {
		t.Fatal(err)
	}
	if len(table.Partitions) != 2 || table.Partitions[0].Name != "TESTUDO_ESP" || table.Partitions[1].Name != "TESTUDO_STATE" {
		t.Errorf("partitions %+v", table.Partitions)
	}
	out, err := command(t.Context(), "mdir", "-/", "-b", "-i", file+"@@1048576", "::").CombinedOutput()
	if err != nil {
		t.Fatalf("mdir: %v\n%s", err, out)
	}
	for _, want := range []string{"::/EFI/BOOT/BOOTX64.EFI", "::/EFI/Linux/testudo.efi", "::/loader.conf"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
}

func TestSizesThatCannotBeAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		sizes Sizes
		want  string
	}{
		"odd":         {Sizes{ESP: 40<<20 + 1, State: 64 << 20}, "whole mebibytes"},
		"small ESP":   {Sizes{ESP: 20 << 20, State: 64 << 20}, "smallest FAT32"},
		"small state": {Sizes{ESP: 40 << 20, State: 1 << 20}, "state partition"},
	} {
		if _, err := c.sizes.parts(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAFailureLeavesNoHalfDisk(t *testing.T) {
	file := filepath.Join(t.TempDir(), "disk")
	fail := func(ctx context.Context, _ string, _ ...string) *exec.Cmd { return exec.CommandContext(ctx, "false") }
	if err := Write(t.Context(), fail, file, content(t)); err == nil {
		t.Fatal("no error")
	}
	left, err := filepath.Glob(file + "*")
	if err != nil || len(left) != 0 {
		t.Errorf("left over: %q", left)
	}
}
