package kernel

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// table is a kernel's modules.dep: which modules there are, and what each
// needs loaded before it.
type table struct {
	file    map[string]string   // module name to path below the modules folder
	deps    map[string][]string // module name to names, nearest first as depmod has them
	builtin map[string]bool
}

// moduleName is the name the kernel uses for the module in a file: it knows
// no hyphens.
func moduleName(file string) string {
	name := strings.TrimSuffix(path.Base(file), ".ko")
	return strings.ReplaceAll(name, "-", "_")
}

// parseTable reads modules.dep ("a.ko: b.ko c.ko" lines) and modules.builtin
// (one path a line).
func parseTable(dep, builtin string) (*table, error) {
	t := &table{file: map[string]string{}, deps: map[string][]string{}, builtin: map[string]bool{}}
	for line := range strings.Lines(dep) {
		file, rest, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok || !strings.HasSuffix(file, ".ko") {
			return nil, fmt.Errorf("modules.dep: not a module and its needs: %q", line)
		}
		name := moduleName(file)
		t.file[name] = file
		for _, d := range strings.Fields(rest) {
			t.deps[name] = append(t.deps[name], moduleName(d))
		}
	}
	for line := range strings.Lines(builtin) {
		t.builtin[moduleName(strings.TrimSpace(line))] = true
	}
	return t, nil
}

// closure is the named modules with all they need, sorted. A name that is
// neither a module nor built in is an error unless optional holds it.
func (t *table) closure(names, optional []string) ([]string, error) {
	seen := map[string]bool{}
	var add func(name string) error
	add = func(name string) error {
		if seen[name] || t.builtin[name] {
			return nil
		}
		if t.file[name] == "" {
			return fmt.Errorf("the kernel has no module %s", name)
		}
		seen[name] = true
		for _, d := range t.deps[name] {
			if err := add(d); err != nil {
				return fmt.Errorf("%s needs: %w", name, err)
			}
		}
		return nil
	}
	for _, name := range names {
		if err := add(name); err != nil {
			return nil, err
		}
	}
	for _, name := range optional {
		if t.file[name] == "" {
			continue
		}
		if err := add(name); err != nil {
			return nil, err
		}
	}
	all := make([]string, 0, len(seen))
	for name := range seen {
		all = append(all, name)
	}
	slices.Sort(all)
	return all, nil
}

// filterAliases keeps the lines of modules.alias ("alias PATTERN MODULE") that
// lead to one of the modules.
func filterAliases(text string, modules []string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 3 && f[0] == "alias" && slices.Contains(modules, strings.ReplaceAll(f[2], "-", "_")) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// filterSoftdeps keeps the lines of modules.softdep ("softdep MODULE pre: ...")
// that speak of one of the modules.
func filterSoftdeps(text string, modules []string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) > 2 && f[0] == "softdep" && slices.Contains(modules, strings.ReplaceAll(f[1], "-", "_")) {
			b.WriteString(line)
		}
	}
	return b.String()
}
