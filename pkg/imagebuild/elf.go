package imagebuild

import (
	"bytes"
	"debug/elf"
	"fmt"
	"path"
	"strings"

	"github.com/testudo-os/testudo/pkg/filetree"
)

// libraryDirs is where the dynamic loader looks without being told (no
// /etc/ld.so.cache is made).
var libraryDirs = [...]string{"/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"}

// needs is what an ELF file asks the dynamic loader for.
type needs struct {
	sonames []string
	dirs    []string // its own search path, then the loader's
	interp  string
}

// readELF returns nil for what is no ELF file.
func readELF(p string, n *filetree.Node) (*needs, error) {
	if n.Type != filetree.File || n.Size < 64 {
		return nil, nil
	}
	if n.Source != "" { // a program that was built, never a script
		f, err := elf.Open(n.Source)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		defer f.Close()
		return elfNeeds(p, f)
	}
	if !bytes.HasPrefix(n.Data, []byte(elf.ELFMAG)) {
		return nil, nil
	}
	f, err := elf.NewFile(bytes.NewReader(n.Data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	return elfNeeds(p, f)
}

func elfNeeds(p string, f *elf.File) (*needs, error) {
	if f.Section(".dynamic") == nil {
		return &needs{}, nil // static, or an object file
	}
	var n needs
	var err error
	if n.sonames, err = f.ImportedLibraries(); err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	for _, tag := range []elf.DynTag{elf.DT_RUNPATH, elf.DT_RPATH} {
		values, err := f.DynString(tag)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		for _, v := range values {
			for _, dir := range strings.Split(v, ":") {
				for _, origin := range []string{"$ORIGIN", "${ORIGIN}"} {
					dir = strings.ReplaceAll(dir, origin, path.Dir(p))
				}
				if path.IsAbs(dir) {
					n.dirs = append(n.dirs, filetree.Merged(dir))
				}
			}
		}
	}
	n.dirs = append(n.dirs, libraryDirs[:]...)
	if s := f.Section(".interp"); s != nil {
		data, err := s.Data()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		n.interp = strings.TrimRight(string(data), "\x00")
	}
	return &n, nil
}

// missing lists what t does not have.
func (n *needs) missing(t *filetree.Tree) []string {
	var all []string
	for _, so := range n.sonames {
		if !n.finds(t, so) {
			all = append(all, so)
		}
	}
	if n.interp != "" {
		if _, node := t.Lookup(n.interp); node == nil {
			all = append(all, n.interp)
		}
	}
	return all
}

func (n *needs) finds(t *filetree.Tree, so string) bool {
	for _, dir := range n.dirs {
		if _, node := t.Lookup(path.Join(dir, so)); node != nil && node.Type == filetree.File {
			return true
		}
	}
	return false
}

// checkLibraries reports every ELF file of up that cannot be loaded in full.
func checkLibraries(up, full *filetree.Tree) error {
	var bad []string
	for _, p := range up.Paths() {
		n, err := readELF(p, up.Get(p))
		if err != nil {
			return err
		}
		if n == nil {
			continue
		}
		for _, so := range n.missing(full) {
			bad = append(bad, fmt.Sprintf("%s needs %s", p, so))
		}
	}
	if len(bad) > 0 {
		return fmt.Errorf("shared libraries are missing:\n  %s", strings.Join(bad, "\n  "))
	}
	return nil
}
