package service

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// Services of scope user are for the user runtime: Testudo reads and merges
// them like its own, checks the names of their keys, and hands the rest to
// docker compose, which knows what they mean.

// Scopes of a service.
const (
	ScopeSystem = "system"
	ScopeUser   = "user"
)

// scopeOf says for which runtime a service is. It says so itself, or its file
// does for all (top-level x-ros), or it has keys that make sense in the user
// runtime alone.
func (d *declaration) scopeOf() string {
	if d.value.Kind != yaml.MappingNode {
		return ScopeSystem
	}
	if at := find(d.value, "x-ros"); at >= 0 {
		if said := field(d.value.Content[at+1], "scope"); said != "" {
			return said
		}
	}
	if d.scope != "" {
		return d.scope
	}
	for _, key := range []string{"ports", "networks"} {
		if find(d.value, key) >= 0 {
			return ScopeUser
		}
	}
	if at := find(d.value, "volumes"); at >= 0 && slices.ContainsFunc(d.value.Content[at+1].Content, named) {
		return ScopeUser
	}
	return ScopeSystem
}

// named says whether a volume is one by name: data:/var/lib, {type: volume}.
func named(n *yaml.Node) bool {
	if n.Kind == yaml.MappingNode {
		return field(n, "type") == "volume"
	}
	source, _, two := strings.Cut(n.Value, ":")
	return two && source != "" && strings.Trim(source[:1], "./~") != ""
}

// userYAML is x-ros of a service of scope user.
type userYAML struct {
	Scope string `yaml:"scope"`
}

// Refused names what only the OS's own services can have.
func (*userYAML) Refused(key string) string {
	if slices.Contains(strictyaml.Fields(rosYAML{}), key) {
		return "not supported: for services of scope user only scope is; docker compose knows nothing of the rest"
	}
	return ""
}

// notHere are keys of Compose that need more than a running engine.
var notHere = []string{"build", "develop"}

// userKeys are Compose's keys of a service, less those.
func userKeys() []string {
	known := append(strictyaml.Fields(serviceYAML{}), sortedKeys(serviceRefusals)...)
	return slices.DeleteFunc(known, func(key string) bool { return slices.Contains(notHere, key) })
}

// decodeUser checks a service of scope user as far as Testudo can.
func (d *declaration) decodeUser(origins map[*yaml.Node]string) (Service, error) {
	s := Service{Name: d.name, Source: d.place().Row(), Scope: ScopeUser, Origins: originsOf(d, origins), compose: d.value}
	findings := slices.Clone(d.findings)
	report := func(n *yaml.Node, path, format string, args ...any) {
		place := placeOf(d, n, origins)
		findings = append(findings, strictyaml.Error{File: place.File, Line: place.Line, Column: place.Column,
			Path: "services." + d.name + path, Message: fmt.Sprintf(format, args...)})
	}
	known := userKeys()
	for i := 0; i+1 < len(d.value.Content); i += 2 {
		key, value := d.value.Content[i], d.value.Content[i+1]
		switch {
		case key.Value == "x-ros":
			var y userYAML
			err := strictyaml.DecodeNode(d.file, value, &y, strictyaml.At("services", d.name, "x-ros"), strictyaml.Origins(origins))
			all, _ := err.(strictyaml.Errors)
			findings = append(findings, all...)
		case slices.Contains(notHere, key.Value):
			report(key, "."+key.Value, "not supported: images are not built here; build it elsewhere and name it under image")
		case strings.HasPrefix(key.Value, "x-"):
		case !slices.Contains(known, key.Value):
			report(key, "."+key.Value, "unknown key%s", strictyaml.Suggest(key.Value, known))
		}
	}
	if s.Image = field(d.value, "image"); s.Image == "" {
		findings = append(findings, d.find("image is missing"))
	}
	if at := find(d.value, "profiles"); at >= 0 {
		for _, p := range d.value.Content[at+1].Content {
			s.Profiles = append(s.Profiles, p.Value)
		}
	}
	if !serviceName.MatchString(d.name) {
		findings = append(findings, d.find("%q cannot be the name of a service: want letters, digits, - and _, at most 48", d.name))
	}
	if len(findings) > 0 {
		return Service{}, findings.Sort()
	}
	return s, nil
}

// Compose is the file that docker compose is given for the services of scope
// user: as declared, with variables replaced. Nil when there are none.
func (set *Set) Compose() ([]byte, error) {
	if len(set.User) == 0 {
		return nil, nil
	}
	services := &yaml.Node{Kind: yaml.MappingNode}
	for _, s := range set.User {
		m := merger{origins: map[*yaml.Node]string{}}
		// Whether a service is wanted has been decided here.
		value := m.without(m.without(s.compose, "x-ros"), "profiles")
		services.Content = append(services.Content, text(s.Name), literal(value))
	}
	top := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{text("services"), services}}
	for _, kind := range userObjects {
		if n := set.userObjects[kind]; n != nil {
			top.Content = append(top.Content, text(kind), literal(n))
		}
	}
	out, err := yaml.Marshal(top)
	if err != nil {
		return nil, fmt.Errorf("write the compose file of the user runtime: %w", err)
	}
	return out, nil
}

// userObjects are the top-level keys that services of scope user refer to.
var userObjects = []string{"volumes", "networks", "configs", "secrets"}

func text(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
}

// literal copies a tree so that docker compose takes each dollar as one.
func literal(n *yaml.Node) *yaml.Node {
	out := *n
	if n.Kind == yaml.ScalarNode {
		out.Value = strings.ReplaceAll(n.Value, "$", "$$")
	}
	out.Content = nil
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			out.Content = append(out.Content, c) // keys hold no variables
			continue
		}
		out.Content = append(out.Content, literal(c))
	}
	return &out
}

// portClashes finds services of scope user that publish the same port.
func (set *Set) portClashes() (problems []error) {
	taken := map[string]Service{}
	for _, s := range set.User {
		at := find(s.compose, "ports")
		if at < 0 {
			continue
		}
		for _, port := range published(s.compose.Content[at+1]) {
			if other, ok := taken[port]; ok && other.Name != s.Name {
				problems = append(problems, s.at("ports", "port %s is published by %s (%s) too", port, other.Name, other.Source))
			}
			taken[port] = s
		}
	}
	return problems
}

// published gives the host ports of a list of ports, each as PORT/PROTOCOL,
// ranges as they stand.
func published(list *yaml.Node) (ports []string) {
	for _, n := range list.Content {
		host, protocol := "", "tcp"
		if n.Kind == yaml.MappingNode {
			host = field(n, "published")
			if p := field(n, "protocol"); p != "" {
				protocol = p
			}
		} else {
			value, p, ok := strings.Cut(n.Value, "/")
			if ok {
				protocol = p
			}
			// [IP:]HOST:CONTAINER
			if end := strings.LastIndexByte(value, ':'); end >= 0 {
				host = value[strings.LastIndexByte(value[:end], ':')+1 : end]
			}
		}
		if host != "" {
			ports = append(ports, host+"/"+protocol)
		}
	}
	return ports
}
