package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/mount"
	"github.com/testudo-os/testudo/pkg/verityimage"
)

// sysroot is where the system image is mounted before it becomes /.
const sysroot = "/sysroot"

// mountSystemImage makes the image, which is in the initial ramfs or on the
// boot partition, a verified block device and mounts it. What the image must
// be is said by the root hash in the initial ramfs either way.
func (m *machine) mountSystemImage(ctx context.Context) error {
	text, err := os.ReadFile(layout.InitramfsRootHash)
	if err != nil {
		return fmt.Errorf("read the system image's root hash: %w", err)
	}
	root, err := verityimage.ParseRoot(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", layout.InitramfsRootHash, err)
	}
	file, flags := layout.InitramfsImage, []string{
		// It is in memory and nothing can write to it: what was verified once
		// need not be hashed each time the page cache drops it.
		"check_at_most_once",
	}
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		if file, err = m.findImage(ctx, root); err != nil {
			return err
		}
		flags = nil
	}
	device, err := verityimage.Attach(file, "system", root, flags...)
	if err != nil {
		return err
	}
	if err := os.Mkdir(sysroot, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("mount the system image: %w", err)
	}
	return mount.Image(device, sysroot).Do("/")
}

// switchRoot makes the system image /. The process stays the same: there is
// nothing to start anew, and the initial ramfs cannot be left by pivot_root.
func (m *machine) switchRoot(context.Context) error {
	for _, early := range mount.Early() {
		if err := mount.Move(early.Target, sysroot+early.Target); err != nil {
			return err
		}
	}
	// What is not needed any more would occupy memory until the machine is off.
	for _, file := range []string{"/init", layout.InitramfsRootHash, layout.InitramfsModules} {
		if err := os.RemoveAll(file); err != nil {
			m.log.Warnf("free the initial ramfs: %v", err)
		}
	}
	if m.espDevice != "" {
		if err := mount.Move(layout.ESP, sysroot+layout.ESP); err != nil {
			return err
		}
	}
	if err := os.Chdir(sysroot); err != nil {
		return fmt.Errorf("enter the system image: %w", err)
	}
	if err := mount.Move(".", "/"); err != nil {
		return err
	}
	if err := chroot("."); err != nil {
		return fmt.Errorf("enter the system image: %w", err)
	}
	m.inImage = true
	return nil
}

// releaseName is the release's version out of os-release(5).
func releaseName() string {
	text, err := os.ReadFile(layout.OSRelease)
	if err != nil {
		return ""
	}
	return osReleaseValue(string(text), "VERSION_ID")
}

func osReleaseValue(text, key string) string {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			return strings.Trim(value, `"'`)
		}
	}
	return ""
}
