package imagebuild

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

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
	if p.CGO {
		cc, pkgConfig, err := b.compiler(ctx, p.Static)
		if err != nil {
			return g, fmt.Errorf("compiler for %s: %w", p.Package, err)
		}
		g.Env["CC"], g.Env["PKG_CONFIG"] = cc, pkgConfig
	}
	if len(p.Static) > 0 {
		g.LDFlags = strings.TrimSpace(g.LDFlags + " -linkmode external -extldflags -static")
	}
	return g, nil
}
