// Package kmod finds and loads kernel modules from a folder with depmod's
// plain-text tables. It loads dependencies first and independent modules in
// parallel, and matches all modaliases of a machine in one pass over the alias
// table: at boot that costs a few million instructions where building an index
// for libkmod's general questions would cost many times that. It unloads
// nothing and knows nothing of devices beyond reading their modalias.
// init imports it; a library for this exists only around cgo or in modules
// that we do not use.
package kmod

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// ErrNotFound says that no module of that name is in the folder.
var ErrNotFound = errors.New("no such module")

// Module is one line of modules.dep.
type Module struct {
	Name string   // as the kernel has it: with underscores
	Path string   // below the table's folder
	Deps []string // paths of what must be loaded before it
}

// Table is a folder of modules with its tables.
type Table struct {
	dir     string
	modules map[string]*Module // by name
	builtin map[string]bool
	alias   []byte // modules.alias as it is: searched, never indexed
	softdep map[string][]string
}

// Open reads modules.dep (which must be there), modules.alias,
// modules.builtin and modules.softdep in dir.
func Open(dir string) (*Table, error) {
	dep, err := os.ReadFile(filepath.Join(dir, "modules.dep"))
	if err != nil {
		return nil, fmt.Errorf("read the table of modules: %w", err)
	}
	t := &Table{dir: dir}
	if t.modules, err = parseDep(dep); err != nil {
		return nil, fmt.Errorf("%s/modules.dep: %w", dir, err)
	}
	if t.alias, err = readOptional(filepath.Join(dir, "modules.alias")); err != nil {
		return nil, err
	}
	builtin, err := readOptional(filepath.Join(dir, "modules.builtin"))
	if err != nil {
		return nil, err
	}
	t.builtin = parseBuiltin(builtin)
	softdep, err := readOptional(filepath.Join(dir, "modules.softdep"))
	if err != nil {
		return nil, err
	}
	t.softdep = parseSoftdep(softdep)
	return t, nil
}

func readOptional(name string) ([]byte, error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a table of modules: %w", err)
	}
	return b, nil
}

// Name gives the kernel's name of a module from its path or from a name as
// people write it.
func Name(file string) string {
	base := path.Base(file)
	if i := strings.Index(base, ".ko"); i >= 0 {
		base = base[:i]
	}
	return strings.ReplaceAll(base, "-", "_")
}

// Module looks a module up by name. A module that is part of the kernel gives
// nil without an error.
func (t *Table) Module(name string) (*Module, error) {
	name = Name(name)
	if m := t.modules[name]; m != nil {
		return m, nil
	}
	if t.builtin[name] {
		return nil, nil
	}
	return nil, fmt.Errorf("%s: %w", name, ErrNotFound)
}

// parseDep reads lines of "path.ko: dependency.ko ...".
func parseDep(text []byte) (map[string]*Module, error) {
	modules := make(map[string]*Module, bytes.Count(text, []byte{'\n'}))
	for rest := string(text); rest != ""; {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		file, deps, ok := strings.Cut(line, ":")
		if !ok || file == "" || Name(file) == "" {
			return nil, fmt.Errorf("not a module and its needs: %q", line)
		}
		m := &Module{Name: Name(file), Path: file}
		if deps != "" {
			m.Deps = strings.Fields(deps)
		}
		modules[m.Name] = m
	}
	return modules, nil
}

// parseBuiltin reads one path a line.
func parseBuiltin(text []byte) map[string]bool {
	names := make(map[string]bool, bytes.Count(text, []byte{'\n'}))
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" {
			names[Name(line)] = true
		}
	}
	return names
}

// parseSoftdep reads lines of "softdep MODULE pre: a b post: c" and keeps what
// is to be loaded before.
func parseSoftdep(text []byte) map[string][]string {
	pre := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[0] != "softdep" {
			continue
		}
		name, before := Name(fields[1]), false
		for _, f := range fields[2:] {
			switch f {
			case "pre:":
				before = true
			case "post:":
				before = false
			default:
				if before {
					pre[name] = append(pre[name], f)
				}
			}
		}
	}
	return pre
}
