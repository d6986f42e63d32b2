package service

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// Lookup finds the value of a variable for ${VAR}.
type Lookup func(name string) (string, bool)

// document is one service file, or the services that another file holds: read,
// with aliases and variables replaced, and not yet decoded.
type document struct {
	file     string
	declared []*declaration        // in the order of the text
	objects  objects               // its configs and secrets
	user     map[string]*yaml.Node // top-level keys for its services of scope user
	problems []error               // what is wrong outside of any service
}

// declaration is what one place says of a service. It may be less than a whole
// service: the rest comes from what it extends and from what it is laid over.
type declaration struct {
	name       string
	file       string
	key, value *yaml.Node // value has no aliases: see strictyaml.Plain
	objects    objects
	findings   strictyaml.Errors
	circle     []*declaration // it extends itself, by way of these
	scope      string         // that its file says for all
}

func (d *declaration) place() Place {
	return Place{File: d.file, Line: d.key.Line, Column: d.key.Column}
}

// find reports at the service's key.
func (d *declaration) find(format string, args ...any) strictyaml.Error {
	return strictyaml.Error{File: d.file, Line: d.key.Line, Column: d.key.Column,
		Path: "services." + d.name, Message: fmt.Sprintf(format, args...)}
}

// readDocument reads the text of a service file. What is wrong with one service
// does not touch the others. The error is for text that is not YAML or not a
// service file at all.
func readDocument(file string, data []byte, lookup Lookup) (*document, error) {
	docs, err := strictyaml.Parse(file, data)
	if err != nil {
		return nil, err
	}
	if len(docs) == 0 {
		return &document{file: file}, nil
	}
	doc, err := newDocument(file, docs[0], lookup)
	if err == nil && len(docs) > 1 {
		doc.problems = append(doc.problems, strictyaml.Error{File: file, Line: docs[1].Line, Column: docs[1].Column,
			Message: "a second document begins here; one file holds one, with as many services as wanted"})
	}
	return doc, err
}

func newDocument(file string, root *yaml.Node, lookup Lookup) (*document, error) {
	var top topLevel
	err := strictyaml.DecodeNode(file, root, &top, strictyaml.ExtensionsAtTop())
	doc := &document{file: file, objects: objects{}, user: map[string]*yaml.Node{}}
	bad := doc.sortOut(err)
	if err != nil && top.Services == nil && len(bad) == 0 {
		return nil, err
	}
	for _, p := range top.Services {
		value, findings := plain(file, p.Value, lookup, "services", p.Name)
		if twice, ok := bad[p.Name]; ok {
			findings = append(findings, twice)
		}
		doc.declared = append(doc.declared, &declaration{name: p.Name, file: file, key: p.Key, value: value,
			objects: doc.objects, findings: findings, scope: string(top.Ros.Scope)})
	}
	doc.readObjects(&top, lookup)
	return doc, nil
}

// readObjects takes in what stands at the top for services to refer to. Named
// volumes and networks are for services of scope user.
func (doc *document) readObjects(top *topLevel, lookup Lookup) {
	of := func(scope string) func(*declaration) bool {
		return func(d *declaration) bool { return d.scopeOf() == scope }
	}
	anyUser := slices.ContainsFunc(doc.declared, of(ScopeUser))
	anySystem := len(doc.declared) == 0 || slices.ContainsFunc(doc.declared, of(ScopeSystem))
	for kind, node := range map[string]*yaml.Node{"configs": &top.Configs, "secrets": &top.Secrets, "volumes": &top.Volumes, "networks": &top.Networks} {
		if node.Kind == 0 {
			continue
		}
		value, findings := plain(doc.file, node, lookup, kind)
		refused := topRefusals[kind] != ""
		switch {
		case refused && !anyUser:
			findings = append(findings, strictyaml.Error{File: doc.file, Line: node.Line, Column: node.Column, Path: kind,
				Message: refusal(topRefusals, kind)})
		case !refused && anySystem:
			findings = append(findings, doc.objects.read(doc.file, kind, value)...)
		}
		if refused && anyUser {
			doc.user[kind] = value
		}
		doc.problem(findings)
	}
}

// plain copies a part of the text without aliases and with variables replaced.
func plain(file string, n *yaml.Node, lookup Lookup, path ...string) (*yaml.Node, strictyaml.Errors) {
	out, findings := strictyaml.Plain(file, n, strictyaml.At(path...))
	return out, append(findings, resolveVariables(file, out, lookup, strings.Join(path, "."))...)
}

func (doc *document) problem(findings strictyaml.Errors) {
	for _, f := range findings.Sort() {
		doc.problems = append(doc.problems, f)
	}
}

// sortOut tells findings about a service (a name that stands there twice) from
// those about the file.
func (doc *document) sortOut(err error) map[string]strictyaml.Error {
	bad := map[string]strictyaml.Error{}
	var all strictyaml.Errors
	errors.As(err, &all)
	for _, e := range all {
		if name, ok := strings.CutPrefix(e.Path, "services."); ok {
			bad[name] = e
			continue
		}
		doc.problems = append(doc.problems, e)
	}
	return bad
}

// topLevel is the file as a whole.
type topLevel struct {
	Version  strictyaml.Text `yaml:"version"` // obsolete in Compose too, and without meaning
	Services servicePairs    `yaml:"services"`
	Configs  yaml.Node       `yaml:"configs"`
	Secrets  yaml.Node       `yaml:"secrets"`
	Volumes  yaml.Node       `yaml:"volumes"`  // for scope user
	Networks yaml.Node       `yaml:"networks"` // for scope user
	Ros      fileYAML        `yaml:"x-ros"`
}

// fileYAML is x-ros at the top of a file: what counts for all its services.
type fileYAML struct {
	Scope scope `yaml:"scope"`
}

// Refused names the top-level keys of Compose that Testudo does not take.
func (*topLevel) Refused(key string) string { return refusal(topRefusals, key) }

// servicePairs takes the services as they stand: each is decoded by itself.
type servicePairs []strictyaml.Pair

// UnmarshalStrict leaves what is below each name for later.
func (s *servicePairs) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if strictyaml.IsNull(n) {
		return
	}
	if pairs, ok := d.Pairs(n); ok {
		*s = append(servicePairs{}, pairs...)
	}
}

// serviceName is what may be a folder's name and part of a socket's path,
// which the kernel limits to 107 bytes.
var serviceName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_-]{0,47}$`)

// nameFinding says why a declaration cannot have the name it has; "" if it can.
func nameFinding(name string) string {
	switch {
	case !serviceName.MatchString(name):
		return fmt.Sprintf("%q cannot be the name of a service: want letters, digits, - and _, at most 48", name)
	case name == api.KernelLog || name == api.RosdLog:
		return fmt.Sprintf("no service can be called %s: the system writes a log of that name", name)
	}
	return ""
}

// decode makes a service of a whole declaration. origins tells which of its
// nodes come from other files.
func (d *declaration) decode(origins map[*yaml.Node]string) (Service, error) {
	if d.scopeOf() == ScopeUser {
		return d.decodeUser(origins)
	}
	raw := newServiceYAML(d.name, d.place())
	raw.objects = d.objects
	findings := slices.Clone(d.findings)
	err := strictyaml.DecodeNode(d.file, d.value, &raw, strictyaml.At("services", d.name),
		strictyaml.ExtensionsAtTop(), strictyaml.Origins(origins))
	var all strictyaml.Errors
	if errors.As(err, &all) {
		findings = append(findings, all...)
	}
	if text := nameFinding(d.name); text != "" {
		findings = append(findings, d.find("%s", text))
	}
	raw.service.Origins = originsOf(d, origins)
	if len(findings) == 0 {
		raw.finish()
		for _, p := range raw.check() {
			found := d.find("%s", p.message)
			if place, ok := raw.service.Origins[p.key]; ok {
				found.File, found.Line, found.Column = place.File, place.Line, place.Column
			}
			findings = append(findings, found)
		}
	}
	if len(findings) > 0 {
		return Service{}, findings.Sort()
	}
	return raw.service, nil
}

// originsOf gives the place of each key of a declaration, and of the keys one
// level below the mappings in which people look for them.
func originsOf(d *declaration, origins map[*yaml.Node]string) map[string]Place {
	places := map[string]Place{}
	var walk func(prefix string, n *yaml.Node)
	walk = func(prefix string, n *yaml.Node) {
		if n.Kind == yaml.SequenceNode && prefix != "" { // depends_on: [a, b]
			for _, e := range n.Content {
				places[prefix+e.Value] = placeOf(d, e, origins)
			}
		}
		if n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			places[prefix+key.Value] = placeOf(d, key, origins)
			if prefix == "" && slices.Contains([]string{"depends_on", "x-ros", "healthcheck"}, key.Value) {
				walk(key.Value+".", value)
			}
		}
	}
	walk("", d.value)
	return places
}

func placeOf(d *declaration, n *yaml.Node, origins map[*yaml.Node]string) Place {
	file, other := origins[n]
	if !other {
		file = d.file
	}
	return Place{File: file, Line: n.Line, Column: n.Column}
}

// sortedUnique is for lists whose order means nothing.
func sortedUnique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}
