package bench

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Files is what is counted of a tree of files.
type Files struct {
	Bytes  int64    `json:"bytes"`
	ELF    int      `json:"elf"`
	Setuid []string `json:"setuid"` // setuid and setgid programs
}

func (f *Files) add(name string, setuid bool, size int64, r io.Reader) error {
	f.Bytes += size
	if setuid {
		f.Setuid = append(f.Setuid, name)
		slices.Sort(f.Setuid)
	}
	var magic [4]byte
	_, err := io.ReadFull(r, magic[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if bytes.Equal(magic[:], []byte("\x7fELF")) {
		f.ELF++
	}
	return nil
}

// addTree counts the regular files of a directory, hard links once for each name.
func (f *Files) addTree(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		setuid := info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 && info.Mode()&0o111 != 0
		return f.add(path[len(root):], setuid, info.Size(), file)
	})
}

// addTar counts the regular files of an archive.
func (f *Files) addTar(r io.Reader) error {
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		setuid := h.Mode&0o6000 != 0 && h.Mode&0o111 != 0
		if err := f.add("/"+h.Name, setuid, h.Size, t); err != nil {
			return err
		}
	}
}

// addTarFile is addTar for a file; none is an empty one.
func (f *Files) addTarFile(path string) error {
	if path == "" {
		return nil
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return f.addTar(bufio.NewReaderSize(file, mib))
}
