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
// in. Drivers of disks are in the system image.
func required() []string { return []string{"loop", "dm_mod", "dm_verity", "erofs"} }

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
