package initramfs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/testudo-os/testudo/pkg/kernel"
)

// Go's runtime opens /dev/null in place of closed standard files and ends the
// program when it cannot: PID 1 would die on a machine without a console.
func TestTheArchiveHasTheDevicesThatGoNeedsBeforeInitMakesAny(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := Write(&archive, Content{
		Init: file, Modules: []kernel.BootFile{{Name: "loop.ko", Source: file}}, SystemImage: file, RootHash: "ab 4096\n",
	}); err != nil {
		t.Fatal(err)
	}
	entries := list(t, archive.Bytes())
	for name, want := range map[string]string{
		"dev/console": "020600 5:1", "dev/null": "020666 1:3", "init": "100755 0:0",
		"modules/loop.ko": "100644 0:0", "system.img": "100444 0:0", "system.roothash": "100444 0:0",
	} {
		if entries[name] != want {
			t.Errorf("%s is %q, want %q", name, entries[name], want)
		}
	}
}

// list reads a newc archive: mode and device numbers of each entry by name.
func list(t *testing.T, archive []byte) map[string]string {
	t.Helper()
	entries := map[string]string{}
	for len(archive) >= 110 && string(archive[:6]) == "070701" {
		field := func(n int) int64 {
			v, err := strconv.ParseInt(string(archive[6+8*n:14+8*n]), 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		size, length := field(6), field(11)
		name := string(archive[110 : 110+length-1])
		entries[name] = fmt.Sprintf("%06o %d:%d", field(1), field(9), field(10))
		head := (110 + length + 3) &^ 3
		archive = archive[min(head+(size+3)&^3, int64(len(archive))):]
	}
	return entries
}
