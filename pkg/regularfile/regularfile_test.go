package regularfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("12345"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(file, 5); string(got) != "12345" || err != nil {
		t.Errorf("a file of the size allowed: got %q, %v", got, err)
	}
	if _, err := Read(file, 4); err == nil {
		t.Error("a file that is too large is read")
	}
	if _, err := Read(dir, 5); !errors.Is(err, ErrKind) {
		t.Errorf("a directory: got %v", err)
	}
	if _, err := Read(filepath.Join(dir, "none"), 5); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: got %v", err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(fifo, 5); !errors.Is(err, ErrKind) { // would wait for a writer
		t.Errorf("a FIFO: got %v", err)
	}
}
