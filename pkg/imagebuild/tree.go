package imagebuild

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/testudo-os/testudo/pkg/filetree"
)

// tree is the whole file tree of a recipe, with its bases.
func (b *Builder) tree(ctx context.Context, name string) (*filetree.Tree, error) {
	if _, err := b.recipes.Order(name); err != nil {
		return nil, err
	}
	a, err := b.assemble(ctx, b.recipes[name])
	if err != nil {
		return nil, err
	}
	b.used = append(b.used, a.packages...)
	return a.full, b.writeLock(false)
}

// WriteTree writes the whole file tree of a recipe to a tar archive, when out
// ends in .tar, or into a new directory.
func (b *Builder) WriteTree(ctx context.Context, name, out string) error {
	if !strings.HasSuffix(out, ".tar") {
		unlock, err := b.lockCache()
		if err != nil {
			return err
		}
		defer unlock()
		t, err := b.tree(ctx, name)
		if err != nil {
			return err
		}
		return t.WriteDir(out, b.cfg.Epoch)
	}
	cached, err := b.TreeTar(ctx, name)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(cached)
	if err != nil {
		return err
	}
	return os.WriteFile(out, data, 0o644)
}

// TreeTar is a tar archive, in the cache, of the whole file tree of a recipe.
// It is made again only when an input has changed.
func (b *Builder) TreeTar(ctx context.Context, name string) (string, error) {
	if _, err := b.recipes.Order(name); err != nil {
		return "", err
	}
	unlock, err := b.lockCache()
	if err != nil {
		return "", err
	}
	defer unlock()
	key, err := b.key(ctx, b.recipes[name])
	if err != nil {
		return "", fmt.Errorf("recipe %s: %w", name, err)
	}
	dir := filepath.Join(b.cfg.Cache, "trees")
	out := filepath.Join(dir, name+"-"+key+".tar")
	if _, err := os.Stat(out); err == nil {
		return out, nil
	}
	t, err := b.tree(ctx, name)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	old, err := filepath.Glob(filepath.Join(dir, name+"-*.tar"))
	if err != nil {
		return "", err
	}
	for _, f := range old {
		if err := os.Remove(f); err != nil {
			return "", err
		}
	}
	f, err := os.Create(out + ".part")
	if err != nil {
		return "", err
	}
	err = t.WriteTar(f, b.cfg.Epoch)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return "", err
	}
	return out, os.Rename(out+".part", out)
}
