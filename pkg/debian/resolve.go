package debian

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// Package is one version of a binary package, as the signed index has it.
type Package struct {
	Name     string
	Version  string
	Arch     string
	Section  string
	SHA256   string
	Size     int64
	Depends  [][]string // Pre-Depends and Depends: clauses of alternatives, names only
	Provides []string
}

// file is the package's name in our pool. Debian versions hold no slash; the
// colon of an epoch is written as apt does.
func (p Package) file() string {
	return p.Name + "_" + strings.ReplaceAll(p.Version, ":", "%3a") + "_" + p.Arch + ".deb"
}

// Resolve returns the named packages with everything they depend on, sorted by
// name. The answer is kept, so that asking again costs no apt run as long as
// neither lists nor pins change.
func (a *Archive) Resolve(ctx context.Context, names ...string) ([]Package, error) {
	names = append([]string{}, names...)
	sort.Strings(names)
	memo, err := a.memoPath(names)
	if err != nil {
		return nil, err
	}
	if data, err := os.ReadFile(memo); err == nil {
		var pkgs []Package
		if json.Unmarshal(data, &pkgs) == nil {
			return pkgs, nil
		}
	}
	unlock, err := a.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	out, err := a.run(ctx, "", "apt-get", append([]string{"-qq", "--print-uris", "install"}, names...)...)
	if err != nil {
		return nil, fmt.Errorf("resolve packages: %w", err)
	}
	versions, err := parseURIs(string(out))
	if err != nil {
		return nil, err
	}
	args := []string{"show"}
	for _, v := range versions {
		args = append(args, v.name+":"+v.arch+"="+v.version)
	}
	// Packages of architecture all are asked for with the native architecture.
	for i := range args {
		args[i] = strings.Replace(args[i], ":all=", "=", 1)
	}
	if out, err = a.run(ctx, "", "apt-cache", args...); err != nil {
		return nil, fmt.Errorf("look up packages: %w", err)
	}
	stanzas, err := parseStanzas(strings.NewReader(string(out)))
	if err != nil {
		return nil, fmt.Errorf("apt-cache show: %w", err)
	}
	pkgs, err := toPackages(stanzas, versions)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(pkgs)
	if err != nil {
		return nil, err
	}
	return pkgs, writeFile(memo, data)
}

type version struct{ name, version, arch string }

// parseURIs reads lines of `apt-get --print-uris`: 'URI' NAME_VERSION_ARCH.deb SIZE HASH.
func parseURIs(text string) ([]version, error) {
	var all []version
	for _, line := range strings.Split(text, "\n") {
		f := strings.Fields(line)
		if len(f) < 2 || !strings.HasPrefix(f[0], "'") {
			continue
		}
		p := strings.Split(strings.TrimSuffix(f[1], ".deb"), "_")
		if len(p) != 3 {
			return nil, fmt.Errorf("apt names a file that is not NAME_VERSION_ARCH.deb: %q", f[1])
		}
		all = append(all, version{p[0], strings.ReplaceAll(p[1], "%3a", ":"), p[2]})
	}
	return all, nil
}

func toPackages(stanzas []stanza, want []version) ([]Package, error) {
	found := map[version]Package{}
	for _, s := range stanzas {
		size, err := strconv.ParseInt(s["size"], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("package %s: size: %w", s["package"], err)
		}
		p := Package{
			Name: s["package"], Version: s["version"], Arch: s["architecture"], Section: s["section"],
			SHA256: s["sha256"], Size: size,
			Depends: append(relations(s["pre-depends"]), relations(s["depends"])...),
		}
		for _, names := range relations(s["provides"]) {
			p.Provides = append(p.Provides, names...)
		}
		if len(p.SHA256) != 64 {
			return nil, fmt.Errorf("package %s: the index holds no SHA-256", p.Name)
		}
		found[version{p.Name, p.Version, p.Arch}] = p
	}
	pkgs := make([]Package, 0, len(want))
	for _, w := range want {
		p, ok := found[w]
		if !ok {
			return nil, fmt.Errorf("package %s %s (%s) is not in the lists", w.name, w.version, w.arch)
		}
		pkgs = append(pkgs, p)
	}
	sort.Slice(pkgs, func(i, j int) bool { return pkgs[i].Name < pkgs[j].Name })
	return pkgs, nil
}

// memoPath depends on all that decides the answer: names, lists and pins.
func (a *Archive) memoPath(names []string) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "v1\n%q\n%q\n", names, a.args)
	for _, r := range a.releases() {
		data, err := os.ReadFile(r)
		if err != nil {
			return "", err
		}
		h.Write(data)
	}
	return filepath.Join(a.dir, "resolved", hex.EncodeToString(h.Sum(nil)[:16])+".json"), nil
}

// writeFile puts a file in place whole or not at all.
func writeFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
