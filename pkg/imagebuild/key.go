package imagebuild

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/testudo-os/testudo/pkg/erofs"
	"github.com/testudo-os/testudo/pkg/filetree"
	"github.com/testudo-os/testudo/pkg/recipe"
)

// builderVersion is part of every key: raise it when the same recipe gives
// other images than before.
const builderVersion = "1"

// key is the digest of all that decides what is in an image's layers.
// Programs are built for it; Go's own cache makes that cheap.
func (b *Builder) key(ctx context.Context, r *recipe.Recipe) (string, error) {
	parts := []string{builderVersion, b.cfg.Epoch.UTC().String(), erofs.Compression{}.String()}
	if r.Base != "" {
		below, err := b.key(ctx, b.recipes[r.Base])
		if err != nil {
			return "", err
		}
		parts = append(parts, below)
	}
	text, err := os.ReadFile(filepath.Join(r.Dir, "image.yaml"))
	if err != nil {
		return "", err
	}
	parts = append(parts, string(text))
	if len(r.Expand) > 0 {
		parts = append(parts, b.cfg.Version, b.cfg.BuildID)
	}
	if len(r.Packages) > 0 {
		pkgs, err := b.archive.Resolve(ctx, r.Packages...)
		if err != nil {
			return "", err
		}
		for _, p := range pkgs {
			parts = append(parts, p.Name, p.SHA256)
		}
	}
	for _, p := range r.Programs {
		built, err := b.program(ctx, r, p)
		if err != nil {
			return "", err
		}
		n, err := filetree.FileFrom(built, 0)
		if err != nil {
			return "", err
		}
		parts = append(parts, p.Path, n.Digest())
	}
	files, err := rootfsDigest(filepath.Join(r.Dir, "rootfs"))
	return sum(append(parts, files)...), err
}

func rootfsDigest(root string) (string, error) {
	if _, err := os.Stat(root); err != nil {
		return "", nil
	}
	var parts []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		parts = append(parts, p[len(root):], fmt.Sprint(info.Mode()&(fs.ModeType|0o100)))
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			parts = append(parts, target)
			return err
		case d.Type().IsRegular():
			data, err := os.ReadFile(p)
			parts = append(parts, string(data))
			return err
		}
		return nil
	})
	return sum(parts...), err
}
