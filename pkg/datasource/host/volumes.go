package host

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/blockdev"
	"github.com/testudo-os/testudo/pkg/datasource"
)

// volumes lists what a source could live on: ISO 9660 and FAT with any label,
// and discs whose file system is not known here, which may be UDF. Problems are
// devices that cannot be read.
func volumes() (out []datasource.Volume, problems []string) {
	devices, err := blockdev.Host().List()
	if err != nil {
		return nil, []string{err.Error()}
	}
	for _, d := range devices {
		info, err := d.Probe()
		switch {
		case errors.Is(err, unix.ENOMEDIUM):
		case err != nil:
			problems = append(problems, err.Error())
		case info.Type == blockdev.ISO9660 || info.Type == blockdev.VFAT:
			out = append(out, datasource.Volume{Device: d.Path, Type: string(info.Type), Label: info.Label})
		case info.Type == blockdev.None && strings.HasPrefix(d.Name, "sr"):
			out = append(out, datasource.Volume{Device: d.Path, Type: "udf"})
		}
	}
	return out, problems
}

// Mounter mounts volumes below a directory of its own, such as layout.RunDir.
type Mounter struct{ Below string }

// Mount mounts read-only; nothing on the volume can be a device, run, or give
// privileges, and only root can look into the place.
func (m Mounter) Mount(v datasource.Volume) (string, func() error, error) {
	dir, err := os.MkdirTemp(m.Below, "seed-")
	if err != nil {
		return "", nil, fmt.Errorf("make mount point: %w", err)
	}
	flags := uintptr(unix.MS_RDONLY | unix.MS_NODEV | unix.MS_NOSUID | unix.MS_NOEXEC)
	if err := unix.Mount(v.Device, dir, v.Type, flags, ""); err != nil {
		return "", nil, errors.Join(fmt.Errorf("mount as %s: %w", v.Type, err), os.Remove(dir))
	}
	return dir, func() error {
		if err := unix.Unmount(dir, unix.UMOUNT_NOFOLLOW); err != nil {
			// Busy, by whatever chance: at least it goes when it no longer is.
			if lazy := unix.Unmount(dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); lazy != nil {
				return err
			}
		}
		return os.Remove(dir)
	}, nil
}
