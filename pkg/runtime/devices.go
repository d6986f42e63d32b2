package runtime

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// statDevice describes a device node; a symbolic link is followed.
func statDevice(path string) (specs.LinuxDevice, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return specs.LinuxDevice{}, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	kind := ""
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFBLK:
		kind = "b"
	case unix.S_IFCHR:
		kind = "c"
	default:
		return specs.LinuxDevice{}, fmt.Errorf("%s is not a device", path)
	}
	mode := os.FileMode(st.Mode & 0o7777)
	uid, gid := st.Uid, st.Gid
	return specs.LinuxDevice{
		Path: path, Type: kind, FileMode: &mode, UID: &uid, GID: &gid,
		Major: int64(unix.Major(uint64(st.Rdev))), Minor: int64(unix.Minor(uint64(st.Rdev))),
	}, nil
}

// listDevices lists the nodes below dir, without those that every container
// has of its own.
func listDevices(dir string) ([]specs.LinuxDevice, error) {
	var list []specs.LinuxDevice
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil && path != dir:
			return nil // it went while we looked
		case err != nil:
			return err
		}
		name := strings.TrimPrefix(path, dir+"/")
		if entry.IsDir() {
			if name == "pts" || name == "shm" || name == "mqueue" || name == "fd" {
				return fs.SkipDir
			}
			return nil
		}
		if entry.Type()&fs.ModeDevice == 0 || name == "console" || name == "ptmx" {
			return nil
		}
		device, err := statDevice(path)
		if err != nil {
			return nil // it went while we looked
		}
		list = append(list, device)
		return nil
	})
	return list, err
}
