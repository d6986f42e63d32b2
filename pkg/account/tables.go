package account

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Entry is one line of /etc/passwd.
type Entry struct {
	Name, Password     string
	UID, GID           int
	Gecos, Home, Shell string
}

// GroupEntry is one line of /etc/group.
type GroupEntry struct {
	Name, Password string
	GID            int
	Members        []string
}

// ShadowEntry is one line of /etc/shadow; only the first two fields matter to us.
type ShadowEntry struct {
	Name, Password string
	Rest           string // the other fields, colons between them
}

// line is what a table's lines have in common. Those that are not understood
// are kept as they are: what the image has is not ours to lose.
type line[E any] struct {
	entry *E
	raw   string
}

type table[E any] struct{ lines []line[E] }

func parseTable[E any](text string, parse func([]string) (*E, error)) (table[E], []error) {
	var t table[E]
	var problems []error
	for raw := range strings.Lines(text) {
		raw = strings.TrimRight(raw, "\r\n")
		if raw == "" {
			continue
		}
		if strings.HasPrefix(raw, "#") {
			t.lines = append(t.lines, line[E]{raw: raw})
			continue
		}
		entry, err := parse(strings.Split(raw, ":"))
		if err != nil {
			problems = append(problems, fmt.Errorf("line %d: %w", len(t.lines)+1, err))
		}
		t.lines = append(t.lines, line[E]{entry: entry, raw: raw})
	}
	return t, problems
}

// find gives the entry that has the property, or nil.
func (t *table[E]) find(is func(*E) bool) *E {
	for _, l := range t.lines {
		if l.entry != nil && is(l.entry) {
			return l.entry
		}
	}
	return nil
}

func (t *table[E]) add(e E) *E {
	t.lines = append(t.lines, line[E]{entry: &e})
	return &e
}

func (t *table[E]) remove(is func(*E) bool) {
	t.lines = slices.DeleteFunc(t.lines, func(l line[E]) bool { return l.entry != nil && is(l.entry) })
}

func (t *table[E]) render(format func(*E) string) string {
	var b strings.Builder
	for _, l := range t.lines {
		if l.entry != nil {
			b.WriteString(format(l.entry))
		} else {
			b.WriteString(l.raw)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func fields(f []string, want int) error {
	if len(f) != want {
		return fmt.Errorf("%d fields, want %d", len(f), want)
	}
	if f[0] == "" {
		return fmt.Errorf("no name")
	}
	return nil
}

func number(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%q is no number of a user or group", s)
	}
	return int(n), nil
}

// parsePasswd reads /etc/passwd (passwd(5)).
func parsePasswd(text string) (table[Entry], []error) {
	return parseTable(text, func(f []string) (*Entry, error) {
		if err := fields(f, 7); err != nil {
			return nil, err
		}
		uid, err := number(f[2])
		if err != nil {
			return nil, err
		}
		gid, err := number(f[3])
		if err != nil {
			return nil, err
		}
		return &Entry{f[0], f[1], uid, gid, f[4], f[5], f[6]}, nil
	})
}

func (e *Entry) String() string {
	return fmt.Sprintf("%s:%s:%d:%d:%s:%s:%s", e.Name, e.Password, e.UID, e.GID, e.Gecos, e.Home, e.Shell)
}

// parseGroup reads /etc/group (group(5)).
func parseGroup(text string) (table[GroupEntry], []error) {
	return parseTable(text, func(f []string) (*GroupEntry, error) {
		if err := fields(f, 4); err != nil {
			return nil, err
		}
		gid, err := number(f[2])
		if err != nil {
			return nil, err
		}
		members := slices.DeleteFunc(strings.Split(f[3], ","), func(m string) bool { return m == "" })
		return &GroupEntry{f[0], f[1], gid, members}, nil
	})
}

func (g *GroupEntry) String() string {
	return fmt.Sprintf("%s:%s:%d:%s", g.Name, g.Password, g.GID, strings.Join(g.Members, ","))
}

// parseShadow reads /etc/shadow (shadow(5)).
func parseShadow(text string) (table[ShadowEntry], []error) {
	return parseTable(text, func(f []string) (*ShadowEntry, error) {
		if err := fields(f, 9); err != nil {
			return nil, err
		}
		return &ShadowEntry{f[0], f[1], strings.Join(f[2:], ":")}, nil
	})
}

func (s *ShadowEntry) String() string { return s.Name + ":" + s.Password + ":" + s.Rest }
