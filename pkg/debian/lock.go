package debian

import (
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
)

// Lock remembers which versions a build used, so that the next one uses the
// same as long as the mirror has them. It is a text file, one package a line:
// name, version, SHA-256.
type Lock struct {
	entries map[string]locked
}

type locked struct{ version, sha256 string }

// Change is a package whose version is not the locked one.
type Change struct{ Name, Old, New string } // Old is "" for a package that was not locked

func (c Change) String() string {
	if c.Old == "" {
		return fmt.Sprintf("%s %s is new", c.Name, c.New)
	}
	return fmt.Sprintf("%s %s is locked, the mirror has %s", c.Name, c.Old, c.New)
}

// ReadLock reads a lock file; a missing one is an empty lock.
func ReadLock(path string) (*Lock, error) {
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := parseLock(string(data))
	if err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	return l, nil
}

func parseLock(text string) (*Lock, error) {
	l := &Lock{entries: map[string]locked{}}
	for i, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Fields(line)
		if len(f) != 3 || len(f[2]) != 64 {
			return nil, fmt.Errorf("%d: want NAME VERSION SHA256, have %.80q", i+1, line)
		}
		if _, twice := l.entries[f[0]]; twice {
			return nil, fmt.Errorf("%d: package %s is locked twice", i+1, f[0])
		}
		l.entries[f[0]] = locked{f[1], f[2]}
	}
	return l, nil
}

// Note remembers packages that were not locked yet and returns how the others
// differ from what is locked, which stays: a build on a mirror that has moved on
// does not change what the next one aims at.
func (l *Lock) Note(used []Package) []Change { return l.compare(used, false) }

// Update locks the versions that were used and returns what differs from
// before. With prune, packages that were not used are forgotten.
func (l *Lock) Update(used []Package, prune bool) []Change {
	changes := l.compare(used, true)
	if prune {
		seen := map[string]bool{}
		for _, p := range used {
			seen[p.Name] = true
		}
		for name := range l.entries {
			if !seen[name] {
				delete(l.entries, name)
			}
		}
	}
	return changes
}

func (l *Lock) compare(used []Package, replace bool) []Change {
	var changes []Change
	told := map[string]bool{}
	for _, p := range used {
		old, ok := l.entries[p.Name]
		if told[p.Name] || ok && old == (locked{p.Version, p.SHA256}) {
			continue
		}
		told[p.Name] = true
		changes = append(changes, Change{p.Name, old.version, p.Version})
		if replace || !ok {
			l.entries[p.Name] = locked{p.Version, p.SHA256}
		}
	}
	sort.Slice(changes, func(i, j int) bool { return changes[i].Name < changes[j].Name })
	return changes
}

// Write puts the lock file in place when its text changes.
func (l *Lock) Write(path string) error {
	text := l.String()
	if old, err := os.ReadFile(path); err == nil && string(old) == text {
		return nil
	}
	return writeFile(path, []byte(text))
}

// String is the lock file's text, sorted by name.
func (l *Lock) String() string {
	var b strings.Builder
	b.WriteString("# Debian packages in the images: name, version, SHA-256. Written by mkos.\n")
	for _, name := range l.names() {
		fmt.Fprintf(&b, "%s %s %s\n", name, l.entries[name].version, l.entries[name].sha256)
	}
	return b.String()
}

func (l *Lock) names() []string {
	names := make([]string, 0, len(l.entries))
	for name := range l.entries {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// preferences are apt pins: at a priority above 1000 apt takes that version
// even when a newer one is there, and the newest when that version is gone.
func (l *Lock) preferences() string {
	if l == nil {
		return ""
	}
	var b strings.Builder
	for _, name := range l.names() {
		fmt.Fprintf(&b, "Package: %s\nPin: version %s\nPin-Priority: 1001\n\n", name, l.entries[name].version)
	}
	return b.String()
}
