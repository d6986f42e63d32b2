package datasource

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/blockdev"
)

// Host finds volumes among the machine's block devices and mounts them below
// a directory of its own, such as layout.RunDir.
type Host struct{ MountBelow string }

// Find looks at the labels of ISO 9660 and FAT file systems.
func (Host) Find(label string) ([]Volume, error) {
	devices, err := blockdev.Host().List()
	if err != nil {
		return nil, err
	}
	var volumes []Volume
	var errs []error
	for _, d := range devices {
		info, err := d.Probe()
		switch {
		case errors.Is(err, unix.ENOMEDIUM):
		case err != nil:
			errs = append(errs, err)
		case (info.Type == blockdev.ISO9660 || info.Type == blockdev.VFAT) && strings.EqualFold(info.Label, label):
			volumes = append(volumes, Volume{Device: d.Path, Type: string(info.Type)})
		}
	}
	return volumes, errors.Join(errs...)
}

// Mount mounts read-only; nothing on the volume can be a device, run, or give
// privileges, and only root can look into the place.
func (h Host) Mount(v Volume) (string, func() error, error) {
	dir, err := os.MkdirTemp(h.MountBelow, "seed-")
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
