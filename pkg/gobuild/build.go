package gobuild

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"sort"
	"strings"
)

// Program says what to build and how.
type Program struct {
	Package string // ./cmd/x of the repository, or an import path
	Module  string // folder with the go.mod and go.sum that pin it; "": the repository's own
	Tags    []string
	LDFlags string // beside -s -w
	GCFlags string
	CGO     bool
	Env     map[string]string
}

// Builder builds programs of one repository.
type Builder struct {
	root  string // of the repository
	cache string
	log   func(format string, args ...any)

	goVersion string
	sources   string // digest of the repository's own Go inputs
}

// New looks at the repository once: what changes in it later is not seen.
func New(ctx context.Context, root, cache string, log func(string, ...any)) (*Builder, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	if cache, err = filepath.Abs(cache); err != nil {
		return nil, err
	}
	b := &Builder{root: root, cache: cache, log: log}
	cmd := exec.CommandContext(ctx, "go", "env", "GOVERSION")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	b.goVersion = strings.TrimSpace(string(out))
	b.sources, err = hashSources(root)
	return b, err
}

// Key depends on all that decides what Build makes.
func (b *Builder) Key(p Program) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "v1 %s\n%q %q %q %q %v %q\n", b.goVersion, p.Package, p.Tags, p.LDFlags, p.GCFlags, p.CGO, env(p))
	if p.Module == "" {
		fmt.Fprintln(h, b.sources)
	} else {
		for _, name := range []string{"go.mod", "go.sum"} {
			data, err := os.ReadFile(filepath.Join(p.Module, name))
			if err != nil {
				return "", fmt.Errorf("module of %s: %w", p.Package, err)
			}
			fmt.Fprintf(h, "%s %d\n%s", name, len(data), data)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// Build returns the path of the built program.
func (b *Builder) Build(ctx context.Context, p Program) (string, error) {
	key, err := b.Key(p)
	if err != nil {
		return "", err
	}
	// The output's name leaves the sources out: go build then finds its last
	// result there and links only when something changed.
	id := sha256.Sum256([]byte(fmt.Sprintf("%q %q %q %q %q %v %q", p.Package, p.Module, p.Tags, p.LDFlags, p.GCFlags, p.CGO, env(p))))
	out := filepath.Join(b.cache, "bin", path.Base(p.Package)+"-"+hex.EncodeToString(id[:6]))
	stamp := out + ".key"
	if old, err := os.ReadFile(stamp); err == nil && string(old) == key {
		if _, err := os.Stat(out); err == nil {
			return out, nil
		}
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return "", err
	}
	dir := b.root
	if p.Module != "" {
		if dir, err = b.moduleCopy(p.Module); err != nil {
			return "", err
		}
	}
	b.log("go build %s", p.Package)
	cmd := exec.CommandContext(ctx, "go", buildArgs(p, out)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env(p)...)
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stderr, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("go build %s: %w\n%s", p.Package, err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, os.WriteFile(stamp, []byte(key), 0o644)
}

func buildArgs(p Program, out string) []string {
	// External programs are pinned without go mod tidy, which would ask for
	// modules of other systems. Our own go.mod is no build's to change.
	mod := "-mod=readonly"
	if p.Module != "" {
		mod = "-mod=mod"
	}
	args := []string{"build", mod, "-trimpath", "-buildvcs=false", "-o", out}
	if len(p.Tags) > 0 {
		args = append(args, "-tags", strings.Join(p.Tags, ","))
	}
	if p.GCFlags != "" {
		args = append(args, "-gcflags", p.GCFlags)
	}
	// Go's build id stays: by it go build sees that a program is up to date.
	// With cgo it would depend on where the C libraries lie.
	fixed := "-s -w "
	if p.CGO {
		fixed += "-buildid= "
	}
	args = append(args, "-ldflags", strings.TrimSpace(fixed+p.LDFlags))
	return append(args, p.Package)
}

// env is what a build sees beside the caller's environment, sorted.
func env(p Program) []string {
	vars := map[string]string{"CGO_ENABLED": "0", "GOFLAGS": "", "GOOS": "linux", "GOARCH": "amd64", "GOWORK": "off"}
	if p.CGO {
		vars["CGO_ENABLED"] = "1"
	}
	for k, v := range p.Env {
		vars[k] = v
	}
	all := make([]string, 0, len(vars))
	for k, v := range vars {
		all = append(all, k+"="+v)
	}
	sort.Strings(all)
	return all
}

// moduleCopy copies a pinning go.mod and go.sum into the cache: -mod=mod may
// complete them, and must not change the repository.
func (b *Builder) moduleCopy(module string) (string, error) {
	sum := sha256.Sum256([]byte(module))
	dir := filepath.Join(b.cache, "modules", filepath.Base(module)+"-"+hex.EncodeToString(sum[:4]))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(module, name))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return "", err
		}
	}
	return dir, nil
}
