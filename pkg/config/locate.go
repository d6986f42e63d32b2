package config

import (
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// Finding is a value that has the right type and is impossible all the same.
// A step of Path is a key, or "[3]" for an element of a list.
type Finding struct {
	Path    []string
	Message string
}

func (f Finding) path() string {
	return strings.ReplaceAll(strings.Join(f.Path, "."), ".[", "[")
}

// Error says where and what, for findings that have no file.
func (f Finding) Error() string { return f.path() + ": " + f.Message }

// locate follows path below n and gives the node that comes nearest to it.
func locate(n *yaml.Node, path []string) *yaml.Node {
	n = strictyaml.Resolve(n)
	if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		return locate(n.Content[0], path)
	}
	if len(path) == 0 {
		return n
	}
	if index, ok := strings.CutPrefix(path[0], "["); ok {
		i, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
		if err == nil && n.Kind == yaml.SequenceNode && i < len(n.Content) {
			return locate(n.Content[i], path[1:])
		}
		return n
	}
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == path[0] {
				return locate(n.Content[i+1], path[1:])
			}
		}
	}
	return n
}
