package account

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// home makes a home directory with the skeleton's files. One that exists is
// left as it is. It is made beside its place and moved there when it is whole.
func (a *applier) home(h Home) (err error) {
	path := a.path(h.Path)
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(filepath.Dir(path), ".new-home-") // mode 0700
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(fresh))
		}
	}()
	if err := a.skeleton(fresh, h); err != nil {
		return err
	}
	if err := os.Chown(fresh, h.UID, h.GID); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}

func (a *applier) skeleton(to string, h Home) error {
	from := a.path(Skel)
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == from {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			err = os.Mkdir(target, info.Mode().Perm())
		case d.Type() == fs.ModeSymlink:
			var link string
			if link, err = os.Readlink(path); err == nil {
				err = os.Symlink(link, target)
			}
		case d.Type().IsRegular():
			var content []byte
			if content, err = os.ReadFile(path); err == nil {
				err = os.WriteFile(target, content, info.Mode().Perm())
			}
		default:
			return nil // devices and the like are no skeleton
		}
		if err != nil {
			return err
		}
		return os.Lchown(target, h.UID, h.GID)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil // an image without a skeleton
	}
	return err
}

func owner(info fs.FileInfo) (uid, gid int) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid), int(stat.Gid)
	}
	return -1, -1
}
