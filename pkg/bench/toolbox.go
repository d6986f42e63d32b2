package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/testudo-os/testudo/pkg/debian"
	"github.com/testudo-os/testudo/pkg/qemu"
)

// toolbox is another one with two programs more, which only the bench needs.
type toolbox struct {
	qemu.Toolbox
	root string // unpacked Debian packages
}

// Equip adds what the bench needs to a toolbox: zstd, and mmdebstrap with a
// Perl of its own. No script of a package is run.
func Equip(ctx context.Context, tb qemu.Toolbox, archive *debian.Archive, dir string) (_ qemu.Toolbox, err error) {
	root := filepath.Join(dir, "tools")
	if _, err := os.Stat(root); err == nil {
		return &toolbox{tb, root}, nil
	}
	_, debs, err := archive.Get(ctx, func(p debian.Package) bool {
		return slices.Contains(toolPackages(), p.Name)
	}, "mmdebstrap", "perl", "zstd")
	if err != nil {
		return nil, err
	}
	tmp := root + ".new"
	if err := os.RemoveAll(tmp); err != nil {
		return nil, err
	}
	for _, d := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := errors.Join(os.MkdirAll(filepath.Join(tmp, "usr", d), 0o755), os.Symlink("usr/"+d, filepath.Join(tmp, d))); err != nil {
			return nil, err
		}
	}
	for _, deb := range debs {
		if err := debian.Unpack(ctx, deb, tmp); err != nil {
			return nil, err
		}
	}
	return &toolbox{tb, root}, os.Rename(tmp, root)
}

// toolPackages leaves out what scripts and other uses of these would want.
func toolPackages() []string {
	return []string{
		"mmdebstrap", "perl", "perl-base", "perl-modules-5.40", "libperl5.40", "zstd",
		"libc6", "libcrypt1", "libgcc-s1", "libstdc++6", "libzstd1", "liblz4-1", "liblzma5", "zlib1g",
		"libbz2-1.0", "libdb5.3t64", "libgdbm6t64", "libgdbm-compat4t64",
	}
}

func (t *toolbox) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	switch name {
	case "zstd":
		return t.own(ctx, append([]string{t.path("usr/bin/zstd")}, args...))
	case "mmdebstrap":
		perl := []string{t.path("usr/bin/perl")}
		for _, d := range []string{"usr/lib/x86_64-linux-gnu/perl/5.40", "usr/share/perl/5.40", "usr/lib/x86_64-linux-gnu/perl-base", "usr/share/perl5"} {
			perl = append(perl, "-I"+t.path(d))
		}
		return t.own(ctx, append(append(perl, t.path("usr/bin/mmdebstrap")), args...))
	}
	return t.Toolbox.Command(ctx, name, args...)
}

func (t *toolbox) path(p string) string {
	abs, err := filepath.Abs(filepath.Join(t.root, p))
	if err != nil {
		return filepath.Join(t.root, p)
	}
	return abs
}

// own runs a program with its own loader and libraries.
func (t *toolbox) own(ctx context.Context, command []string) *exec.Cmd {
	args := append([]string{"--library-path", t.path("usr/lib/x86_64-linux-gnu")}, command...)
	cmd := exec.CommandContext(ctx, t.path("usr/lib64/ld-linux-x86-64.so.2"), args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive")
	return cmd
}

// runTool runs a command and tells what it said when it fails.
func runTool(cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, lastLines(string(out), 15))
	}
	return nil
}
