// Package cpio writes initial ramfs archives in the kernel's "newc" form
// (Documentation/driver-api/early-userspace/buffer-format.rst). Equal input
// gives equal bytes: owners are root, times are zero, inode numbers count up.
//
// It never reads archives and never compresses. u-root's pkg/cpio can do more;
// it reads a whole tree's worth of records through ReaderAt and brings its
// module's requirements along, for what is thirty lines here.
package cpio

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// File types as stat(2) has them.
const (
	typeRegular = 0o100000
	typeDir     = 0o040000
	typeChar    = 0o020000
	typeSymlink = 0o120000
)

const trailer = "TRAILER!!!"

// Writer writes an archive. Its methods are called in the order in which the
// kernel shall make the files; parents come first.
type Writer struct {
	w     io.Writer
	ino   uint32
	n     int64 // bytes written
	names map[string]bool
}

// NewWriter returns a writer that writes to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w, names: map[string]bool{}} }

// Dir makes a directory.
func (w *Writer) Dir(name string, perm uint32) error {
	return w.entry(name, typeDir|perm, 0, 0, 0, nil)
}

// File makes a regular file of size bytes, which are read from r.
func (w *Writer) File(name string, perm uint32, size int64, r io.Reader) error {
	return w.entry(name, typeRegular|perm, size, 0, 0, r)
}

// Symlink makes a symbolic link.
func (w *Writer) Symlink(name, target string) error {
	return w.entry(name, typeSymlink|0o777, int64(len(target)), 0, 0, strings.NewReader(target))
}

// CharDevice makes a character device.
func (w *Writer) CharDevice(name string, perm, major, minor uint32) error {
	return w.entry(name, typeChar|perm, 0, major, minor, nil)
}

// Close ends the archive. It does not close the writer below.
func (w *Writer) Close() error {
	if err := w.header(trailer, 0, 0, 1, 0, 0); err != nil {
		return err
	}
	return w.pad(512) // loaders and later archives like whole blocks
}

func (w *Writer) entry(name string, mode uint32, size int64, major, minor uint32, r io.Reader) error {
	if err := w.check(name, size); err != nil {
		return fmt.Errorf("cpio %q: %w", name, err)
	}
	w.ino++
	nlink := uint32(1)
	if mode&^0o7777 == typeDir {
		nlink = 2
	}
	if err := w.header(name, mode, size, nlink, major, minor); err != nil {
		return fmt.Errorf("cpio %q: %w", name, err)
	}
	if r != nil {
		n, err := io.Copy(w.w, io.LimitReader(r, size))
		w.n += n
		if err == nil && n != size {
			err = fmt.Errorf("content has %d bytes, not %d: %w", n, size, io.ErrUnexpectedEOF)
		}
		if err != nil {
			return fmt.Errorf("cpio %q: %w", name, err)
		}
	}
	return w.pad(4)
}

func (w *Writer) check(name string, size int64) error {
	switch {
	case name == "" || name == trailer || name[0] == '/' || strings.ContainsRune(name, 0):
		return errors.New("not a name for an archive member")
	case w.names[name]:
		return errors.New("written twice")
	case size < 0 || size > 1<<32-1:
		return fmt.Errorf("%d bytes do not fit the format", size)
	}
	w.names[name] = true
	return nil
}

// header writes magic, inode, mode, uid, gid, nlink, mtime, size, device major
// and minor, special device major and minor, name size and checksum.
func (w *Writer) header(name string, mode uint32, size int64, nlink, major, minor uint32) error {
	n, err := fmt.Fprintf(w.w, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		w.ino, mode, 0, 0, nlink, 0, size, 0, 0, major, minor, len(name)+1, 0, name)
	w.n += int64(n)
	if err != nil {
		return err
	}
	return w.pad(4)
}

func (w *Writer) pad(to int64) error {
	n, err := w.w.Write(make([]byte, (to-w.n%to)%to))
	w.n += int64(n)
	return err
}
