package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/testudo-os/testudo/pkg/layout"
)

// Bind is one folder that lasts: From on the state disk appears at To.
type Bind struct {
	From, To string
	Mode     os.FileMode
	Shared   bool // mounts made there are seen by all who have the folder
}

// Binds is the table of what lasts. docs/state.md shows it to users.
func Binds(mode string) []Bind {
	docker := layout.StateDocker
	if mode == ModeReadOnly {
		// Docker cannot put its overlays over ours: its data lives in plain RAM.
		docker = filepath.Join(ramBelow, "docker")
	}
	return []Bind{
		{From: layout.StateHome, To: "/home", Mode: 0o755},
		{From: layout.StateRoot, To: "/root", Mode: 0o700},
		{From: layout.StateTestudo, To: layout.VarTestudo, Mode: 0o755},
		{From: layout.StateLog, To: layout.VarLog, Mode: 0o755},
		{From: docker, To: "/var/lib/docker", Mode: 0o710, Shared: true},
	}
}

// Folder is one folder, or symbolic link, that each boot makes.
type Folder struct {
	Path string
	Mode os.FileMode
	Link string // it is a link to this
}

// Folders are those that others rely on: before the binds those in RAM, after
// them those on the state disk.
func Folders() (inRAM, lasting []Folder) {
	inRAM = []Folder{
		{Path: layout.RunDir, Mode: 0o755},
		{Path: "/run/lock", Mode: 0o777 | os.ModeSticky},
		{Path: layout.SyslogDir, Mode: 0o755},
		{Path: "/run/docker", Mode: 0o711},
		{Path: "/run/netns", Mode: 0o755},
		{Path: "/run/user", Mode: 0o755},
		{Path: "/var/cache", Mode: 0o755},
		{Path: "/var/lib", Mode: 0o755},
		{Path: "/var/lib/docker", Mode: 0o710},
		{Path: "/var/spool", Mode: 0o755},
		{Path: "/var/tmp", Mode: 0o777 | os.ModeSticky},
		{Path: "/var/run", Link: "/run"},
		{Path: "/var/lock", Link: "/run/lock"},
		{Path: layout.VarTestudo, Mode: 0o755},
		{Path: layout.VarLog, Mode: 0o755},
	}
	lasting = []Folder{
		{Path: layout.ConfigDir, Mode: 0o755},
		{Path: layout.UserServices, Mode: 0o755},
		{Path: layout.SSHKeys, Mode: 0o700},
		{Path: layout.InstanceDir, Mode: 0o755},
		{Path: layout.ServiceLogs, Mode: 0o750},
	}
	return inRAM, lasting
}

// SharedFolders are those beside the binds in which services make mounts that
// outlive them.
func SharedFolders() []string { return []string{"/run/docker", "/run/netns", "/media", "/mnt"} }

// Make makes the folders below root and goes on after an error.
func Make(root string, folders []Folder) error {
	var errs []error
	for _, f := range folders {
		path := filepath.Join(root, f.Path)
		if f.Link != "" {
			if err := os.Symlink(f.Link, path); err != nil && !errors.Is(err, fs.ErrExist) {
				errs = append(errs, fmt.Errorf("make a link: %w", err))
			}
			continue
		}
		if err := MakeDir(path, f.Mode); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// MakeDir makes a folder with exactly this mode. One that is there keeps the
// mode it has: its owner may have changed it.
func MakeDir(path string, mode os.FileMode) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	if err := os.Mkdir(path, mode.Perm()); err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	if err := os.Chmod(path, mode); err != nil { // the umask, and the sticky bit
		return fmt.Errorf("make a folder: %w", err)
	}
	return nil
}
