package strictyaml

import (
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Locate follows steps below n, keys or "[3]" for an element of a list, and
// gives the node that comes nearest to their end.
func Locate(n *yaml.Node, steps []string) *yaml.Node {
	n = Resolve(n)
	if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		return Locate(n.Content[0], steps)
	}
	if len(steps) == 0 {
		return n
	}
	if index, ok := strings.CutPrefix(steps[0], "["); ok {
		i, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
		if err == nil && n.Kind == yaml.SequenceNode && i < len(n.Content) {
			return Locate(n.Content[i], steps[1:])
		}
		return n
	}
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == steps[0] {
				return Locate(n.Content[i+1], steps[1:])
			}
		}
	}
	return n
}

// Below says whether path is top or leads through it.
func Below(path, top string) bool {
	rest, ok := strings.CutPrefix(path, top)
	return ok && (rest == "" || top == "" || rest[0] == '.' || rest[0] == '[')
}

// ErrorAt reports a finding at what steps lead to below n, unless one has been
// reported on the way there or behind it, of which this may only follow.
func (d *Decoder) ErrorAt(n *yaml.Node, steps []string, format string, args ...any) {
	before := len(d.path)
	d.path = append(d.path, steps...)
	defer func() { d.path = d.path[:before] }()
	path := d.Path()
	for _, e := range d.errors {
		if len(e.Path) > 0 && (Below(path, e.Path) || Below(e.Path, path)) {
			return
		}
	}
	d.Errorf(Locate(n, steps), format, args...)
}
