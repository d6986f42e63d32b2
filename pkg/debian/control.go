package debian

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// stanza is one paragraph of a Debian control file (deb822). Keys are in lower
// case; continuation lines are kept, joined by newlines.
type stanza map[string]string

// parseStanzas reads paragraphs separated by empty lines. Lines that begin
// with # are comments, also within a field (deb822(5)).
func parseStanzas(r io.Reader) ([]stanza, error) {
	var all []stanza
	cur := stanza{}
	key := ""
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 64<<10), 8<<20)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimRight(sc.Text(), " \t\r")
		switch {
		case strings.HasPrefix(line, "#"):
		case line == "":
			if len(cur) > 0 {
				all = append(all, cur)
			}
			cur, key = stanza{}, ""
		case line[0] == ' ' || line[0] == '\t':
			if key == "" {
				return nil, fmt.Errorf("line %d: continuation of no field", n)
			}
			cur[key] += "\n" + strings.TrimSpace(line)
		default:
			k, v, ok := strings.Cut(line, ":")
			if !ok || k == "" || strings.ContainsAny(k, " \t") {
				return nil, fmt.Errorf("line %d: not a field: %.60q", n, line)
			}
			key = strings.ToLower(k)
			cur[key] = strings.TrimSpace(v)
		}
	}
	if err := sc.Err(); err != nil {
		return nil, err
	}
	if len(cur) > 0 {
		all = append(all, cur)
	}
	return all, nil
}

// relations splits a dependency field into the names of its packages, one
// slice per clause with its alternatives; versions and architectures are
// dropped, because apt has judged them already.
func relations(field string) [][]string {
	var all [][]string
	for _, clause := range strings.Split(field, ",") {
		var names []string
		for _, alt := range strings.Split(clause, "|") {
			name := strings.TrimSpace(alt)
			if i := strings.IndexAny(name, " \t\n(["); i >= 0 {
				name = name[:i]
			}
			name, _, _ = strings.Cut(name, ":")
			if name != "" {
				names = append(names, name)
			}
		}
		if len(names) > 0 {
			all = append(all, names)
		}
	}
	return all
}
