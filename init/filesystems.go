package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/mount"
	"github.com/testudo-os/testudo/pkg/state"
	"golang.org/x/sys/unix"
)

// chroot moves to a new root and to its top.
func chroot(dir string) error {
	if err := unix.Chroot(dir); err != nil {
		return err
	}
	return os.Chdir("/")
}

// mountFilesystems makes the other mounts of every boot. What is mounted later
// is unmounted by detachState; these go with the machine.
func (m *machine) mountFilesystems(context.Context) error {
	table := mount.Late()
	if m.efi {
		table = append(table, mount.EFIVars())
	}
	return mount.All("/", table)
}

// makeFolders makes those that others rely on and shares those in which
// services make mounts that outlive them.
func (m *machine) makeFolders(context.Context) error {
	inRAM, _ := state.Folders()
	err := state.Make("/", inRAM)
	for _, dir := range state.SharedFolders() {
		err = errors.Join(err, mount.Shared(dir))
	}
	// A service provides the socket.
	if link := os.Symlink(filepath.Join(layout.SyslogDir, "dev-log"), "/dev/log"); link != nil {
		err = errors.Join(err, link)
	}
	return err
}

// fillEtc copies the skeleton of /etc, which is a tmpfs, with its modes.
func (m *machine) fillEtc(context.Context) error {
	return copyTree(layout.EtcSkeleton, "/etc")
}

// copyTree copies folders, files and symbolic links; an entry that fails is
// reported and the others are copied.
func copyTree(from, to string) error {
	var errs []error
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err == nil {
			err = copyEntry(path, filepath.Join(to, strings.TrimPrefix(path, from)), entry)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("copy %s: %w", path, err))
		}
		return nil
	})
	return errors.Join(append(errs, err)...)
}

func copyEntry(from, to string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		if err := os.Mkdir(to, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	case info.Mode().IsRegular():
		content, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(to, content, 0o600); err != nil {
			return err
		}
	default:
		return errors.New("neither folder, file nor link")
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		if err := os.Lchown(to, int(st.Uid), int(st.Gid)); err != nil {
			return err
		}
	}
	return os.Chmod(to, info.Mode().Perm())
}
