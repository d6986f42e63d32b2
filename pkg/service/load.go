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

// Set is all that is declared on a machine. Each name is in one of Services,
// User, Disabled and Invalid.
type Set struct {
	Services []Service // good and wanted, by name: what Plan takes
	User     []Service // good and wanted, of scope user: for docker compose, see Compose
	Disabled []Service // good, and not wanted: Service.Off says why
	Invalid  []Invalid // by name; Validate adds to it
	Problems []error   // for `ros status`: everything found, those of Invalid too

	userObjects map[string]*yaml.Node // volumes, networks, ... of User
}

// Invalid is a service that is declared and cannot be used.
type Invalid struct {
	Name   string
	Source string // file:line
	Err    error
}

// Dir is a folder of service files.
type Dir struct {
	Path string // for messages and for ./ in files
	FS   fs.FS
	Only string // the one file to read; others may still be extended
}

// Source is a place from which services come. Those of a later source are laid
// over those of earlier ones, key by key.
type Source struct {
	Label    string // in listings: built-in, catalog, user, configuration
	Dir      Dir    // its files *.yaml and *.yml, in the order of their names
	Inline   []Text // services that stand in other files
	Optional bool   // its services are disabled until they are enabled
}

// Text is a mapping of services within another file.
type Text struct {
	File string
	Node *yaml.Node // name: service
}

// Options change what Load takes.
type Options struct {
	Lookup   Lookup   // variables for ${VAR}; nil: none is set
	Profiles []string // active ones; services without profiles are always wanted
	Enable   []string // wanted whatever their profiles and source say
	Disable  []string // not wanted, whatever else is said
}

// Load reads all services of all sources and validates them as a set. A bad
// declaration changes nothing: what was declared before it stays in force, and
// Problems says so.
func Load(o Options, sources ...Source) *Set {
	l := &loader{options: o, set: &Set{userObjects: map[string]*yaml.Node{}}, merger: &merger{origins: map[*yaml.Node]string{}}, chains: map[string]*chain{}}
	for _, s := range sources {
		l.source(s)
	}
	for _, name := range sortedKeys(l.chains) {
		c := l.chains[name]
		switch {
		case c.merged == nil:
			l.set.Invalid = append(l.set.Invalid, *c.bad)
		case c.off(o) != "":
			c.service.Off = c.off(o)
			l.set.Disabled = append(l.set.Disabled, c.service)
		case c.service.Scope == ScopeUser:
			l.set.User = append(l.set.User, c.service)
		default:
			l.set.Services = append(l.set.Services, c.service)
		}
	}
	l.set.Validate()
	return l.set
}

type loader struct {
	options Options
	set     *Set
	merger  *merger
	chains  map[string]*chain
}

// chain is what sources say of one service, as far as they have been read.
type chain struct {
	merged   *declaration // nil while none is good
	service  Service
	bad      *Invalid
	last     *declaration // of the present source
	optional bool         // the source that first declares it is
}

func (l *loader) problem(err error) { l.set.Problems = append(l.set.Problems, err) }

func (l *loader) source(s Source) {
	f := &folder{dir: s.Dir, lookup: l.options.Lookup, merger: l.merger, read: map[string]*document{}}
	docs := l.documents(f)
	for _, text := range s.Inline {
		root := &yaml.Node{Kind: yaml.MappingNode, Line: text.Node.Line, Column: text.Node.Column,
			Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: "services", Line: text.Node.Line, Column: text.Node.Column}, text.Node}}
		doc, err := newDocument(text.File, root, l.options.Lookup)
		if err != nil {
			l.problem(err)
			continue
		}
		docs = append(docs, doc)
	}
	for _, c := range l.chains {
		c.last = nil
	}
	for _, doc := range docs {
		for _, p := range doc.problems {
			l.problem(p)
		}
		for kind, n := range doc.user {
			if before := l.set.userObjects[kind]; before != nil {
				n = l.merger.merge("", before, n)
			}
			l.set.userObjects[kind] = n
		}
		for _, d := range doc.declared {
			l.take(f.extended(d, nil), s)
		}
	}
}

// documents reads the folder's files. One that cannot be read is a problem and
// nothing else; a folder that does not exist is empty.
func (l *loader) documents(f *folder) (docs []*document) {
	if f.dir.FS == nil {
		return nil
	}
	entries, err := fs.ReadDir(f.dir.FS, ".")
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			l.problem(fmt.Errorf("read the services in %s: %w", f.dir.Path, err))
		}
		return nil
	}
	for _, e := range entries {
		name := e.Name()
		if f.dir.Only != "" && name != f.dir.Only {
			continue
		}
		if f.dir.Only == "" && (strings.HasPrefix(name, ".") || !strings.HasSuffix(name, ".yaml") && !strings.HasSuffix(name, ".yml")) {
			continue
		}
		doc, err := f.document(name)
		if err != nil {
			l.problem(err)
			continue
		}
		docs = append(docs, doc)
	}
	return docs
}

// take lays a declaration over what is known of its service.
func (l *loader) take(d *declaration, s Source) {
	c := l.chains[d.name]
	if c == nil {
		c = &chain{optional: s.Optional}
		l.chains[d.name] = c
	}
	if c.last != nil {
		l.problem(d.find("%s declares a service of this name already: one folder declares it once", c.last.place().Row()))
		return
	}
	c.last = d
	candidate := l.merger.alone(d)
	if c.merged != nil {
		candidate = l.merger.layer(c.merged, d)
	}
	decoded, err := candidate.decode(l.merger.origins)
	if err == nil {
		layers := append(slices.Clone(c.service.Layers), Layer{Label: s.Label, Place: d.place()})
		c.merged, c.service, c.bad = candidate, decoded, nil
		c.service.Layers = layers
		return
	}
	l.problem(err)
	if c.merged != nil {
		l.problem(d.find("%s is as %s declares it, because of the errors here", d.name, c.service.Source))
		return
	}
	c.bad = &Invalid{Name: d.name, Source: d.place().Row(), Err: err}
}

// off says why a good service is not wanted; "" when it is.
func (c *chain) off(o Options) string {
	s := c.service
	switch {
	case slices.Contains(o.Disable, s.Name):
		return "disabled by name"
	case slices.Contains(o.Enable, s.Name):
		return ""
	case c.optional:
		return "of the catalog: `ros service enable " + s.Name + "` turns it on"
	case len(s.Profiles) > 0 && !slices.ContainsFunc(s.Profiles, func(p string) bool { return slices.Contains(o.Profiles, p) }):
		return "none of its profiles (" + strings.Join(s.Profiles, ", ") + ") is active"
	}
	return ""
}

// Reason is what is wrong in one line, for the service's Status.
func (i Invalid) Reason() string {
	var all strictyaml.Errors
	if errors.As(i.Err, &all) && len(all) > 1 {
		return fmt.Sprintf("%v (and %s)", all[0], plural(len(all)-1, "more error"))
	}
	return strings.ReplaceAll(i.Err.Error(), "\n", "; ")
}

// Check reads one service file by itself, as `ros service create` does before
// it writes one: it must hold nothing that is wrong.
func Check(file string, data []byte, lookup Lookup) ([]Service, error) {
	f, err := ParseFile(file, data, lookup)
	if err != nil {
		return nil, err
	}
	problems := f.Problems
	for _, i := range f.Invalid {
		problems = append(problems, i.Err)
	}
	return f.Services, errors.Join(problems...)
}

// DeclaredIn names the services that a file declares, good or bad.
func DeclaredIn(file string, data []byte) ([]string, error) {
	doc, err := readDocument(file, data, nil)
	if err != nil {
		return nil, err
	}
	return doc.names(), nil
}

// Has says whether a service of that name is declared, in whatever state.
func (set *Set) Has(name string) bool {
	is := func(s Service) bool { return s.Name == name }
	return slices.ContainsFunc(set.Services, is) || slices.ContainsFunc(set.User, is) || slices.ContainsFunc(set.Disabled, is) ||
		slices.ContainsFunc(set.Invalid, func(i Invalid) bool { return i.Name == name })
}

// File is what one service file holds.
type File struct {
	Services []Service // the good ones, in the order of the file
	Invalid  []Invalid
	Problems []error // what is wrong outside of any service
}

// ParseFile reads one service file by itself. What is wrong with one service
// does not touch the others. The error is for text that is not YAML or not a
// service file at all.
func ParseFile(name string, data []byte, lookup Lookup) (*File, error) {
	doc, err := readDocument(name, data, lookup)
	if err != nil {
		return nil, err
	}
	f := &folder{lookup: lookup, merger: &merger{origins: map[*yaml.Node]string{}}, read: map[string]*document{path.Base(name): doc}}
	out := &File{Problems: doc.problems}
	for _, d := range doc.declared {
		d = f.merger.alone(f.extended(d, nil))
		s, err := d.decode(f.merger.origins)
		if err != nil {
			out.Invalid = append(out.Invalid, Invalid{Name: d.name, Source: d.place().Row(), Err: err})
			continue
		}
		s.Layers = []Layer{{Place: d.place()}}
		out.Services = append(out.Services, s)
	}
	return out, nil
}
