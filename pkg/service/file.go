package service

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// File is what one service file holds.
type File struct {
	Name     string
	Services []Service // the good ones, in the order of the file
	Invalid  []Invalid
	Problems []error // what is wrong outside of any service
}

// Invalid is a service that is declared and cannot be used.
type Invalid struct {
	Name   string
	Source string // file:line
	Err    error
}

// Lookup finds the value of a variable for ${VAR}.
type Lookup func(name string) (string, bool)

// ParseFile reads the service file data, which people know as name. What is
// wrong with one service does not touch the others. The error is for text that
// is not YAML or not a service file at all.
func ParseFile(name string, data []byte, lookup func(string) (string, bool)) (*File, error) {
	docs, err := strictyaml.Parse(name, data)
	if err != nil {
		return nil, err
	}
	f := &File{Name: name}
	if len(docs) == 0 {
		return f, nil
	}
	var top topLevel
	err = strictyaml.DecodeNode(name, docs[0], &top, strictyaml.ExtensionsAtTop())
	if len(docs) > 1 {
		f.Problems = append(f.Problems, strictyaml.Error{File: name, Line: docs[1].Line, Column: docs[1].Column,
			Message: "a second document begins here; one file holds one, with as many services as wanted"})
	}
	bad := f.sortOut(err)
	if err != nil && top.Services == nil && len(bad) == 0 {
		return nil, err
	}
	vars := &interpolation{lookup: lookup, done: map[*yaml.Node]error{}}
	for _, node := range top.Services {
		s, err := parseService(name, node, vars)
		if twice := bad[node.Name]; twice != nil {
			err = errors.Join(twice, err)
		}
		if err != nil {
			f.Invalid = append(f.Invalid, Invalid{Name: node.Name, Source: node.source(name), Err: err})
			continue
		}
		f.Services = append(f.Services, s)
	}
	return f, nil
}

// sortOut tells findings about a service (a name that stands there twice) from
// those about the file.
func (f *File) sortOut(err error) map[string]error {
	bad := map[string]error{}
	var all strictyaml.Errors
	if !errors.As(err, &all) {
		return bad
	}
	for _, e := range all {
		if name, ok := strings.CutPrefix(e.Path, "services."); ok {
			bad[name] = e
			continue
		}
		f.Problems = append(f.Problems, e)
	}
	return bad
}

// topLevel is the file as a whole.
type topLevel struct {
	Version  strictyaml.Text `yaml:"version"` // obsolete in Compose too, and without meaning
	Services serviceNodes    `yaml:"services"`
}

// Refused names the top-level keys of Compose that Testudo does not take.
func (*topLevel) Refused(key string) string {
	switch key {
	case "name":
		return "not supported: services of the OS have no project name"
	case "networks":
		return "not supported: " + noNetworks
	case "volumes":
		return "not supported: " + noNamedVolumes
	case "configs", "secrets":
		return "not supported yet: bind the file instead (volumes: [/var/lib/testudo/FILE:/PATH:ro])"
	case "include":
		return "not supported: every *.yaml file in the services folder is read"
	}
	return ""
}

// serviceNode is one service, not yet decoded.
type serviceNode struct{ strictyaml.Pair }

func (n serviceNode) source(file string) string { return fmt.Sprintf("%s:%d", file, n.Key.Line) }

type serviceNodes []serviceNode

// UnmarshalStrict takes the services as nodes: each is decoded by itself.
func (s *serviceNodes) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if strictyaml.IsNull(n) {
		return
	}
	pairs, ok := d.Pairs(n)
	if !ok {
		return
	}
	*s = serviceNodes{}
	for _, p := range pairs {
		*s = append(*s, serviceNode{p})
	}
}

// serviceName is what may be a folder's name and part of a socket's path,
// which the kernel limits to 107 bytes.
var serviceName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_-]{0,47}$`)

func parseService(file string, node serviceNode, vars *interpolation) (Service, error) {
	at := strictyaml.At("services", node.Name)
	raw := newServiceYAML(node.Name, node.source(file))
	findings := vars.resolve(file, node.Value, "services."+node.Name)
	if err := strictyaml.DecodeNode(file, node.Value, &raw, at); err != nil {
		var all strictyaml.Errors
		if errors.As(err, &all) {
			findings = append(findings, all...)
		}
	}
	finding := func(format string, args ...any) {
		findings = append(findings, strictyaml.Error{File: file, Line: node.Key.Line, Column: node.Key.Column,
			Path: "services." + node.Name, Message: fmt.Sprintf(format, args...)})
	}
	if !serviceName.MatchString(node.Name) {
		finding("%q cannot be the name of a service: want letters, digits, - and _, at most 48", node.Name)
	}
	if len(findings) == 0 {
		raw.finish()
		for _, problem := range raw.check() {
			finding("%s", problem)
		}
	}
	if len(findings) > 0 {
		return Service{}, findings.Sort()
	}
	return raw.service, nil
}

// sortedUnique is for lists whose order means nothing.
func sortedUnique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}
