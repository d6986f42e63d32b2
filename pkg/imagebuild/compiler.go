package imagebuild

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/testudo-os/testudo/pkg/debian"
)

// compilerPackages are what a cgo program is built with. The host's compiler
// and C library would make another program on each host, and a static one
// would carry the host's bugs.
func compilerPackages() []string { return []string{"gcc-14", "libc6-dev"} }

// compiler unpacks Debian's C compiler and C library, and the given -dev
// packages beside them, and returns a command for $CC and one for $PKG_CONFIG.
func (b *Builder) compiler(ctx context.Context, libraries []string) (cc, pkgConfig string, err error) {
	pkgs, debs, err := b.archive.Get(ctx, nil, append(compilerPackages(), libraries...)...)
	if err != nil {
		return "", "", err
	}
	b.used = append(b.used, pkgs...)
	id := sha256.New()
	fmt.Fprintln(id, "v1") // of the scripts
	for _, p := range pkgs {
		fmt.Fprintln(id, p.Name, p.Version, p.SHA256)
	}
	dir := filepath.Join(b.cfg.Cache, "compiler", hex.EncodeToString(id.Sum(nil)[:6]))
	bin, sysroot := filepath.Join(dir, "bin"), filepath.Join(dir, "root")
	cc, pkgConfig = filepath.Join(bin, "cc"), filepath.Join(bin, "pkg-config")
	if _, err := os.Stat(cc); err == nil {
		return cc, pkgConfig, nil
	}
	if err := os.RemoveAll(dir); err != nil { // what an earlier build did not finish
		return "", "", err
	}
	for _, deb := range debs {
		if err := debian.Unpack(ctx, deb, sysroot); err != nil {
			return "", "", err
		}
	}
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return "", "", err
	}
	return cc, pkgConfig, writeCompilerScripts(bin, sysroot)
}

// writeCompilerScripts makes the compiler run on any host, older ones too: each
// of its programs is started by the loader that came with it. gcc starts cc1
// and collect2 by "run"; collect2 and gcc find "as" and "ld" in bin. Last comes
// cc, which says that all is there.
func writeCompilerScripts(bin, sysroot string) error {
	lib := filepath.Join(sysroot, "usr/lib/x86_64-linux-gnu")
	load := fmt.Sprintf("%s/ld-linux-x86-64.so.2 --library-path %s", lib, lib)
	gcc, err := only(filepath.Join(sysroot, "usr/bin/x86_64-linux-gnu-gcc-[0-9]*"))
	if err != nil {
		return err
	}
	version := strings.TrimPrefix(filepath.Base(gcc), "x86_64-linux-gnu-gcc-")
	libs, err := pkgConfigCases(lib)
	if err != nil {
		return err
	}
	for _, s := range []struct{ name, text string }{
		{"pkg-config", "case \"$*\" in\n*--cflags*) ;;\n" + libs + "*) exit 1 ;;\nesac\n"},
		{"as", fmt.Sprintf("exec %s %s/usr/bin/x86_64-linux-gnu-as \"$@\"\n", load, sysroot)},
		{"ld", fmt.Sprintf("exec %s %s/usr/bin/x86_64-linux-gnu-ld \"$@\"\n", load, sysroot)},
		{"run", fmt.Sprintf("case \"$1\" in\n%s/*) exec \"$@\" ;;\nesac\nexec %s \"$@\"\n", bin, load)},
		{"cc", fmt.Sprintf("exec %s %s --sysroot=%s -B%s/ -B%s/usr/libexec/gcc/x86_64-linux-gnu/%s/ -B%s/usr/lib/gcc/x86_64-linux-gnu/%s/ -wrapper %s/run \"$@\"\n",
			load, gcc, sysroot, bin, sysroot, version, sysroot, version, bin)},
	} {
		if err := os.WriteFile(filepath.Join(bin, s.name), []byte("#!/bin/sh\n"+s.text), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// only is the one file that a pattern matches.
func only(pattern string) (string, error) {
	found, err := filepath.Glob(pattern)
	if err == nil && len(found) != 1 {
		err = errors.New("want one file, have " + fmt.Sprint(len(found)))
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", pattern, err)
	}
	return found[0], nil
}

// pkgConfigCases are lines of a shell's case, one for each library, that print
// how to link it. Headers and libraries lie where the compiler looks anyway.
func pkgConfigCases(lib string) (string, error) {
	files, err := filepath.Glob(filepath.Join(lib, "pkgconfig", "*.pc"))
	if err != nil {
		return "", err
	}
	var s strings.Builder
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&s, "*--libs*%s*) echo \"%s\" ;;\n",
			strings.TrimSuffix(filepath.Base(f), ".pc"), strings.Join(linkFlags(string(data)), " "))
	}
	return s.String(), nil
}

// linkFlags are the -l flags of a .pc file.
func linkFlags(pc string) []string {
	var all []string
	for _, line := range strings.Split(pc, "\n") {
		for _, key := range []string{"Libs:", "Libs.private:"} {
			for _, f := range strings.Fields(strings.TrimPrefix(line, key)) {
				if strings.HasPrefix(line, key) && strings.HasPrefix(f, "-l") {
					all = append(all, f)
				}
			}
		}
	}
	return all
}
