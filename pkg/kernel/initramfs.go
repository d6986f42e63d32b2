package kernel

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// required are the modules without which no system image is mounted: it is a
// compressed EROFS on dm-verity on a loop device. A kernel may have them built
// in.
func required() []string { return []string{"loop", "dm_mod", "dm_verity", "erofs"} }

// bootPartition are the modules for the file system on which the system image
// is, where it is not in the initial ramfs.
func bootPartition() []string { return []string{"vfat", "nls_cp437", "nls_ascii"} }

// diskDrivers are the folders of modules that lead to a disk.
func diskDrivers() []string {
	return []string{
		"ata", "block", "hv", "message/fusion", "mmc", "nvme", "pci", "scsi", "ufs", "usb/host", "usb/storage", "virtio", "xen",
	}
}

// diskModules are the modules in these folders. Others, that no disk that is
// started from needs, lie there too: a few hundred kilobytes.
func (t *table) diskModules() (names []string) {
	for name, file := range t.file {
		for _, folder := range diskDrivers() {
			if strings.HasPrefix(file, "kernel/drivers/"+folder+"/") {
				names = append(names, name)
			}
		}
	}
	return names
}

// optional are those that help, where the kernel has them.
func optional() []string {
	return []string{"sha256_ssse3"} // dm-verity hashes every block that is read
}

// BootFile is one file of the initial ramfs's modules folder.
type BootFile struct {
	Name   string
	Source string // path of a file on the host, or
	Data   []byte // the content
}

// Source says where the system image is at boot.
type Source int

// Where a system image can be.
const (
	InInitramfs     Source = iota // disks' drivers are in the image
	OnBootPartition               // they have to be in the initial ramfs
)

// BootModules lists the files for the initial ramfs: the modules in one flat
// folder with depmod's tables cut down to them.
func (k *Kernel) BootModules(source Source) ([]BootFile, error) {
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
	need := required()
	if source == OnBootPartition {
		need = slices.Concat(need, bootPartition(), t.diskModules())
	}
	names, err := t.closure(need, optional())
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
