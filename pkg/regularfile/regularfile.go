// Package regularfile reads files whose kind and size somebody else chose: a
// FIFO must not stop the boot, nor a huge file fill the memory. Anyone may
// import it; it imports nothing of ours.
package regularfile

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// OpenFlags let a FIFO or a device be opened without waiting.
const OpenFlags = os.O_RDONLY | unix.O_NONBLOCK | unix.O_CLOEXEC

// ErrKind is the error for what is no regular file.
var ErrKind = errors.New("not a regular file")

// Read gives the content of the file at path, at most limit bytes.
func Read(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, OpenFlags, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := From(f, limit)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return content, nil
}

// From is Read for a file that has been opened with OpenFlags.
func From(f *os.File, limit int64) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, ErrKind
	}
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("larger than %d bytes", limit)
	}
	return content, nil
}
