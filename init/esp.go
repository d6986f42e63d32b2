package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/testudo-os/testudo/pkg/blockdev"
	"github.com/testudo-os/testudo/pkg/kmod"
	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/mount"
	"github.com/testudo-os/testudo/pkg/verityimage"
)

// imageWait bounds the search for the boot partition: USB disks and storage
// networks take their time. Without the image there is nothing to boot.
const imageWait = 60 * time.Second

// espModules are what the boot partition's file system needs, and no device
// asks for: mount.ESP names its character sets.
func espModules() []string { return []string{"vfat", "nls_cp437", "nls_ascii"} }

// findImage mounts the boot partition that holds the image with this root hash,
// and gives the image's path. Several disks may have such a partition: an
// installer's and an installed one.
func (m *machine) findImage(ctx context.Context, root verityimage.Root) (string, error) {
	loader, err := m.loader(layout.InitramfsModules, func(*kmod.Module) bool { return true })
	if err != nil {
		return "", err
	}
	if err := loader.Load(ctx, espModules()...); err != nil {
		return "", err
	}
	m.coldplug(ctx, loader)
	image := filepath.Join(layout.ESP, layout.ESPSystem, fmt.Sprintf("%x.img", root.Hash))
	wait, cancel := context.WithTimeout(ctx, imageWait)
	defer cancel()
	// Nothing tells when all disks have been found: they are looked at again
	// and again until one has it.
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		device, err := mountESP(image)
		if err == nil {
			m.espDevice = device
			m.log.Infof("system image: on %s", device)
			return image, nil
		}
		select {
		case <-tick.C:
			// Drivers of what was found in the meantime.
			m.coldplug(ctx, loader)
		case <-wait.Done():
			return "", fmt.Errorf("find the boot partition with %s: %w", filepath.Base(image), err)
		}
	}
}

// mountESP mounts the first boot partition on which file exists, and gives its
// device.
func mountESP(file string) (string, error) {
	// A disk that cannot be read is none that holds it.
	found, err := blockdev.Host().Find(layout.ESPLabel, blockdev.VFAT)
	if len(found) == 0 {
		return "", errors.Join(fmt.Errorf("no disk is labelled %s", layout.ESPLabel), err)
	}
	var errs []error
	for _, device := range found {
		err := mount.ESP(device.Path).Do("/")
		if err == nil {
			if _, err = os.Stat(file); err == nil {
				return device.Path, nil
			}
			err = errors.Join(err, mount.Undo(layout.ESP))
		}
		errs = append(errs, fmt.Errorf("%s: %w", device.Path, err))
	}
	return "", errors.Join(errs...)
}
