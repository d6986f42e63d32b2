package service

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// folder is a folder of service files, as far as they have been read.
type folder struct {
	dir    Dir
	lookup Lookup
	merger *merger
	read   map[string]*document // by file name
}

// document reads a file of the folder once.
func (f *folder) document(name string) (*document, error) {
	if doc, ok := f.read[name]; ok {
		return doc, nil
	}
	file := path.Join(f.dir.Path, name)
	data, err := fs.ReadFile(f.dir.FS, name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	doc, err := readDocument(file, data, f.lookup)
	if err != nil {
		return nil, err
	}
	f.read[name] = doc
	return doc, nil
}

// extendsYAML is `extends`: a name, or a name and a file of the same folder.
type extendsYAML struct {
	Service string `yaml:"service"`
	File    string `yaml:"file"`
}

// UnmarshalStrict takes the short form too.
func (e *extendsYAML) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode {
		d.Decode(n, &e.Service)
		return
	}
	type long extendsYAML
	d.Decode(n, (*long)(e))
}

// extended gives d with what it extends below it. way is how we came here.
func (f *folder) extended(d *declaration, way []*declaration) *declaration {
	at := find(d.value, "extends")
	if d.value.Kind != yaml.MappingNode || at < 0 {
		return d
	}
	own := *d
	own.findings = slices.Clone(d.findings)
	own.value = f.merger.without(d.value, "extends")
	node := d.value.Content[at+1]
	bad := func(format string, args ...any) *declaration {
		own.findings = append(own.findings, strictyaml.Error{File: d.file, Line: node.Line, Column: node.Column,
			Path: "services." + d.name + ".extends", Message: fmt.Sprintf(format, args...)})
		return &own
	}
	var e extendsYAML
	var all strictyaml.Errors
	err := strictyaml.DecodeNode(d.file, node, &e, strictyaml.At("services", d.name, "extends"))
	switch {
	case errors.As(err, &all):
		own.findings = append(own.findings, all...)
		return &own
	case e.Service == "":
		return bad("service is missing: the name of the service to extend")
	}
	name := strings.TrimPrefix(e.File, "./")
	if name == "" {
		name = path.Base(d.file)
	}
	if name != path.Base(name) || name == ".." {
		return bad("file: found %q, want the name of a file in the same folder", e.File)
	}
	doc, err := f.document(name)
	if err != nil {
		return bad("%s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	base := doc.declaration(e.Service)
	if base == nil {
		return bad("%s declares no service %s%s", name, e.Service, strictyaml.Suggest(e.Service, doc.names()))
	}
	way = append(way, d)
	if from := slices.Index(way, base); from >= 0 {
		own.circle = way[from:]
	} else if base = f.extended(base, way); len(base.circle) > 0 {
		own.circle = base.circle
	}
	switch at := slices.Index(own.circle, d); {
	case at >= 0:
		return bad("a circle: %s", drawn(own.circle, at))
	case len(base.findings) > 0:
		return bad("%s (%s) has errors of its own", base.name, base.place().Row())
	}
	// The result is d's: in d's file, and under its name.
	f.merger.mark(base.value, base.file)
	f.merger.mark(own.value, own.file)
	out := f.merger.layer(f.merger.alone(base), &own)
	out.name, out.file, out.key = d.name, d.file, d.key
	return out
}

// drawn writes a circle of declarations, from one of them back to it.
func drawn(circle []*declaration, from int) string {
	var way []string
	for _, d := range slices.Concat(circle[from:], circle[:from], circle[from:from+1]) {
		way = append(way, d.name+" ("+path.Base(d.file)+")")
	}
	return strings.Join(way, " -> ")
}

func (doc *document) declaration(name string) *declaration {
	for _, d := range doc.declared {
		if d.name == name {
			return d
		}
	}
	return nil
}

func (doc *document) names() (names []string) {
	for _, d := range doc.declared {
		names = append(names, d.name)
	}
	return names
}
