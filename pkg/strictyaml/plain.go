package strictyaml

import (
	"fmt"

	"gopkg.in/yaml.v3"
)

// Plain copies n without aliases and merge keys: each node of the copy stands
// in one place only, which lets callers change it or lay trees over one
// another. Places in the text are kept. What is wrong (keys that stand there
// twice, circles, too much) is told; the copy holds the rest.
func Plain(file string, n *yaml.Node, opts ...Option) (*yaml.Node, Errors) {
	d := newDecoder(file, opts)
	out := d.plain(n)
	return out, d.errors.Sort()
}

func (d *Decoder) plain(n *yaml.Node) *yaml.Node {
	none := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: n.Line, Column: n.Column}
	if d.stopped || !d.count(n) {
		return none
	}
	if len(d.path)-d.base > maxDepth {
		d.Errorf(n, "nested more than %d deep", maxDepth)
		d.stopped = true
		return none
	}
	if n.Kind == yaml.AliasNode {
		d.follow(n, func(target *yaml.Node) { none = d.plain(target) })
		return none
	}
	out := &yaml.Node{Kind: n.Kind, Style: n.Style, Tag: n.Tag, Value: n.Value, Line: n.Line, Column: n.Column}
	switch n.Kind {
	case yaml.MappingNode:
		for _, p := range d.pairs(n, 0) {
			key := Resolve(p.Key)
			d.in(p.Name, func() {
				out.Content = append(out.Content,
					&yaml.Node{Kind: key.Kind, Style: key.Style, Tag: key.Tag, Value: key.Value, Line: p.Key.Line, Column: p.Key.Column},
					d.plain(p.Value))
			})
		}
	case yaml.SequenceNode:
		for i, e := range n.Content {
			d.in(fmt.Sprintf("[%d]", i), func() { out.Content = append(out.Content, d.plain(e)) })
		}
	}
	return out
}
