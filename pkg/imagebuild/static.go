package imagebuild

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/debian"
	"github.com/testudo-os/testudo/pkg/gobuild"
	"github.com/testudo-os/testudo/pkg/recipe"
)

// program builds one program of a recipe.
func (b *Builder) program(ctx context.Context, r *recipe.Recipe, p recipe.Program) (string, error) {
	g, err := b.goProgram(ctx, r, p)
	if err != nil {
		return "", err
	}
	return b.gobuild.Build(ctx, g)
}

func (b *Builder) goProgram(ctx context.Context, r *recipe.Recipe, p recipe.Program) (gobuild.Program, error) {
	g := gobuild.Program{
		Package: p.Package, Tags: p.Tags, LDFlags: b.expand(p.LDFlags), GCFlags: p.GCFlags, CGO: p.CGO, Env: map[string]string{},
	}
	if p.Module != "" {
		g.Module = filepath.Join(r.Dir, p.Module)
	}
	for k, v := range p.Env {
		g.Env[k] = v
	}
	if len(p.Static) > 0 {
		script, err := b.staticLibraries(ctx, p.Static)
		if err != nil {
			return g, fmt.Errorf("static libraries of %s: %w", p.Package, err)
		}
		g.Env["PKG_CONFIG"] = script
		g.LDFlags = strings.TrimSpace(g.LDFlags + " -linkmode external -extldflags -static")
	}
	return g, nil
}

// staticLibraries unpacks Debian's -dev packages into the cache and returns a
// stand-in for pkg-config that points there: the host needs a C compiler, and
// neither pkg-config nor the libraries.
func (b *Builder) staticLibraries(ctx context.Context, names []string) (string, error) {
	pkgs, debs, err := b.archive.Get(ctx, func(p debian.Package) bool { return slices.Contains(names, p.Name) }, names...)
	if err != nil {
		return "", err
	}
	b.used = append(b.used, pkgs...)
	var id []string
	for _, p := range pkgs {
		id = append(id, p.Name+"_"+strings.ReplaceAll(p.Version, ":", "%3a"))
	}
	dir := filepath.Join(b.cfg.Cache, "static", strings.Join(id, "+"))
	script := filepath.Join(dir, "pkg-config")
	if _, err := os.Stat(script); err == nil {
		return script, nil
	}
	for _, deb := range debs {
		if err := debian.Unpack(ctx, deb, dir); err != nil {
			return "", err
		}
	}
	text, err := pkgConfigScript(dir)
	if err != nil {
		return "", err
	}
	return script, os.WriteFile(script, []byte(text), 0o755)
}

func pkgConfigScript(dir string) (string, error) {
	lib := filepath.Join(dir, "usr/lib/x86_64-linux-gnu")
	files, err := filepath.Glob(filepath.Join(lib, "pkgconfig", "*.pc"))
	if err != nil {
		return "", err
	}
	var s strings.Builder
	s.WriteString("#!/bin/sh\ncase \"$*\" in\n")
	fmt.Fprintf(&s, "*--cflags*) echo \"-I%s\" ;;\n", filepath.Join(dir, "usr/include"))
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&s, "*--libs*%s*) echo \"-L%s %s\" ;;\n",
			strings.TrimSuffix(filepath.Base(f), ".pc"), lib, strings.Join(linkFlags(string(data)), " "))
	}
	s.WriteString("*) exit 1 ;;\nesac\n")
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
