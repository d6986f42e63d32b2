package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/testudo-os/testudo/pkg/diskimage"
	"github.com/testudo-os/testudo/pkg/initramfs"
	"github.com/testudo-os/testudo/pkg/kernel"
	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/sysimg"
	"github.com/testudo-os/testudo/pkg/uki"
)

// efiPrograms is where Debian's systemd-boot-efi has the loader and the stub.
const efiPrograms = "usr/lib/systemd/boot/efi"

// installedArguments are the kernel arguments of an installed system: a console
// on the screen and one on the first serial port, and after a panic the machine
// starts again.
const installedArguments = "console=tty0 console=ttyS0,115200 panic=30"

// The disk image's parts. The file is sparse; on a larger disk the state grows.
const (
	espSize   = 1 << 30 // three releases and what is left of the next
	stateSize = 1 << 30
)

// loaderConf is systemd-boot's configuration (loader.conf(5)): time for a
// person to choose, which a machine that starts by itself hardly feels.
const loaderConf = "timeout 2\nconsole-mode keep\n"

// diskName is the disk image's file in dist/.
func diskName(variant, version string) string {
	if variant == "default" {
		return "testudo-" + version + "-amd64.raw"
	}
	return "testudo-" + variant + "-" + version + "-amd64.raw"
}

// writeDisk makes the disk image of an installed system, unless it is there.
func (b *builder) writeDisk(ctx context.Context, variant string) error {
	epoch, err := sourceEpoch()
	if err != nil {
		return err
	}
	version, err := projectVersion()
	if err != nil {
		return err
	}
	work := filepath.Join(cacheDir, "disk")
	if err := os.MkdirAll(work, 0o755); err != nil {
		return err
	}
	image := b.system[variant]
	unified, conf := filepath.Join(work, "unified.efi"), filepath.Join(work, "loader.conf")
	if err := b.writeUKI(unified, image); err != nil {
		return err
	}
	if err := os.WriteFile(conf, []byte(loaderConf), 0o644); err != nil {
		return err
	}
	boot := b.tools.Path(efiPrograms + "/systemd-bootx64.efi")
	content := diskimage.Content{
		Epoch: epoch,
		Sizes: diskimage.Sizes{ESP: espSize, State: stateSize},
		Files: []diskimage.File{
			{Path: "EFI/BOOT/BOOTX64.EFI", Source: boot},
			{Path: "EFI/systemd/systemd-bootx64.efi", Source: boot},
			{Path: "EFI/Linux/testudo-" + version + ".efi", Source: unified},
			{Path: "loader/loader.conf", Source: conf},
			{Path: path.Join(layout.ESPSystem, image.RootHash+".img"), Source: image.Path},
		},
	}
	file := filepath.Join(distDir, diskName(variant, version))
	record := filepath.Join(work, filepath.Base(file)+".made")
	id, err := content.ID()
	if err != nil || untouched(file, record, id) {
		return err
	}
	if err := diskimage.Write(ctx, b.tools.Command, file, content); err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	return os.WriteFile(record, []byte(madeRecord(id, info)), 0o644)
}

// untouched says whether the file is still what was made of the same content:
// who boots a disk image writes to it.
func untouched(file, record, id string) bool {
	info, err := os.Stat(file)
	if err != nil {
		return false
	}
	made, err := os.ReadFile(record)
	return err == nil && string(made) == madeRecord(id, info)
}

func madeRecord(id string, info os.FileInfo) string {
	return fmt.Sprintf("%s %d\n", id, info.ModTime().UnixNano())
}

// writeUKI makes the unified kernel image that boots a system image on the
// boot partition.
func (b *builder) writeUKI(file string, image *sysimg.File) error {
	modules, err := b.kernel.BootModules(kernel.OnBootPartition)
	if err != nil {
		return err
	}
	var ramfs bytes.Buffer
	if err := initramfs.Write(&ramfs, initramfs.Content{Init: b.init, Modules: modules, RootHash: image.RootHashFile()}); err != nil {
		return err
	}
	stub, err := os.ReadFile(b.tools.Path(efiPrograms + "/linuxx64.efi.stub"))
	if err != nil {
		return err
	}
	linux, err := os.ReadFile(b.kernel.Image)
	if err != nil {
		return err
	}
	release := b.root.Get(layout.OSRelease)
	if release == nil {
		return fmt.Errorf("the system has no %s", layout.OSRelease)
	}
	osRelease, err := release.Read()
	if err != nil {
		return err
	}
	unified, err := uki.Build(stub, []uki.Section{
		{Name: ".osrel", Data: osRelease},
		{Name: ".cmdline", Data: []byte(installedArguments)},
		{Name: ".uname", Data: []byte(b.kernel.Release)},
		{Name: ".initrd", Data: ramfs.Bytes()},
		{Name: ".linux", Data: linux},
	})
	if err != nil {
		return fmt.Errorf("unified kernel image: %w", err)
	}
	return writeAtomic(file, func(f *os.File) error {
		w := bufio.NewWriter(f)
		if _, err := w.Write(unified); err != nil {
			return err
		}
		return w.Flush()
	})
}
