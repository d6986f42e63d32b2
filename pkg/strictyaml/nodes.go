package strictyaml

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// Pair is one key of a mapping with its value, merge keys resolved.
type Pair struct {
	Name       string
	Key, Value *yaml.Node
}

// Pairs gives the pairs of n in the order of the text: its own, then merged
// ones that it does not set itself. Duplicates are reported and left out. It
// reports and says false when n is no mapping.
func (d *Decoder) Pairs(n *yaml.Node) ([]Pair, bool) {
	if n.Kind != yaml.MappingNode {
		d.Wrong(n, "a mapping (key: value)")
		return nil, false
	}
	return d.pairs(n, 0), true
}

func (d *Decoder) pairs(n *yaml.Node, depth int) []Pair {
	if depth > maxDepth {
		d.Errorf(n, "merge keys nested more than %d deep", maxDepth)
		d.stopped = true
		return nil
	}
	var out []Pair
	var merges []*yaml.Node
	seen := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content) && !d.stopped; i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if isMerge(key) {
			merges = append(merges, value)
			continue
		}
		if key.Kind != yaml.ScalarNode || isNull(key) {
			d.Errorf(n.Content[i], "found %s as a key, want a word", d.describe(key))
			continue
		}
		if first, twice := seen[key.Value]; twice {
			d.in(key.Value, func() { d.Errorf(n.Content[i], "key stands here a second time, first in line %d", first.Line) })
			continue
		}
		seen[key.Value] = n.Content[i]
		out = append(out, Pair{Name: key.Value, Key: n.Content[i], Value: value})
	}
	for _, m := range merges {
		for _, p := range d.merged(m, depth) {
			if seen[p.Name] == nil {
				seen[p.Name] = p.Key
				out = append(out, p)
			}
		}
	}
	return out
}

// merged gives what the value of a << key brings: a mapping's pairs, or those
// of a list of mappings, earlier ones first.
func (d *Decoder) merged(n *yaml.Node, depth int) (out []Pair) {
	if !d.count(n) {
		return nil
	}
	switch n.Kind {
	case yaml.AliasNode:
		d.follow(n, func(target *yaml.Node) { out = d.merged(target, depth+1) })
	case yaml.MappingNode:
		for _, p := range d.pairs(n, depth+1) {
			if d.count(p.Key) {
				out = append(out, p)
			}
		}
	case yaml.SequenceNode:
		seen := map[string]bool{}
		for _, e := range n.Content {
			if e.Kind == yaml.SequenceNode {
				d.Errorf(e, "found a list in a list after <<, want mappings or aliases of mappings")
				continue
			}
			for _, p := range d.merged(e, depth+1) {
				if !seen[p.Name] {
					seen[p.Name] = true
					out = append(out, p)
				}
			}
		}
	default:
		d.Errorf(n, "found %s after <<, want a mapping, an alias of one or a list of them", d.describe(n))
	}
	return out
}

// Elements gives the elements of n; it reports and says false when n is not a
// list. want says what was expected, for the message.
func (d *Decoder) Elements(n *yaml.Node, want string) ([]*yaml.Node, bool) {
	if n.Kind != yaml.SequenceNode {
		d.Wrong(n, want)
		return nil, false
	}
	return n.Content, true
}

// Resolve follows an alias. Unmarshalers that look at children themselves need
// it; what they pass to Decode may be an alias.
func Resolve(n *yaml.Node) *yaml.Node {
	for range maxDepth {
		if n.Kind != yaml.AliasNode || n.Alias == nil {
			break
		}
		n = n.Alias
	}
	return n
}

// follow calls f with what the alias n stands for, unless that is being
// followed already: then it holds itself.
func (d *Decoder) follow(n *yaml.Node, f func(*yaml.Node)) {
	target := n.Alias
	if d.aliases[target] {
		d.Errorf(n, "alias *%s holds itself", n.Value)
		return
	}
	d.aliases[target] = true
	f(target)
	delete(d.aliases, target)
}

// count counts a visit to n; beyond the bound it reports once and says false.
func (d *Decoder) count(n *yaml.Node) bool {
	if d.stopped {
		return false
	}
	d.visited++
	if d.visited <= maxVisited {
		return true
	}
	d.Errorf(n, "holds more than %d values, or its aliases expand to as many", maxVisited)
	d.stopped = true
	return false
}

// IsNull says whether n is null or nothing at all.
func IsNull(n *yaml.Node) bool { return isNull(Resolve(n)) }

func isNull(n *yaml.Node) bool {
	return n.Kind == 0 || n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

func isMerge(key *yaml.Node) bool {
	return key.Kind == yaml.ScalarNode && key.Value == "<<" && (key.Tag == "" || key.Tag == "!" || key.ShortTag() == "!!merge")
}

// describe says in words what n is. Values under keys that name a secret are
// not repeated: messages end up in logs and on the console.
func (d *Decoder) describe(n *yaml.Node) string {
	n = Resolve(n)
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
	default:
		return "nothing"
	}
	kind := map[string]string{"!!str": "the text", "!!int": "the number", "!!float": "the number",
		"!!bool": "the boolean", "!!timestamp": "the date", "!!binary": "the binary value"}[n.ShortTag()]
	switch {
	case isNull(n):
		return "nothing"
	case kind == "":
		return "a value with the tag " + n.Tag
	case d.secret():
		return strings.Replace(kind, "the", "a", 1)
	}
	value := n.Value
	if len(value) > 40 {
		value = strings.ToValidUTF8(value[:40], "") + "..."
	}
	if n.ShortTag() == "!!str" {
		return fmt.Sprintf("%s %q", kind, value)
	}
	return kind + " " + value
}

func (d *Decoder) secret() bool {
	for _, p := range d.path {
		p = strings.ToLower(p)
		for _, word := range []string{"passw", "secret", "token", "private"} {
			if strings.Contains(p, word) {
				return true
			}
		}
	}
	return false
}
