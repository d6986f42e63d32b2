package kmod

import (
	"bytes"
	"strings"
)

// Match gives the names of all modules whose alias patterns fit one of the
// modaliases, each once, in the table's order. It reads the table once: lines
// of another bus are passed over by their prefix, and a full match is tried
// only when the literal beginning of the pattern fits.
func (t *Table) Match(modaliases []string) []string {
	byBus := map[string][]string{}
	for _, alias := range modaliases {
		bus := busOf(alias)
		byBus[bus] = append(byBus[bus], alias)
	}
	var names []string
	seen := map[string]bool{}
	bus, wanted := "", []string(nil)
	for rest := t.alias; len(rest) > 0; {
		line := rest
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			line, rest = rest[:i], rest[i+1:]
		} else {
			rest = nil
		}
		pattern, module, ok := splitAlias(line)
		if !ok {
			continue
		}
		// The table is grouped by module and so by bus: the map is asked only
		// when the bus changes.
		colon := bytes.IndexByte(pattern, ':')
		if colon < 0 {
			colon = len(pattern)
		}
		if string(pattern[:colon]) != bus {
			bus = string(pattern[:colon])
			wanted = byBus[bus]
			if strings.ContainsAny(bus, "*?[") {
				wanted = modaliases
			}
		}
		for _, alias := range wanted {
			if !glob(pattern, alias) {
				continue
			}
			if name := Name(string(module)); !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
			break
		}
	}
	return names
}

// busOf is what stands before the first colon: "pci", "virtio", "usb".
func busOf(alias string) string {
	bus, _, _ := strings.Cut(alias, ":")
	return bus
}

// splitAlias reads "alias PATTERN MODULE"; anything else is not ok.
func splitAlias(line []byte) (pattern, module []byte, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte("alias "))
	if !ok {
		return nil, nil, false
	}
	i := bytes.LastIndexByte(rest, ' ')
	if i <= 0 || i == len(rest)-1 {
		return nil, nil, false
	}
	return rest[:i], rest[i+1:], true
}

// glob matches as fnmatch(3) without flags does for the patterns that occur in
// alias tables: *, ?, and [sets] with ranges and negation. It needs no more
// than one backtracking point, so its cost is bounded by len(p)*len(s).
func glob(p []byte, s string) bool {
	pi, si := 0, 0
	star, mark := -1, 0
	for si < len(s) {
		if pi < len(p) {
			if p[pi] == '*' {
				star, mark = pi, si
				pi++
				continue
			}
			if n, ok := matchOne(p[pi:], s[si]); ok {
				pi += n
				si++
				continue
			}
		}
		if star < 0 {
			return false
		}
		mark++
		pi, si = star+1, mark
	}
	for pi < len(p) && p[pi] == '*' {
		pi++
	}
	return pi == len(p)
}

// matchOne matches the first element of a pattern with one byte and says how
// long the element is.
func matchOne(p []byte, c byte) (length int, ok bool) {
	switch p[0] {
	case '?':
		return 1, true
	case '[':
		i := 1
		negated := i < len(p) && (p[i] == '!' || p[i] == '^')
		if negated {
			i++
		}
		hit := false
		for first := true; i < len(p) && (first || p[i] != ']'); first = false {
			lo, hi := p[i], p[i]
			if i+2 < len(p) && p[i+1] == '-' && p[i+2] != ']' {
				hi = p[i+2]
				i += 2
			}
			hit = hit || (lo <= c && c <= hi)
			i++
		}
		if i >= len(p) { // no closing bracket: it stands for itself
			return 1, c == '['
		}
		return i + 1, hit != negated
	}
	return 1, p[0] == c
}
