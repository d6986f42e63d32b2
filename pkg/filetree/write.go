package filetree

import (
	"archive/tar"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// WriteTar writes the tree as a tar archive: sorted, numeric owners only, one
// time for all. The same tree gives the same bytes.
func (t *Tree) WriteTar(w io.Writer, epoch time.Time) error {
	tw := tar.NewWriter(w)
	for _, p := range t.Paths() {
		n := t.nodes[p]
		h := &tar.Header{
			Name: strings.TrimPrefix(p, "/"), Mode: int64(n.Mode), Uid: n.UID, Gid: n.GID,
			ModTime: epoch, Linkname: n.Target,
		}
		switch n.Type {
		case Dir:
			h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
			if p == "/" {
				h.Name = "./"
			}
		case Symlink:
			h.Typeflag = tar.TypeSymlink
		case File:
			h.Typeflag, h.Size = tar.TypeReg, n.Size
		}
		if err := tw.WriteHeader(h); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		if n.Type == File {
			if err := copyContent(tw, n); err != nil {
				return fmt.Errorf("%s: %w", p, err)
			}
		}
	}
	return tw.Close()
}

// WriteDir lays the tree out below dir, which must not exist or be empty.
// Owners are set when the caller is root, and left alone otherwise.
func (t *Tree) WriteDir(dir string, epoch time.Time) error {
	root := os.Geteuid() == 0
	paths := t.Paths()
	for _, p := range paths {
		n, to := t.nodes[p], filepath.Join(dir, p)
		var err error
		switch n.Type {
		case Dir:
			err = os.MkdirAll(to, 0o755)
		case Symlink:
			err = os.Symlink(n.Target, to)
		case File:
			err = writeContent(to, n)
		}
		if err == nil && root {
			err = os.Lchown(to, n.UID, n.GID)
		}
		if err != nil {
			return err
		}
	}
	// Modes and times from the leaves up: a directory's change with its files.
	for i := len(paths) - 1; i >= 0; i-- {
		n, to := t.nodes[paths[i]], filepath.Join(dir, paths[i])
		if n.Type == Symlink {
			continue
		}
		if err := os.Chmod(to, fileMode(n.Mode)); err != nil {
			return err
		}
		if err := os.Chtimes(to, epoch, epoch); err != nil {
			return err
		}
	}
	return nil
}

func fileMode(m uint32) os.FileMode {
	mode := os.FileMode(m & 0o777)
	for bit, flag := range map[uint32]os.FileMode{0o4000: os.ModeSetuid, 0o2000: os.ModeSetgid, 0o1000: os.ModeSticky} {
		if m&bit != 0 {
			mode |= flag
		}
	}
	return mode
}

func writeContent(to string, n *Node) error {
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	err = copyContent(f, n)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

func copyContent(w io.Writer, n *Node) error {
	r, err := n.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(w, r)
	return err
}
