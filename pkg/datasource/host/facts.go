// Package host is what datasources see of the machine we run on: its facts, its
// volumes, its network. rosd alone imports it, through pkg/settings.
package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/testudo-os/testudo/pkg/cmdline"
	"github.com/testudo-os/testudo/pkg/datasource"
	"github.com/testudo-os/testudo/pkg/datasource/smbios"
	"github.com/testudo-os/testudo/pkg/regularfile"
)

// Roots say where the machine is: other places in tests.
type Roots struct {
	Sys      string   // "/sys"
	Cmdline  string   // file with the kernel command line
	SeedDirs []string // where a seed may lie
}

// maxFirmware bounds a file of fw_cfg, and the SMBIOS table.
const maxFirmware = 4 << 20

// Facts looks at the machine, at its block devices too: for as long as ctx, a
// disk that does not answer must not keep the machine from starting.
func (r Roots) Facts(ctx context.Context) *datasource.Facts {
	type seen struct {
		volumes  []datasource.Volume
		problems []string
	}
	done := make(chan seen, 1)
	go func() {
		var s seen
		s.volumes, s.problems = volumes()
		done <- s
	}()
	f := r.named()
	select {
	case s := <-done:
		f.Volumes, f.Problems = s.volumes, s.problems
	case <-ctx.Done():
		f.Problems = []string{fmt.Sprintf("a disk does not say what is on it (%v): no disk is looked at", context.Cause(ctx))}
	}
	return f
}

// named are the facts that are read from files.
func (r Roots) named() *datasource.Facts {
	id := func(name string) string { return r.word("class/dmi/id/" + name) }
	f := &datasource.Facts{
		DMI: datasource.DMI{
			SysVendor: id("sys_vendor"), ProductName: id("product_name"), ProductVersion: id("product_version"),
			ProductSerial: id("product_serial"), ProductUUID: id("product_uuid"), ChassisAssetTag: id("chassis_asset_tag"),
			ChassisVendor: id("chassis_vendor"), BoardVendor: id("board_vendor"), BIOSVendor: id("bios_vendor"),
		},
		Hypervisor: r.word("hypervisor/uuid"),
	}
	if line, err := os.ReadFile(r.Cmdline); err == nil { // settings reports it
		f.Cmdline = cmdline.Parse(string(line))
	}
	if table, err := r.read("firmware/dmi/tables/DMI"); err == nil {
		f.OEMStrings = smbios.OEMStrings(table)
	}
	f.Firmware = r.firmware()
	for _, dir := range r.SeedDirs {
		for _, name := range []string{"user-data", "meta-data"} {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				f.SeedDirs = append(f.SeedDirs, dir)
				break
			}
		}
	}
	return f
}

// read reads a file of sysfs.
func (r Roots) read(name string) ([]byte, error) {
	return regularfile.Read(filepath.Join(r.Sys, name), maxFirmware)
}

// word is the text of a file of sysfs, or nothing.
func (r Roots) word(name string) string {
	b, err := r.read(name)
	if err != nil {
		return ""
	}
	return strings.ToValidUTF8(strings.TrimSpace(string(b)), "?")
}

// fwcfg is where the module qemu_fw_cfg shows the device.
const fwcfg = "firmware/qemu_fw_cfg/by_name"

// firmware lists the names in fw_cfg below opt/.
func (r Roots) firmware() []string {
	var out []string
	root := filepath.Join(r.Sys, fwcfg)
	_ = filepath.WalkDir(filepath.Join(root, "opt"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // not there, or gone
		}
		if dir, file := filepath.Split(path); file == "raw" {
			if name, err := filepath.Rel(root, filepath.Clean(dir)); err == nil {
				out = append(out, name)
			}
			return nil
		}
		// Entries are links to folders, and names with / are folders.
		if d.Type()&fs.ModeSymlink != 0 {
			if name, err := filepath.Rel(root, path); err == nil {
				out = append(out, name)
			}
		}
		return nil
	})
	return out
}

// Firmware reads one file of fw_cfg.
func (r Roots) Firmware(name string) ([]byte, error) {
	if !filepath.IsLocal(name) {
		return nil, fmt.Errorf("fw_cfg %q: %w", name, fs.ErrInvalid)
	}
	content, err := r.read(filepath.Join(fwcfg, name, "raw"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("fw_cfg %s: %w", name, err)
	}
	return content, err
}
