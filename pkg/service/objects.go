package service

import (
	"fmt"
	"maps"
	"path"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// objects are the configs and secrets that a file declares, by kind and name
// ("configs.x"). Both are files of the host, bound read-only.
type objects map[string]object

type object struct {
	file  string // on the host
	place Place
}

// with gives these objects under those of a later file.
func (o objects) with(later objects) objects {
	if len(later) == 0 {
		return o
	}
	out := maps.Clone(o)
	if out == nil {
		out = objects{}
	}
	maps.Copy(out, later)
	return out
}

// read takes in the top-level mapping of one kind.
func (o objects) read(file, kind string, n *yaml.Node) strictyaml.Errors {
	if n.Kind == 0 {
		return nil
	}
	declared := objectsYAML{kind: kind, into: o}
	err := strictyaml.DecodeNode(file, n, &declared, strictyaml.At(kind))
	all, _ := err.(strictyaml.Errors)
	return all
}

type objectsYAML struct {
	kind string
	into objects
}

func (o *objectsYAML) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if strictyaml.IsNull(n) {
		return
	}
	pairs, _ := d.Pairs(n)
	for _, p := range pairs {
		var y objectYAML
		if !d.DecodeAt(p.Name, p.Value, &y) {
			continue
		}
		host, ok := hostPath(d.FileOf(p.Value), y.File)
		if !ok {
			d.Errorf(p.Value, "%s.%s: want file: with a path that begins with / or ./", o.kind, p.Name)
			continue
		}
		o.into[o.kind+"."+p.Name] = object{file: host, place: Place{File: d.FileOf(p.Key), Line: p.Key.Line, Column: p.Key.Column}}
	}
}

// objectYAML declares a config or a secret.
type objectYAML struct {
	File string `yaml:"file"`
}

// Refused names what Compose takes besides files.
func (*objectYAML) Refused(key string) string { return refusal(objectRefusals, key) }

// grants is a service's `configs` or `secrets`: names, or mappings with a
// target. They become read-only binds.
type grants []grant

type grant struct {
	source, target string
	node           *yaml.Node
}

type grantYAML struct {
	Source string `yaml:"source"`
	Target string `yaml:"target"`
}

// Refused names what a bind of a file cannot do.
func (*grantYAML) Refused(key string) string { return refusal(grantRefusals, key) }

func (g *grants) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if strictyaml.IsNull(n) {
		return
	}
	elements, ok := d.Elements(n, "a list of names or of {source, target}")
	if !ok {
		return
	}
	for i, e := range elements {
		var y grantYAML
		step := fmt.Sprintf("[%d]", i)
		if e.Kind == yaml.ScalarNode {
			ok = d.DecodeAt(step, e, &y.Source)
		} else {
			ok = d.DecodeAt(step, e, &y)
		}
		if ok && y.Source == "" {
			d.Errorf(e, "source is missing: the name of what is declared at the top of the file")
			ok = false
		}
		if ok {
			*g = append(*g, grant{y.Source, y.Target, e})
		}
	}
}

// binds gives the volumes that grants of one kind stand for. Targets that are
// not absolute are below dir, as Compose has it.
func (g grants) binds(kind, dir string, declared objects) (volumes []Volume, problems []problem) {
	for _, one := range g {
		object, ok := declared[kind+"."+one.source]
		if !ok {
			problems = append(problems, problem{kind, fmt.Sprintf("%s: %s is not declared: write `%s: {%s: {file: ./FILE}}` at the top of the file",
				kind, one.source, kind, one.source)})
			continue
		}
		target := one.target
		if target == "" {
			target = one.source
		}
		if !path.IsAbs(target) {
			target = path.Join(dir, target)
		}
		volumes = append(volumes, Volume{Source: object.file, Target: path.Clean(target), ReadOnly: true})
	}
	return volumes, problems
}
