package kernel

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// required are the modules without which no system image is reached: it is a
// compressed EROFS on dm-verity on a loop device. A kernel may have them built
// in.
func required() []string {
	return []string{
		"loop", "dm_mod", "dm_verity", "erofs", "overlay",
		"virtio_pci", "virtio_blk", "ext4", // the state disk of most virtual machines
		"isofs", "vfat", "nls_ascii", "nls_cp437", // seeds and boot partitions
	}
}

// optional are drivers for the disks of other machines and processors, where
// the kernel has them. They are loaded only when a device asks for them.
func optional() []string {
	return []string{
		"sha256_ssse3", // dm-verity hashes every block that is read
		"virtio_scsi", "virtio_mmio", "nvme", "sd_mod", "sr_mod", "ahci", "ata_piix", "ata_generic",
		"hv_vmbus", "hv_storvsc", "vmw_pvscsi", "mptspi", "mptsas", "xen_blkfront", "nd_pmem", "nfit",
		"xhci_pci", "ehci_pci", "usb_storage", "uas", "mmc_block", "sdhci_pci", "sdhci_acpi",
		"megaraid_sas", "mpt3sas", "hpsa", "aacraid",
		"nls_utf8", "efivarfs",
	}
}

// BootFile is one file of the initial ramfs's modules folder.
type BootFile struct {
	Name   string
	Source string // path of a file on the host, or
	Data   []byte // the content
}

// BootModules lists the files for the initial ramfs: the modules in one flat
// folder with depmod's tables cut down to them.
func (k *Kernel) BootModules() ([]BootFile, error) {
	read := func(name string) (string, error) {
		b, err := os.ReadFile(filepath.Join(k.Modules, name))
		return string(b), err
	}
	dep, err := read("modules.dep")
	if err != nil {
		return nil, err
	}
	builtin, err := read("modules.builtin")
	if err != nil {
		return nil, err
	}
	aliases, err := read("modules.alias")
	if err != nil {
		return nil, err
	}
	softdeps, err := read("modules.softdep")
	if err != nil {
		return nil, err
	}
	t, err := parseTable(dep, builtin)
	if err != nil {
		return nil, err
	}
	names, err := t.closure(required(), optional())
	if err != nil {
		return nil, fmt.Errorf("modules for the initial ramfs of %s: %w", k.Release, err)
	}
	files := []BootFile{
		{Name: "modules.alias", Data: []byte(filterAliases(aliases, names))},
		{Name: "modules.builtin", Data: []byte(builtin)},
		{Name: "modules.dep", Data: []byte(t.flat(names))},
		{Name: "modules.softdep", Data: []byte(filterSoftdeps(softdeps, names))},
	}
	for _, name := range names {
		files = append(files, BootFile{Name: path.Base(t.file[name]), Source: filepath.Join(k.Modules, t.file[name])})
	}
	return files, nil
}

// flat is modules.dep for a folder that holds the modules side by side.
func (t *table) flat(names []string) string {
	var b strings.Builder
	for _, name := range names {
		b.WriteString(path.Base(t.file[name]) + ":")
		for _, d := range t.deps[name] {
			if !t.builtin[d] {
				b.WriteString(" " + path.Base(t.file[d]))
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}
