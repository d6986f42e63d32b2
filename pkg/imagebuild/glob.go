package imagebuild

import (
	"regexp"
	"strings"
)

// pattern is a glob over absolute paths: * and ? stay within a name, ** does
// not. It also matches all below a path that it matches.
type pattern struct {
	text string
	re   *regexp.Regexp
	hits int
}

func compile(globs []string) []*pattern {
	all := make([]*pattern, len(globs))
	for i, g := range globs {
		var b strings.Builder
		b.WriteString("(?s)^")
		for rest := strings.ToValidUTF8(g, "\uFFFD"); rest != ""; {
			switch {
			case strings.HasPrefix(rest, "**/"):
				b.WriteString("(?:.*/)?")
				rest = rest[3:]
				continue
			case strings.HasPrefix(rest, "**"):
				b.WriteString(".*")
				rest = rest[2:]
				continue
			case rest[0] == '*':
				b.WriteString("[^/]*")
			case rest[0] == '?':
				b.WriteString("[^/]")
			default:
				b.WriteString(regexp.QuoteMeta(rest[:1]))
			}
			rest = rest[1:]
		}
		b.WriteString("(?:/.*)?$")
		all[i] = &pattern{text: g, re: regexp.MustCompile(b.String())}
	}
	return all
}

// matches says whether any pattern matches, and counts for each one that does.
func matches(ps []*pattern, p string) bool {
	found := false
	for _, g := range ps {
		if g.re.MatchString(p) {
			g.hits++
			found = true
		}
	}
	return found
}

// unused lists the patterns that matched nothing.
func unused(ps []*pattern) []string {
	var all []string
	for _, g := range ps {
		if g.hits == 0 {
			all = append(all, g.text)
		}
	}
	return all
}
