package config

import (
	"encoding/json"
	"fmt"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// Declarations are services that stand in the configuration, one element for
// each mapping that was found, the first one lowest. What is in them is
// pkg/service's to judge: here they are text with its place.
type Declarations []Declaration

// Declaration is a mapping of services by name, as it stands in a file.
type Declaration struct {
	File string
	Node *yaml.Node
}

// UnmarshalStrict takes a mapping, or a list of them.
func (l *Declarations) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	elements := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		elements = n.Content
	}
	for _, e := range elements {
		e = strictyaml.Resolve(e)
		if strictyaml.IsNull(e) {
			continue
		}
		if e.Kind != yaml.MappingNode {
			d.Wrong(e, "services by name (NAME: {image: ...})")
			continue
		}
		*l = append(*l, Declaration{File: d.File(), Node: e})
	}
}

// MarshalJSON gives what was written: a mapping, or a list of them.
func (l Declarations) MarshalJSON() ([]byte, error) {
	all := make([]map[string]any, len(l))
	for i, one := range l {
		if err := strictyaml.DecodeNode(one.File, one.Node, &all[i]); err != nil {
			return nil, fmt.Errorf("declared services: %w", err)
		}
	}
	if len(all) == 1 {
		return json.Marshal(all[0])
	}
	return json.Marshal(all)
}

// UnmarshalJSON reads that back; the places in the text are lost.
func (l *Declarations) UnmarshalJSON(data []byte) error {
	return strictyaml.Decode("configuration", data, l)
}
