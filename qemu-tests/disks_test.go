package qemutests

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/testudo-os/testudo/pkg/layout"
)

// mkfs makes the state file system on a disk image.
func mkfs(t *testing.T, h *host, path string) {
	t.Helper()
	if out, err := h.tool(t, "mke2fs", "-q", "-F", "-t", "ext4", "-L", layout.StateLabel, path); err != nil {
		t.Fatalf("mke2fs: %v\n%s", err, out)
	}
}

// fill leaves no room in the file system.
func fill(t *testing.T, h *host, path string) {
	t.Helper()
	big := filepath.Join(t.TempDir(), "big")
	// More than fits: debugfs writes until the file system is full.
	if err := os.WriteFile(big, bytes.Repeat([]byte("x"), 300<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := h.tool(t, "debugfs", "-w", "-R", "write "+big+" big", path); err != nil {
		t.Fatalf("debugfs: %v\n%s", err, out)
	}
}

// smash overwrites block groups and journal, and leaves superblock and label.
func smash(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(bytes.Repeat([]byte{0xa5}, 64<<20), 4096); err != nil {
		t.Fatal(err)
	}
}
