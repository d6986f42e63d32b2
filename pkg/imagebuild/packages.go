package imagebuild

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/debian"
	"github.com/testudo-os/testudo/pkg/filetree"
	"github.com/testudo-os/testudo/pkg/recipe"
)

// entry is one file of a package, at its path under the merged /usr.
type entry struct {
	path string
	node *filetree.Node
}

// addPackages puts the files of the recipe's packages into t, and from the
// packages they depend on the shared objects that ELF files in t need. It
// returns the packages that something was taken from.
func (b *Builder) addPackages(ctx context.Context, r *recipe.Recipe, t *filetree.Tree) ([]debian.Package, error) {
	if len(r.Packages) == 0 {
		return nil, nil
	}
	named := func(p debian.Package) bool { return slices.Contains(r.Packages, p.Name) }
	pkgs, debs, err := b.archive.Get(ctx, named, r.Packages...)
	if err != nil {
		return nil, err
	}
	f := newFilter(r)
	for i, p := range pkgs {
		entries, err := readDeb(ctx, debs[i])
		if err != nil {
			return nil, err
		}
		if err := addEntries(t, p.Name, entries, f, r.SetUID); err != nil {
			return nil, fmt.Errorf("package %s: %w", p.Name, err)
		}
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	for _, name := range r.Packages {
		if !slices.ContainsFunc(pkgs, func(p debian.Package) bool { return p.Name == name }) {
			return nil, fmt.Errorf("package %s is a virtual one: name the package itself", name)
		}
	}
	libs, err := b.addLibraries(ctx, r, t)
	return append(pkgs, libs...), err
}

func addEntries(t *filetree.Tree, pkg string, entries []entry, f *filter, setuid []string) error {
	for _, e := range entries {
		if e.node.Type == filetree.Dir || !f.keep(pkg, e.path) {
			continue
		}
		n := *e.node
		if n.Mode&0o6000 != 0 && n.Type == filetree.File && !slices.Contains(setuid, e.path) {
			n.Mode &^= 0o6000
		}
		if err := t.Add(e.path, &n); err != nil {
			return err
		}
	}
	// A directory comes with what is in it; empty ones are the recipe's to ask for.
	for _, e := range entries {
		if e.node.Type == filetree.Dir && t.Get(e.path) != nil {
			if err := t.AddDir(e.path, e.node); err != nil {
				return err
			}
		}
	}
	return nil
}

// addLibraries takes shared objects from what the packages depend on until
// every ELF file has what it needs, or nothing more is found.
func (b *Builder) addLibraries(ctx context.Context, r *recipe.Recipe, t *filetree.Tree) ([]debian.Package, error) {
	type want struct {
		needs *needs
		so    string
	}
	var queue []want
	look := func(p string) error {
		n, err := readELF(p, t.Get(p))
		if err != nil || n == nil {
			return err
		}
		for _, so := range n.sonames {
			if !n.finds(t, so) {
				queue = append(queue, want{n, so})
			}
		}
		return nil
	}
	for _, p := range t.Paths() {
		if err := look(p); err != nil {
			return nil, err
		}
	}
	if len(queue) == 0 {
		return nil, nil
	}
	candidate := func(p debian.Package) bool {
		return !slices.Contains(r.Packages, p.Name) && (p.Section == "libs" || strings.HasPrefix(p.Name, "lib"))
	}
	pkgs, debs, err := b.archive.Get(ctx, candidate, r.Packages...)
	if err != nil {
		return nil, err
	}
	type provider struct {
		pkg   int
		entry entry
	}
	files := map[string]provider{}
	for i := range pkgs {
		entries, err := readDeb(ctx, debs[i])
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.node.Type != filetree.Dir {
				files[e.path] = provider{i, e}
			}
		}
	}
	used := map[int]bool{}
	for len(queue) > 0 {
		w := queue[0]
		queue = queue[1:]
		if w.needs.finds(t, w.so) {
			continue
		}
		for _, dir := range w.needs.dirs {
			p := path.Join(dir, w.so)
			found, ok := files[p]
			// A soname is a link to the file with the full version, in the same folder.
			for ok {
				used[found.pkg] = true
				if err := t.Add(p, found.entry.node); err != nil {
					return nil, err
				}
				if found.entry.node.Type != filetree.Symlink {
					if err := look(p); err != nil {
						return nil, err
					}
					break
				}
				p = path.Join(path.Dir(p), found.entry.node.Target)
				found, ok = files[p]
			}
			if ok {
				break
			}
		}
	}
	var libs []debian.Package
	for i, p := range pkgs {
		if used[i] {
			libs = append(libs, p)
		}
	}
	return libs, nil
}

// readDeb reads a package's files into memory.
func readDeb(ctx context.Context, deb string) ([]entry, error) {
	var all []entry
	err := debian.Walk(ctx, deb, func(h *tar.Header, r io.Reader) error {
		p := filetree.Merged(h.Name)
		n := &filetree.Node{Mode: uint32(h.Mode) & 0o7777, UID: h.Uid, GID: h.Gid}
		switch h.Typeflag {
		case tar.TypeDir:
			if slices.Contains([]string{"/", "/bin", "/sbin", "/lib", "/lib64"}, p) {
				return nil
			}
			n.Type = filetree.Dir
		case tar.TypeSymlink:
			n = filetree.NewLink(h.Linkname)
		case tar.TypeLink:
			// Hard links do not survive being split between layers.
			n = filetree.NewLink(filetree.Merged(h.Linkname))
		case tar.TypeReg:
			data, err := io.ReadAll(r)
			if err != nil {
				return err
			}
			n = filetree.NewFile(data, n.Mode)
			n.UID, n.GID = h.Uid, h.Gid
		default:
			return fmt.Errorf("%s: unexpected type %q in a package", h.Name, h.Typeflag)
		}
		all = append(all, entry{p, n})
		return nil
	})
	return all, err
}

// addStatus notes packages where scanners look for them in images without
// dpkg, one control stanza each.
func (b *Builder) addStatus(ctx context.Context, t *filetree.Tree, pkgs []debian.Package) error {
	for _, p := range pkgs {
		text, err := debian.Control(ctx, b.archive.Path(p))
		if err != nil {
			return err
		}
		if err := t.Add("/var/lib/dpkg/status.d/"+p.Name, filetree.NewFile([]byte(text), 0o644)); err != nil {
			return err
		}
	}
	return nil
}
