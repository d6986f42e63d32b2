package service

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// Compose's tags for what is laid over something: `!reset` takes a key away,
// `!override` replaces it whole.
const (
	tagReset    = "!reset"
	tagOverride = "!override"
)

func isMergeTag(tag string) bool { return tag == tagReset || tag == tagOverride }

// merger lays declarations over one another by the Compose Specification's
// rules ("Merge and override") and keeps account of which node came from which
// file. The trees it gives are new; those it takes are not changed.
type merger struct {
	origins map[*yaml.Node]string // nodes from other files than their declaration's
}

// layer gives base with over laid on it. It is known by the file of base.
func (m *merger) layer(base, over *declaration) *declaration {
	out := *base
	out.objects = base.objects.with(over.objects)
	out.findings = slices.Concat(base.findings, over.findings)
	m.mark(over.value, over.file)
	out.value = m.merge("", base.value, over.value)
	return &out
}

// alone gives a declaration that is laid over nothing: the tags have done
// their work.
func (m *merger) alone(d *declaration) *declaration {
	out := *d
	out.value = m.merge("", &yaml.Node{Kind: yaml.MappingNode, Line: d.value.Line, Column: d.value.Column}, d.value)
	return &out
}

// mark notes that all below n is from file, unless that is known already.
func (m *merger) mark(n *yaml.Node, file string) {
	if _, known := m.origins[n]; !known {
		m.origins[n] = file
	}
	for _, c := range n.Content {
		m.mark(c, file)
	}
}

// made gives a new node the place of the one it is made from.
func (m *merger) made(n yaml.Node, from *yaml.Node) *yaml.Node {
	n.Line, n.Column = from.Line, from.Column
	if file, ok := m.origins[from]; ok {
		m.origins[&n] = file
	}
	return &n
}

// untagged is n without !override.
func (m *merger) untagged(n *yaml.Node) *yaml.Node {
	if n.Tag != tagOverride {
		return n
	}
	return m.made(yaml.Node{Kind: n.Kind, Style: n.Style, Value: n.Value, Content: n.Content}, n)
}

// replaced are sequences that a later one replaces instead of adding to it.
var replaced = []string{"command", "entrypoint", "healthcheck.test"}

// keyed are mappings that may also be written as a list of KEY=VALUE.
var keyed = []string{"environment", "labels", "sysctls", "annotations"}

// unique says by which part of an element a later one replaces an earlier.
var unique = map[string]func(*yaml.Node) string{
	"volumes": mountTarget, "tmpfs": mountTarget, "devices": mountTarget, "configs": objectTarget, "secrets": objectTarget,
	"env_file": envFilePath, "ports": wholeText, "cap_add": wholeText, "cap_drop": wholeText, "group_add": wholeText, "profiles": wholeText,
	"security_opt": wholeText, "device_cgroup_rules": wholeText,
}

func (m *merger) merge(path string, base, over *yaml.Node) *yaml.Node {
	switch {
	case over.Tag == tagOverride:
		return m.untagged(over)
	case strictyaml.IsNull(over):
		return base
	case slices.Contains(replaced, path):
		return over
	case slices.Contains(keyed, path):
		base, over = m.pairs(base), m.pairs(over)
	case path == "depends_on":
		base, over = m.conditions(base), m.conditions(over)
	case unique[path] != nil:
		return m.union(m.list(base), m.list(over), unique[path])
	}
	switch {
	case base.Kind == yaml.MappingNode && over.Kind == yaml.MappingNode:
		return m.mapping(path, base, over)
	case base.Kind == yaml.SequenceNode && over.Kind == yaml.SequenceNode:
		return m.made(yaml.Node{Kind: base.Kind, Tag: base.Tag, Content: slices.Concat(base.Content, over.Content)}, base)
	}
	return over
}

func (m *merger) mapping(path string, base, over *yaml.Node) *yaml.Node {
	if path == "logging" && differs(base, over, "driver") {
		base = m.without(base, "options") // those of another driver
	}
	out := m.made(yaml.Node{Kind: yaml.MappingNode, Tag: base.Tag, Content: slices.Clone(base.Content)}, base)
	for i := 0; i+1 < len(over.Content); i += 2 {
		key, value := over.Content[i], over.Content[i+1]
		at := find(out, key.Value)
		switch {
		case value.Tag == tagReset:
			out = m.without(out, key.Value)
		case at >= 0:
			out.Content[at+1] = m.merge(below(path, key.Value), out.Content[at+1], value)
			if out.Content[at+1] == value {
				out.Content[at] = key // for the place of what is in force
			}
		case value.Kind == yaml.MappingNode:
			// Tags below have their meaning here as well.
			empty := m.made(yaml.Node{Kind: yaml.MappingNode}, value)
			out.Content = append(out.Content, key, m.merge(below(path, key.Value), empty, value))
		default:
			out.Content = append(out.Content, key, m.untagged(value))
		}
	}
	return out
}

func below(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// find gives the index of a key in a mapping, or -1.
func find(n *yaml.Node, key string) int {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return i
		}
	}
	return -1
}

func (m *merger) without(n *yaml.Node, key string) *yaml.Node {
	at := find(n, key)
	if at < 0 {
		return n
	}
	return m.made(yaml.Node{Kind: n.Kind, Tag: n.Tag, Content: slices.Delete(slices.Clone(n.Content), at, at+2)}, n)
}

func differs(a, b *yaml.Node, key string) bool {
	i, j := find(a, key), find(b, key)
	return i >= 0 && j >= 0 && a.Content[i+1].Value != b.Content[j+1].Value
}

// pairs turns a list of KEY=VALUE into a mapping; what is neither stays as it
// is, for the decoder to judge.
func (m *merger) pairs(n *yaml.Node) *yaml.Node {
	if n.Kind != yaml.SequenceNode {
		return n
	}
	out := m.made(yaml.Node{Kind: yaml.MappingNode}, n)
	for _, e := range n.Content {
		if e.Kind != yaml.ScalarNode {
			return n
		}
		key, value, set := strings.Cut(e.Value, "=")
		text := yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
		if !set {
			text = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
		}
		out.Content = append(out.Content, m.made(yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, e), m.made(text, e))
	}
	return out
}

// conditions turns depends_on's list of names into its mapping.
func (m *merger) conditions(n *yaml.Node) *yaml.Node {
	if n.Kind != yaml.SequenceNode {
		return n
	}
	out := m.made(yaml.Node{Kind: yaml.MappingNode}, n)
	for _, e := range n.Content {
		out.Content = append(out.Content, e, m.made(yaml.Node{Kind: yaml.MappingNode}, e))
	}
	return out
}

// list makes a list of one of what may also stand alone.
func (m *merger) list(n *yaml.Node) *yaml.Node {
	if n.Kind != yaml.ScalarNode || strictyaml.IsNull(n) {
		return n
	}
	return m.made(yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{n}}, n)
}

func (m *merger) union(base, over *yaml.Node, identity func(*yaml.Node) string) *yaml.Node {
	if base.Kind != yaml.SequenceNode || over.Kind != yaml.SequenceNode {
		return over
	}
	out := m.made(yaml.Node{Kind: yaml.SequenceNode, Content: slices.Clone(base.Content)}, base)
	for _, e := range over.Content {
		same := func(have *yaml.Node) bool { return identity(have) == identity(e) }
		// What stands twice in one list is for the decoder to judge.
		if at := slices.IndexFunc(base.Content, same); at >= 0 {
			out.Content[at] = e
			continue
		}
		out.Content = append(out.Content, e)
	}
	return out
}

func field(n *yaml.Node, key string) string {
	if at := find(n, key); at >= 0 {
		return n.Content[at+1].Value
	}
	return ""
}

func wholeText(n *yaml.Node) string {
	if n.Kind == yaml.MappingNode {
		return field(n, "target") + "|" + field(n, "published") + "|" + field(n, "protocol")
	}
	return n.Value
}

// mountTarget is the path in the container: of SOURCE:TARGET:OPTIONS, of
// TARGET:OPTIONS (tmpfs, which begins with a slash and has no second path) and
// of {target}.
func mountTarget(n *yaml.Node) string {
	if n.Kind == yaml.MappingNode {
		return field(n, "target")
	}
	parts := strings.Split(n.Value, ":")
	if len(parts) > 1 && strings.HasPrefix(parts[1], "/") {
		return strings.TrimSuffix(parts[1], "/")
	}
	return strings.TrimSuffix(parts[0], "/")
}

func objectTarget(n *yaml.Node) string {
	if n.Kind != yaml.MappingNode {
		return n.Value
	}
	if target := field(n, "target"); target != "" {
		return target
	}
	return field(n, "source")
}

func envFilePath(n *yaml.Node) string {
	if n.Kind == yaml.MappingNode {
		return field(n, "path")
	}
	return n.Value
}
