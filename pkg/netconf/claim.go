package netconf

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/netplan"
)

// claim is one interface together with the definition that it is configured by.
type claim struct {
	id   string
	dev  *netplan.Device
	eth  *netplan.Ethernet // nil for kinds that are made
	name string            // that it is to have
	kind string            // of one that is made
	link *Link             // nil: not there
}

// everyCard is the configuration of a machine that has none: DHCP on every card.
func everyCard() *netplan.Config {
	yes := true
	return &netplan.Config{Version: 2, Ethernets: map[string]*netplan.Ethernet{
		"every-card": {Match: &netplan.Match{Name: "*"}, Device: netplan.Device{DHCP4: &yes}},
	}}
}

// original gives an interface as it was before the service changed it.
func (o *Owned) original(l Link) Original {
	was := o.Originals[l.Index]
	was.Name = cmp.Or(was.Name, l.Name)
	was.MAC = cmp.Or(was.MAC, l.MAC.String())
	was.MTU = cmp.Or(was.MTU, l.MTU)
	return was
}

// claims finds out which interface each definition is about.
func claims(c *netplan.Config, links []Link, owned *Owned) (out []claim, problems []Problem) {
	if c.Disabled() {
		return nil, nil
	}
	taken := map[int]bool{}
	make := func(id, kind string, dev *netplan.Device) {
		found := claim{id: id, dev: dev, name: id, kind: kind}
		for i := range links {
			if l := &links[i]; l.Name == id && !taken[l.Index] {
				if l.Kind != kind {
					problems = append(problems, Problem{id, fmt.Sprintf("an interface of this name is there, and is %s", describeKind(*l))})
					return
				}
				found.link, taken[l.Index] = l, true
			}
		}
		out = append(out, found)
	}
	for _, id := range keys(c.Bonds) {
		make(id, "bond", &c.Bonds[id].Device)
	}
	for _, id := range keys(c.Bridges) {
		make(id, "bridge", &c.Bridges[id].Device)
	}
	for _, id := range keys(c.VLANs) {
		make(id, "vlan", &c.VLANs[id].Device)
	}
	for _, id := range keys(c.Tunnels) {
		make(id, tunnelKind(c.Tunnels[id].Mode), &c.Tunnels[id].Device)
	}
	for _, id := range keys(c.Dummies) {
		make(id, "dummy", &c.Dummies[id].Device)
	}
	for _, id := range keys(c.Veths) {
		make(id, "veth", &c.Veths[id].Device)
	}
	for _, id := range keys(c.VRFs) {
		make(id, "vrf", &c.VRFs[id].Device)
	}

	ids := keys(c.Ethernets)
	slices.SortStableFunc(ids, func(a, b string) int { return vague(c.Ethernets[a]) - vague(c.Ethernets[b]) })
	for _, id := range ids {
		e := c.Ethernets[id]
		found := 0
		for i := range links {
			l := &links[i]
			if taken[l.Index] || !matches(id, e, *l, owned) {
				continue
			}
			if l.Master != 0 && !owned.Originals[l.Index].Master && !owned.link(Link{Index: l.Master, Kind: kindOf(links, l.Master)}) {
				continue // someone else put it into a bridge or bond
			}
			name := l.Name
			if e.SetName != "" {
				if found > 0 {
					problems = append(problems, Problem{id, fmt.Sprintf("%s matches, too, and keeps its name: only one can be %s", l.Name, e.SetName)})
				} else {
					name = e.SetName
				}
			} else if was := owned.Originals[l.Index].Name; was != "" {
				name = was // set-name is no longer said
			}
			found++
			taken[l.Index] = true
			out = append(out, claim{id: id, dev: &e.Device, eth: e, name: name, link: l})
		}
		if found == 0 && !(e.Match != nil && e.Match.Name == "*") {
			problems = append(problems, Problem{id, "no interface here " + looksFor(id, e)})
		}
	}
	return out, problems
}

func keys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

func kindOf(links []Link, index int) string {
	for _, l := range links {
		if l.Index == index {
			return l.Kind
		}
	}
	return ""
}

func describeKind(l Link) string {
	if l.Kind == "" {
		return "a network card"
	}
	return "of kind " + l.Kind
}

// vague orders definitions: what names one interface goes before a pattern.
func vague(e *netplan.Ethernet) int {
	switch m := e.Match; {
	case m == nil:
		return 0
	case m.MAC != nil:
		return 1
	case m.Path != "" && !pattern(m.Path):
		return 2
	case m.Name != "" && !pattern(m.Name):
		return 3
	case m.Name != "*" || m.Path != "" || len(m.Driver) > 0:
		return 4
	}
	return 5
}

func pattern(s string) bool { return strings.ContainsAny(s, `*?[\`) }

func matches(id string, e *netplan.Ethernet, l Link, owned *Owned) bool {
	was := owned.original(l)
	if e.Match == nil {
		return l.Name == id || was.Name == id // lo, too: a home for addresses
	}
	if !l.Physical {
		return false
	}
	m := e.Match
	if m.Name != "" && !glob(m.Name, l.Name) && !glob(m.Name, was.Name) {
		return false
	}
	if m.MAC != nil {
		permanent := l.PermMAC.String()
		if len(l.PermMAC) == 0 {
			permanent = was.MAC
		}
		if m.MAC.String() != permanent {
			return false
		}
	}
	if len(m.Driver) > 0 && !slices.ContainsFunc(m.Driver, func(d string) bool { return glob(d, l.Driver) }) {
		return false
	}
	return m.Path == "" || glob(m.Path, l.Path)
}

func glob(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

func looksFor(id string, e *netplan.Ethernet) string {
	m := e.Match
	if m == nil {
		return "has the name " + id
	}
	var words []string
	if m.Name != "" {
		words = append(words, "name "+m.Name)
	}
	if m.MAC != nil {
		words = append(words, "hardware address "+m.MAC.String())
	}
	if len(m.Driver) > 0 {
		words = append(words, "driver "+strings.Join(m.Driver, " or "))
	}
	if m.Path != "" {
		words = append(words, "path "+m.Path)
	}
	if len(words) == 0 {
		return "is a network card"
	}
	return "has " + strings.Join(words, ", ")
}

// tunnelKind is the kernel's word for netplan's.
func tunnelKind(mode string) string {
	switch mode {
	case "ipip6", "ip6ip6":
		return "ip6tnl"
	}
	return mode
}
