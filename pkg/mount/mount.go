// Package mount holds the table of file systems that every boot mounts, each
// with the strictest flags under which the system still works, and carries
// such tables out. It reads no configuration and no /etc/fstab. init imports
// it.
package mount

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/testudo-os/testudo/pkg/layout"
	"golang.org/x/sys/unix"
)

// Mount is one row: what mount(8) would be told.
type Mount struct {
	Source string
	Target string
	Type   string
	Flags  uintptr
	Data   string
	// Optional file systems may be unknown to this kernel or machine.
	Optional bool
	// Why says which of nosuid, nodev and noexec is missing and for what.
	Why string
}

// Short names for the flags in the tables.
const (
	nosuid   = unix.MS_NOSUID
	nodev    = unix.MS_NODEV
	noexec   = unix.MS_NOEXEC
	strict   = nosuid | nodev | noexec
	readonly = unix.MS_RDONLY
)

// Early are the mounts init cannot work without. They are made in the initial
// ramfs and moved to the real root.
func Early() []Mount {
	return []Mount{
		{Source: "proc", Target: "/proc", Type: "proc", Flags: strict},
		{Source: "sysfs", Target: "/sys", Type: "sysfs", Flags: strict},
		{Source: "devtmpfs", Target: "/dev", Type: "devtmpfs", Flags: nosuid | noexec, Data: "mode=0755",
			Why: "nodev: device nodes are what it is for"},
	}
}

// Late are the other mounts, made in the real root. /run and /tmp need no
// exec: what runs from containerd's folders there runs from mounts of its own,
// whose flags are theirs.
func Late() []Mount {
	return []Mount{
		{Source: "tmpfs", Target: "/run", Type: "tmpfs", Flags: strict, Data: "mode=0755,size=25%"},
		{Source: "tmpfs", Target: "/tmp", Type: "tmpfs", Flags: strict, Data: "mode=1777,size=25%"},
		{Source: "tmpfs", Target: "/etc", Type: "tmpfs", Flags: strict, Data: "mode=0755,size=16m"},
		{Source: "tmpfs", Target: "/var", Type: "tmpfs", Flags: strict, Data: "mode=0755,size=25%"},
		{Source: "tmpfs", Target: "/media", Type: "tmpfs", Flags: strict, Data: "mode=0755,size=1m"},
		{Source: "tmpfs", Target: "/mnt", Type: "tmpfs", Flags: strict, Data: "mode=0755,size=1m"},
		{Source: "devpts", Target: "/dev/pts", Type: "devpts", Flags: nosuid | noexec, Data: "gid=5,mode=0620,ptmxmode=0666",
			Why: "nodev: terminals are device nodes"},
		{Source: "tmpfs", Target: "/dev/shm", Type: "tmpfs", Flags: strict, Data: "mode=1777,size=25%"},
		{Source: "mqueue", Target: "/dev/mqueue", Type: "mqueue", Flags: strict},
		{Source: "cgroup2", Target: "/sys/fs/cgroup", Type: "cgroup2", Flags: strict, Data: "nsdelegate,memory_recursiveprot"},
		{Source: "securityfs", Target: "/sys/kernel/security", Type: "securityfs", Flags: strict, Optional: true},
		{Source: "bpf", Target: "/sys/fs/bpf", Type: "bpf", Flags: strict, Data: "mode=0700", Optional: true},
		{Source: "pstore", Target: "/sys/fs/pstore", Type: "pstore", Flags: strict, Optional: true},
	}
}

// Image is the system image's row: the root of the machine.
func Image(device, target string) Mount {
	return Mount{Source: device, Target: target, Type: "erofs", Flags: nodev | readonly | nosuid,
		Why: "noexec: the system's programs are on it"}
}

// ESP is the boot partition's row. Only who changes what boots writes to it,
// and remounts it for that; nobody but root looks into it.
func ESP(device string) Mount {
	return Mount{Source: device, Target: layout.ESP, Type: "vfat", Flags: strict | readonly,
		Data: "fmask=0177,dmask=0077,codepage=437,iocharset=ascii,errors=remount-ro"}
}

// EFIVars is mounted on machines started by UEFI.
func EFIVars() Mount {
	return Mount{Source: "efivarfs", Target: "/sys/firmware/efi/efivars", Type: "efivarfs", Flags: strict, Optional: true}
}

// Do makes one mount below root, and its folder where there is none.
func (m Mount) Do(root string) error {
	target := filepath.Join(root, m.Target)
	err := unix.Mount(m.Source, target, m.Type, m.Flags, m.Data)
	if errors.Is(err, unix.ENOENT) {
		if mkdir := os.MkdirAll(target, 0o755); mkdir != nil {
			if m.Optional {
				return nil
			}
			return fmt.Errorf("mount %s on %s: %w", m.Type, m.Target, mkdir)
		}
		err = unix.Mount(m.Source, target, m.Type, m.Flags, m.Data)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EBUSY) && m.Type == "devtmpfs":
		return nil // the kernel mounted it (CONFIG_DEVTMPFS_MOUNT)
	case m.Optional && (errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENOENT)):
		return nil // this kernel does not have it
	}
	return fmt.Errorf("mount %s on %s: %w", m.Type, m.Target, err)
}

// All makes the mounts of a table in order and goes on after an error.
func All(root string, table []Mount) error {
	var errs []error
	for _, m := range table {
		errs = append(errs, m.Do(root))
	}
	return errors.Join(errs...)
}

// Bind makes source appear at target as well, with the flags of source's own
// mount.
func Bind(source, target string) error {
	if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s on %s: %w", source, target, err)
	}
	return nil
}

// Shared makes dir a mount of its own, if it is none, whose mounts are seen by everyone who
// has it: a service can make mounts there that outlive it.
func Shared(dir string) error {
	err := unix.Mount("", dir, "", unix.MS_SHARED, "")
	if errors.Is(err, unix.EINVAL) { // not a mount yet
		if err := unix.Mount(dir, dir, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("bind %s on itself: %w", dir, err)
		}
		err = unix.Mount("", dir, "", unix.MS_SHARED, "")
	}
	if err != nil {
		return fmt.Errorf("share the mounts of %s: %w", dir, err)
	}
	return nil
}

// Undo unmounts what is mounted on target.
func Undo(target string) error {
	if err := unix.Unmount(target, unix.UMOUNT_NOFOLLOW); err != nil {
		return fmt.Errorf("unmount %s: %w", target, err)
	}
	return nil
}

// Move takes a mount, with all mounts below it, elsewhere.
func Move(from, to string) error {
	if err := unix.Mount(from, to, "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the mount %s to %s: %w", from, to, err)
	}
	return nil
}

// Targets reads mount points, oldest first, out of the text of
// /proc/PID/mountinfo (proc_pid_mountinfo(5)).
func Targets(mountinfo string) []string {
	var out []string
	for line := range strings.Lines(mountinfo) {
		if fields := strings.Fields(line); len(fields) > 4 {
			out = append(out, unescape(fields[4]))
		}
	}
	return out
}

// unescape undoes the kernel's \040 for blanks and the like.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && octal(s[i+1]) && octal(s[i+2]) && octal(s[i+3]) {
			b.WriteByte((s[i+1]-'0')<<6 | (s[i+2]-'0')<<3 | (s[i+3] - '0'))
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func octal(c byte) bool { return c >= '0' && c <= '7' }
