package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	localtime = "/etc/localtime" // bound from the machine's when the service was made
	zoneinfo  = "/usr/share/zoneinfo"
)

// rebindZone shows the zone of a changed configuration here. Programs that run
// have read the old one. An unknown zone leaves it as it is: rosd tells.
func rebindZone(zone string) error {
	from := filepath.Join(zoneinfo, cmp.Or(zone, "Etc/UTC"))
	if info, err := os.Stat(from); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	// Only what is a mount point goes; the image's own file stays below.
	if err := unix.Unmount(localtime, unix.MNT_DETACH); err != nil && err != unix.EINVAL {
		return fmt.Errorf("time zone: %w", err)
	}
	if err := unix.Mount(from, localtime, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("time zone: %w", err)
	}
	return nil
}
