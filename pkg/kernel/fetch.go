package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/testudo-os/testudo/pkg/debian"
)

// Flavour selects one of Debian's kernels for amd64.
type Flavour string

// The kernels that Debian builds.
const (
	Cloud   Flavour = "cloud"   // drivers of virtual machines only
	Generic Flavour = "generic" // drivers of real machines too
)

func (f Flavour) metapackage() (string, error) {
	switch f {
	case Cloud:
		return "linux-image-cloud-amd64", nil
	case Generic:
		return "linux-image-amd64", nil
	}
	return "", fmt.Errorf("no kernel %q: cloud and generic are there", f)
}

// Kernel is an unpacked kernel.
type Kernel struct {
	Release string // uname -r
	Version string // of the Debian package
	Image   string // path of vmlinuz
	Modules string // path of what becomes /usr/lib/modules/RELEASE
}

// Command makes a command for a program by name; tools.Tools has it.
type Command func(ctx context.Context, name string, args ...string) *exec.Cmd

// Fetch downloads a kernel and makes it ready below cacheDir. What is there
// already is not made again.
func Fetch(ctx context.Context, archive *debian.Archive, command Command, cacheDir string, flavour Flavour) (*Kernel, error) {
	meta, err := flavour.metapackage()
	if err != nil {
		return nil, err
	}
	pkgs, debs, err := archive.Get(ctx, isImage, meta)
	if err != nil {
		return nil, fmt.Errorf("fetch kernel: %w", err)
	}
	if len(pkgs) != 1 {
		return nil, fmt.Errorf("fetch kernel: %s leads to %d kernel images, not to one", meta, len(pkgs))
	}
	pkg := pkgs[0]
	k := &Kernel{Release: strings.TrimPrefix(pkg.Name, "linux-image-"), Version: pkg.Version}
	// The number changes when what prepare does changes.
	root := filepath.Join(cacheDir, "kernel", k.Release+"_"+pkg.SHA256[:12]+"_3")
	k.Image = filepath.Join(root, "boot", "vmlinuz-"+k.Release)
	k.Modules = filepath.Join(root, "usr", "lib", "modules", k.Release)
	if _, err := os.Stat(root); err == nil {
		return k, nil
	}
	if err := prepare(ctx, command, flavour, k.Release, debs[0], root); err != nil {
		return nil, fmt.Errorf("prepare kernel %s: %w", k.Release, err)
	}
	return k, nil
}

// isImage keeps the kernel itself and drops the metapackage and the
// initramfs generators that it depends on.
func isImage(p debian.Package) bool {
	rest, ok := strings.CutPrefix(p.Name, "linux-image-")
	return ok && rest != "" && rest[0] >= '0' && rest[0] <= '9'
}

// prepare fills a folder beside root and renames it: root is whole or absent.
func prepare(ctx context.Context, command Command, flavour Flavour, release, deb, root string) (err error) {
	if err := os.MkdirAll(filepath.Dir(root), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(root), "prepare-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	if err := debian.Unpack(ctx, deb, tmp); err != nil {
		return err
	}
	if err := decompress(ctx, filepath.Join(tmp, "usr", "lib", "modules", release)); err != nil {
		return err
	}
	// depmod looks below lib/modules of its base directory.
	if err := os.Symlink("usr/lib", filepath.Join(tmp, "lib")); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	depmod := func() error {
		if out, err := command(ctx, "depmod", "-b", tmp, release).CombinedOutput(); err != nil {
			return fmt.Errorf("depmod: %w\n%s", err, out)
		}
		return nil
	}
	// Once to know what needs what, and again for what remains.
	if err := depmod(); err != nil {
		return err
	}
	if err := trim(filepath.Join(tmp, "usr", "lib", "modules", release), flavour); err != nil {
		return fmt.Errorf("trim modules: %w", err)
	}
	if err := depmod(); err != nil {
		return err
	}
	if err := os.Rename(tmp, root); !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil // another build was quicker
}
