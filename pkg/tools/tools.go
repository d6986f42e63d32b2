package tools

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/debian"
)

// packages are the Debian packages whose programs are wanted.
func packages() []string {
	return []string{
		"dnsmasq-base", "dosfstools", "e2fsprogs", "erofs-utils", "kmod", "mtools", "shellcheck", "xorriso",
		"qemu-system-x86", "seabios", "ipxe-qemu", "ovmf",
		"systemd-boot-efi", // boot loader and stub for the machines that are built, not for this one
	}
}

// unneeded are dependencies that only maintainer scripts and services have.
func unneeded(p debian.Package) bool {
	return slices.Contains([]string{"adduser", "base-passwd", "debconf", "login.defs", "passwd"}, p.Name)
}

// Tools is a folder of unpacked programs.
type Tools struct{ root string }

// DebianDir is where below the cache directory packages are downloaded to.
func DebianDir(cacheDir string) string { return filepath.Join(cacheDir, "debian") }

// Ensure unpacks the programs below cacheDir if they are not there yet. A
// folder that was unpacked once stays as it is: delete it to get newer
// programs.
func Ensure(ctx context.Context, cacheDir string, log func(format string, args ...any)) (*Tools, error) {
	cacheDir, err := filepath.Abs(cacheDir)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(strings.Join(packages(), "\n")))
	root := filepath.Join(cacheDir, "tools", hex.EncodeToString(sum[:6]))
	t := &Tools{root: root}
	if _, err := os.Stat(root); err == nil {
		return t, nil
	}
	if err := unpack(ctx, cacheDir, root, log); err != nil {
		return nil, fmt.Errorf("unpack Debian 13's tools: %w", err)
	}
	return t, nil
}

// unpack fills a folder beside root and renames it, so that root is whole or
// absent, also when two builds do this at once.
func unpack(ctx context.Context, cacheDir, root string, log func(format string, args ...any)) (err error) {
	archive, err := debian.Open(ctx, DebianDir(cacheDir), debian.Options{Log: log})
	if err != nil {
		return err
	}
	_, debs, err := archive.Get(ctx, func(p debian.Package) bool { return !unneeded(p) }, packages()...)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(root), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(root), "unpack-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	if err := mergedUsr(tmp); err != nil {
		return err
	}
	for _, deb := range debs {
		if err := debian.Unpack(ctx, deb, tmp); err != nil {
			return err
		}
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	err = os.Rename(tmp, root)
	if errors.Is(err, os.ErrExist) {
		return nil // another build was quicker
	}
	return err
}

// mergedUsr makes the links that base-files would bring.
func mergedUsr(root string) error {
	for _, d := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.MkdirAll(filepath.Join(root, "usr", d), 0o755); err != nil {
			return err
		}
		if err := os.Symlink("usr/"+d, filepath.Join(root, d)); err != nil {
			return err
		}
	}
	return nil
}

// Path is the path of a file of the tools, given as on a Debian system.
func (t *Tools) Path(name string) string { return filepath.Join(t.root, name) }

// Command is exec.CommandContext for a program of the tools. A program that is
// not there makes the command fail when it starts, as exec's does.
func (t *Tools) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	path, err := t.find(name)
	loader := t.Path("usr/lib64/ld-linux-x86-64.so.2")
	lib := t.Path("usr/lib/x86_64-linux-gnu")
	// --argv0: kmod, mtools and e2fsprogs look at the name they are called by.
	full := []string{"--library-path", lib, "--argv0", name, path}
	full = append(full, t.fixed(name)...)
	cmd := exec.CommandContext(ctx, loader, append(full, args...)...)
	cmd.Env = append(os.Environ(),
		"QEMU_MODULE_DIR="+filepath.Join(lib, "qemu"),
		"MKE2FS_CONFIG="+t.Path("etc/mke2fs.conf"),
		"MTOOLS_SKIP_CHECK=1",
		"LC_ALL=C.UTF-8")
	if err != nil {
		cmd.Err = err
	}
	return cmd
}

func (t *Tools) find(name string) (string, error) {
	for _, dir := range []string{"usr/bin", "usr/sbin"} {
		p := t.Path(filepath.Join(dir, name))
		if _, err := os.Stat(p); err == nil {
			return p, nil
		}
	}
	return "", fmt.Errorf("tools: no program %s: %w", name, exec.ErrNotFound)
}

// fixed are the arguments with which a program finds its files here.
func (t *Tools) fixed(name string) []string {
	if name != "qemu-system-x86_64" {
		return nil
	}
	return []string{"-L", t.Path("usr/share/qemu"), "-L", t.Path("usr/share/seabios"), "-L", t.Path("usr/lib/ipxe/qemu")}
}
