package service

import (
	"fmt"
	"path"
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

// userRefusals are keys that need files which docker compose, as the OS runs
// it, does not see, or more than a running engine.
var userRefusals = map[string]string{
	"build":      "images are not built here; build it elsewhere and name it under image",
	"develop":    "images are not built here; build it elsewhere and name it under image",
	"env_file":   "docker compose does not see the file; write the variables under environment",
	"label_file": "docker compose does not see the file; write the labels under labels",
	"configs":    "docker compose does not see the file; bind it under volumes, from a folder that Docker sees",
	"secrets":    "docker compose does not see the file; bind it under volumes, from a folder that Docker sees",
}

// userKeys are Compose's keys of a service, less those.
func userKeys() []string {
	known := append(strictyaml.Fields(serviceYAML{}), sortedKeys(serviceRefusals)...)
	return slices.DeleteFunc(known, func(key string) bool { return userRefusals[key] != "" })
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
		case userRefusals[key.Value] != "":
			report(key, "."+key.Value, "%s", refusal(userRefusals, key.Value))
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
	if text := nameFinding(d.name); text != "" {
		findings = append(findings, d.find("%s", text))
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
var userObjects = []string{"volumes", "networks"}

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

// checkUser finds what docker compose would stumble over, for all services of
// scope user at once: one that is wrong is left out.
func (set *Set) checkUser() {
	seen := dockerSees(set.Services)
	for {
		bad := map[string]error{}
		for _, s := range set.User {
			if err := s.unseen(seen); err != nil {
				bad[s.Name] = err
			} else if err := set.undeclared(s); err != nil {
				bad[s.Name] = err
			}
		}
		if len(bad) == 0 {
			return
		}
		set.User = set.dropFrom(set.User, bad) // what depends on it is next
	}
}

// dockerSees gives the folders that the user runtime has at their own place;
// nil when no user runtime is declared.
func dockerSees(services []Service) (folders []string) {
	for _, s := range services {
		if s.Name != "docker" {
			continue
		}
		for _, v := range s.Volumes {
			if v.Source == v.Target {
				folders = append(folders, v.Source)
			}
		}
	}
	return folders
}

// unseen finds a bind whose folder docker would not find, but make anew in its
// own container, where it is lost.
func (s Service) unseen(folders []string) error {
	at := find(s.compose, "volumes")
	if at < 0 {
		return nil
	}
	for _, n := range s.compose.Content[at+1].Content {
		source, _, two := strings.Cut(n.Value, ":")
		if n.Kind == yaml.MappingNode {
			source, two = field(n, "source"), field(n, "type") == "bind"
		}
		switch {
		case !two || named(n):
		case !path.IsAbs(source):
			return s.at("volumes", "%s has no place: want a path that begins with /", source)
		case folders != nil && !slices.ContainsFunc(folders, func(f string) bool { return isBelow(f, source) }):
			return s.at("volumes", "Docker does not see %s; put it below /home, /root, /media or /mnt", source)
		}
	}
	return nil
}

func isBelow(folder, p string) bool {
	p = path.Clean(p)
	return p == folder || strings.HasPrefix(p, strings.TrimSuffix(folder, "/")+"/")
}

// undeclared finds a dependency that is no service of scope user.
func (set *Set) undeclared(s Service) error {
	at := find(s.compose, "depends_on")
	if at < 0 {
		return nil
	}
	m := merger{origins: map[*yaml.Node]string{}}
	deps := m.conditions(s.compose.Content[at+1])
	for i := 0; i+1 < len(deps.Content); i += 2 {
		name, how := deps.Content[i].Value, deps.Content[i+1]
		if field(how, "required") == "false" || slices.ContainsFunc(set.User, func(u Service) bool { return u.Name == name }) {
			continue
		}
		return s.at("depends_on."+name, "no service %s of scope user runs; those of the OS are there before Docker is", name)
	}
	return nil
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
