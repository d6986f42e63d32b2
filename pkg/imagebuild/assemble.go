package imagebuild

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/testudo-os/testudo/pkg/debian"
	"github.com/testudo-os/testudo/pkg/filetree"
	"github.com/testudo-os/testudo/pkg/recipe"
)

// assembled is a recipe's whole file tree.
type assembled struct {
	full, base *filetree.Tree
	packages   []debian.Package // of this recipe, without its bases'
}

// assemble puts a recipe's tree together, on top of its base's.
func (b *Builder) assemble(ctx context.Context, r *recipe.Recipe) (*assembled, error) {
	if a := b.trees[r.Name]; a != nil {
		return a, nil
	}
	a := &assembled{base: filetree.New()}
	if r.Base != "" {
		below, err := b.assemble(ctx, b.recipes[r.Base])
		if err != nil {
			return nil, err
		}
		a.base = below.full
	}
	a.full = a.base.Clone()
	err := b.fill(ctx, r, a)
	if err != nil {
		return nil, fmt.Errorf("recipe %s: %w", r.Name, err)
	}
	b.trees[r.Name] = a
	return a, nil
}

func (b *Builder) fill(ctx context.Context, r *recipe.Recipe, a *assembled) (err error) {
	t := a.full
	if a.packages, err = b.addPackages(ctx, r, t); err != nil {
		return err
	}
	if err := concatenate(t, r.Concatenate); err != nil {
		return err
	}
	for _, p := range r.Programs {
		built, err := b.program(ctx, r, p)
		if err != nil {
			return err
		}
		n, err := filetree.FileFrom(built, 0o755)
		if err != nil {
			return err
		}
		if err := t.Add(p.Path, n); err != nil {
			return err
		}
	}
	if err := b.addRootfs(r, t); err != nil {
		return err
	}
	if err := addAccounts(t, r); err != nil {
		return err
	}
	for _, d := range r.Directories {
		n := filetree.NewDir(uint32(d.Mode))
		if d.Mode == 0 {
			n.Mode = 0o755
		}
		n.UID, n.GID = d.UID, d.GID
		if err := t.Add(d.Path, n); err != nil {
			return err
		}
	}
	for p, target := range r.Symlinks {
		if err := t.Add(p, filetree.NewLink(target)); err != nil {
			return err
		}
	}
	for p, mode := range r.Modes {
		n := t.Get(p)
		if n == nil || n.Type == filetree.Symlink {
			return fmt.Errorf("modes: there is no file %s", p)
		}
		changed := *n
		changed.Mode = uint32(mode)
		if err := t.Add(p, &changed); err != nil {
			return err
		}
	}
	if err := b.addApplets(ctx, t, r.Applets); err != nil {
		return err
	}
	if err := b.addStatus(ctx, t, a.packages); err != nil {
		return err
	}
	up, err := t.Above(a.base)
	if err != nil {
		return err
	}
	return checkLibraries(up, t)
}

// concatenate joins files of packages, say certificates, into one.
func concatenate(t *filetree.Tree, all []recipe.Concatenate) error {
	for _, c := range all {
		from := compile(c.From)
		var text []byte
		var used []string
		for _, p := range t.Paths() {
			n := t.Get(p)
			if n.Type != filetree.File || !matches(from, p) {
				continue
			}
			data, err := n.Read()
			if err != nil {
				return err
			}
			text = append(text, data...)
			if len(data) > 0 && data[len(data)-1] != '\n' {
				text = append(text, '\n')
			}
			used = append(used, p)
		}
		if missed := unused(from); len(missed) > 0 {
			return fmt.Errorf("concatenate: nothing matches %s", strings.Join(missed, ", "))
		}
		for _, p := range used {
			t.Remove(p)
		}
		if err := t.Add(c.Path, filetree.NewFile(text, 0o644)); err != nil {
			return err
		}
	}
	return nil
}

// addRootfs lays the recipe's rootfs/ folder over the tree. Only the
// executable bit of modes is taken, as git does.
func (b *Builder) addRootfs(r *recipe.Recipe, t *filetree.Tree) error {
	expanded := map[string]bool{}
	root := filepath.Join(r.Dir, "rootfs")
	if _, err := os.Stat(root); err != nil {
		return nil
	}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil || file == root {
			return err
		}
		p := "/" + filepath.ToSlash(strings.TrimPrefix(file, root+string(filepath.Separator)))
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.IsDir():
			return t.AddDir(p, filetree.NewDir(0o755))
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(file)
			if err != nil {
				return err
			}
			return t.Add(p, filetree.NewLink(target))
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		mode := uint32(0o644)
		if info.Mode()&0o100 != 0 {
			mode = 0o755
		}
		if slices.Contains(r.Expand, p) {
			expanded[p] = true
			data = []byte(b.expand(string(data)))
		}
		return t.Add(p, filetree.NewFile(data, mode))
	})
	if err != nil {
		return err
	}
	for _, p := range r.Expand {
		if !expanded[p] {
			return fmt.Errorf("expand: rootfs has no %s", p)
		}
	}
	return nil
}

func (b *Builder) expand(text string) string {
	return strings.NewReplacer("@VERSION@", b.cfg.Version, "@BUILD_ID@", b.cfg.BuildID).Replace(text)
}

// addApplets links applets whose names are not taken in any folder for programs.
func (b *Builder) addApplets(ctx context.Context, t *filetree.Tree, a *recipe.Applets) error {
	if a == nil {
		return nil
	}
	n := t.Get(a.Of)
	if n == nil || n.Type != filetree.File {
		return fmt.Errorf("applets: there is no program %s", a.Of)
	}
	data, err := n.Read()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "applets-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, path.Base(a.Of))
	if err := os.WriteFile(program, data, 0o755); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, program, "--list").Output()
	if err != nil {
		return fmt.Errorf("applets: %s --list: %w", a.Of, err)
	}
	names := strings.Fields(string(out))
	sort.Strings(names)
	for _, name := range names {
		if slices.Contains(a.Except, name) || t.Get("/usr/bin/"+name) != nil || t.Get("/usr/sbin/"+name) != nil {
			continue
		}
		target := a.Of
		if path.Dir(a.Of) == a.Dir {
			target = path.Base(a.Of)
		}
		if err := t.Add(path.Join(a.Dir, name), filetree.NewLink(target)); err != nil {
			return err
		}
	}
	return nil
}
