package netplan

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// version1 is cloud-init's first form: a list of things of several types.
type version1 struct {
	Version int         `yaml:"version"`
	Config  []yaml.Node `yaml:"config"`
}

// one1 holds what all types have in common, and is the whole of most.
type one1 struct {
	Type       string            `yaml:"type"`
	Name       string            `yaml:"name"`
	MAC        *MAC              `yaml:"mac_address"`
	MTU        *int              `yaml:"mtu"`
	AcceptRA   *bool             `yaml:"accept-ra"`
	KeepConfig bool              `yaml:"keep_configuration"` // no effect: leases are kept over restarts here
	WakeOnLAN  *bool             `yaml:"wakeonlan"`
	Subnets    []subnet1         `yaml:"subnets"`
	Params     map[string]scalar `yaml:"params"`

	BondInterfaces   []string `yaml:"bond_interfaces"`
	BridgeInterfaces []string `yaml:"bridge_interfaces"`
	VLANLink         string   `yaml:"vlan_link"`
	VLANID           *int     `yaml:"vlan_id"`
}

type nameserver1 struct {
	Type      string `yaml:"type"`
	Address   addrs1 `yaml:"address"`
	Search    words1 `yaml:"search"`
	Interface string `yaml:"interface"`
}

type route1 struct {
	Type        string  `yaml:"type"`
	ID          string  `yaml:"id"`
	Destination string  `yaml:"destination"`
	Network     string  `yaml:"network"`
	Netmask     *mask1  `yaml:"netmask"`
	Prefix      *int    `yaml:"prefix"`
	Gateway     *Addr   `yaml:"gateway"`
	Metric      *int    `yaml:"metric"`
	MTU         *int    `yaml:"mtu"`
	Source      *Addr   `yaml:"source"`
	Ignored     *string `yaml:"scope"` // Azure and OpenStack write it; "link" at most
}

type subnet1 struct {
	Type           string   `yaml:"type"`
	Control        string   `yaml:"control"` // auto, manual, ...
	Address        string   `yaml:"address"`
	Netmask        *mask1   `yaml:"netmask"`
	Prefix         *int     `yaml:"prefix"`
	Broadcast      *Addr    `yaml:"broadcast"` // what the kernel does anyway
	Gateway        *Addr    `yaml:"gateway"`
	Metric         *int     `yaml:"metric"`
	DNSNameservers addrs1   `yaml:"dns_nameservers"`
	DNSSearch      words1   `yaml:"dns_search"`
	Routes         []route1 `yaml:"routes"`
	Scope          string   `yaml:"scope"`
	IPv4           *bool    `yaml:"ipv4"` // OpenStack's converter writes both
	IPv6           *bool    `yaml:"ipv6"`
	MTU            *int     `yaml:"mtu"`
}

// scalar is a value of params: as it stands in the file.
type scalar struct {
	node *yaml.Node
}

// UnmarshalStrict keeps the node: the parameter decides about its type.
func (s *scalar) UnmarshalStrict(_ *strictyaml.Decoder, n *yaml.Node) { s.node = n }

// addrs1 is one address or a list.
type addrs1 []Addr

// UnmarshalStrict takes both.
func (a *addrs1) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && !strictyaml.IsNull(n) {
		for word := range strings.FieldsSeq(n.Value) {
			var one Addr
			part := *n
			part.Value = word
			if d.Decode(&part, &one) {
				*a = append(*a, one)
			}
		}
		return
	}
	d.Decode(n, (*[]Addr)(a))
}

// words1 is one word or a list.
type words1 []string

// UnmarshalStrict takes both.
func (w *words1) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && !strictyaml.IsNull(n) {
		*w = strings.Fields(n.Value)
		return
	}
	d.Decode(n, (*[]string)(w))
}

// mask1 is a length, also written as 255.255.255.0 or ffff:ffff::.
type mask1 int

// UnmarshalStrict takes all three.
func (m *mask1) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if v, err := strconv.ParseUint(n.Value, 10, 8); n.Kind == yaml.ScalarNode && err == nil && v <= 128 {
		*m = mask1(v)
		return
	}
	if a, err := netip.ParseAddr(n.Value); n.Kind == yaml.ScalarNode && err == nil {
		ones, size := net.IPMask(a.AsSlice()).Size()
		if size != 0 {
			*m = mask1(ones)
			return
		}
	}
	d.Wrong(n, "a network mask such as 255.255.255.0")
}

// v1 translates.
type v1 struct {
	d      *strictyaml.Decoder
	c      *Config
	node   map[string]*yaml.Node // of each interface's entry
	step   map[string]string     // its path: [3]
	device map[string]*Device
	later  []func()
}

// one decodes version 1 into the types of version 2.
func (c *Config) one(d *strictyaml.Decoder, n *yaml.Node) {
	var whole version1
	if !d.Decode(n, &whole) {
		return
	}
	*c = Config{Version: 2}
	t := &v1{d: d, c: c, node: map[string]*yaml.Node{}, step: map[string]string{}, device: map[string]*Device{}}
	good := true
	for i := range whole.Config {
		entry := &entry1{t: t, index: i}
		good = d.DecodeAt("config"+index(i), &whole.Config[i], entry) && good
	}
	for _, f := range t.later {
		f()
	}
	if !good {
		return
	}
	c.fill()
	for _, p := range c.check() {
		at, id := n, ""
		if len(p.path) > 1 {
			id = p.path[1]
		}
		if entry := t.node[id]; entry != nil {
			at = entry
		}
		steps := []string{"config"}
		if s := t.step[id]; s != "" {
			steps = []string{"config" + s}
		}
		// The keys are those of version 2, which is not what stands there.
		message := p.message
		if len(p.path) > 2 {
			message = strings.Join(p.path[2:], ".") + ": " + message
		}
		d.DecodeAt(strings.Join(steps, "."), at, &told{message})
	}
}

// told is a place with a mistake.
type told struct{ message string }

// UnmarshalStrict tells it.
func (t *told) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) { d.Errorf(n, "%s", t.message) }

// entry1 is one entry of the list.
type entry1 struct {
	t     *v1
	index int
}

var types1 = []string{"physical", "bond", "bridge", "vlan", "loopback", "nameserver", "route"}

// UnmarshalStrict looks at the type first.
func (e *entry1) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	pairs, ok := d.Pairs(n)
	if !ok {
		return
	}
	kind := ""
	for _, p := range pairs {
		if p.Name == "type" {
			kind = strictyaml.Resolve(p.Value).Value
		}
	}
	t := e.t
	switch kind {
	case "nameserver":
		var s nameserver1
		if !d.Decode(n, &s) {
			return
		}
		names := Nameservers{Addresses: s.Address, Search: s.Search}
		t.later = append(t.later, func() { t.names(d, n, s.Interface, names) })
	case "route":
		var r route1
		if !d.Decode(n, &r) {
			return
		}
		if route, ok := t.route(d, n, r); ok {
			t.later = append(t.later, func() { t.place(d, n, route) })
		}
	case "loopback":
		var l one1
		if !d.Decode(n, &l) {
			return
		}
		for _, s := range l.Subnets {
			t.c.Nameservers.Addresses = append(t.c.Nameservers.Addresses, s.DNSNameservers...)
			t.c.Nameservers.Search = append(t.c.Nameservers.Search, s.DNSSearch...)
		}
	case "physical", "bond", "bridge", "vlan":
		var o one1
		if d.Decode(n, &o) {
			t.device1(d, n, e.index, kind, o)
		}
	case "":
		d.Errorf(n, "an entry needs the key type: one of %s", strings.Join(types1, ", "))
	default:
		d.Errorf(n, "the type %q is not known%s", kind, strictyaml.Suggest(kind, types1))
	}
}

// device1 makes the device of an entry.
func (t *v1) device1(d *strictyaml.Decoder, n *yaml.Node, i int, kind string, o one1) {
	if o.Name == "" {
		d.Errorf(n, "an interface needs the key name")
		return
	}
	if t.device[o.Name] != nil {
		d.Errorf(n, "an interface named %s stands here twice", o.Name)
		return
	}
	var dev *Device
	used := map[string]bool{}
	switch kind {
	case "physical":
		e := &Ethernet{WakeOnLAN: o.WakeOnLAN}
		if o.MAC != nil {
			// The name is what the interface is to be called (udev's rule by
			// hardware address in cloud-init).
			e.Match, e.SetName = &Match{MAC: o.MAC}, o.Name
		}
		dev = &e.Device
		put(&t.c.Ethernets, o.Name, e)
	case "bond":
		b := &Bond{Interfaces: o.BondInterfaces}
		t.params(d, o.Params, &b.Parameters, bondParams, used)
		dev = &b.Device
		dev.MAC = o.MAC
		put(&t.c.Bonds, o.Name, b)
	case "bridge":
		b := &Bridge{Interfaces: o.BridgeInterfaces}
		no := false
		b.Parameters.STP = &no // ifupdown's bridge_stp is off unless said
		t.bridgeParams(d, o.Params, &b.Parameters, used)
		dev = &b.Device
		dev.MAC = o.MAC
		put(&t.c.Bridges, o.Name, b)
	case "vlan":
		v := &VLAN{ID: o.VLANID, Link: o.VLANLink}
		dev = &v.Device
		dev.MAC = o.MAC
		put(&t.c.VLANs, o.Name, v)
	}
	for key, p := range o.Params {
		if !used[key] {
			known := slices.Concat(keys(bondParams), bridgeParams)
			if kind == "bond" {
				known = keys(bondParams)
			}
			d.DecodeAt("params."+key, p.node, &told{"unknown parameter" + strictyaml.Suggest(key, known)})
		}
	}
	dev.MTU, dev.AcceptRA = o.MTU, o.AcceptRA
	t.device[o.Name], t.node[o.Name], t.step[o.Name] = dev, n, index(i)
	for j, s := range o.Subnets {
		t.subnet(d, n, j, dev, s)
	}
}

func put[T any](m *map[string]*T, id string, v *T) {
	if *m == nil {
		*m = map[string]*T{}
	}
	(*m)[id] = v
}

var subnets1 = []string{"dhcp", "dhcp4", "dhcp6", "static", "static6", "manual",
	"ipv6_dhcpv6-stateful", "ipv6_dhcpv6-stateless", "ipv6_slaac"}

func (t *v1) subnet(d *strictyaml.Decoder, n *yaml.Node, j int, dev *Device, s subnet1) {
	at := n
	if list := child(n, "subnets"); list != nil && j < len(list.Content) {
		at = strictyaml.Resolve(list.Content[j])
	}
	yes := true
	switch s.Type {
	case "dhcp", "dhcp4":
		dev.DHCP4 = &yes
		if s.Metric != nil {
			dev.DHCP4Overrides.RouteMetric = s.Metric
		}
	case "dhcp6", "ipv6_dhcpv6-stateful":
		dev.DHCP6 = &yes
		if s.Metric != nil {
			dev.DHCP6Overrides.RouteMetric = s.Metric
		}
	case "ipv6_dhcpv6-stateless", "ipv6_slaac":
		dev.AcceptRA = &yes
	case "static", "static6":
		t.static(d, at, dev, s)
	case "manual":
		dev.ActivationMode = "manual"
	default:
		d.Errorf(at, "a subnet's type is one of %s, not %q%s", strings.Join(subnets1, ", "), s.Type, suggestion(s.Type, subnets1))
		return
	}
	if s.Control == "manual" {
		dev.ActivationMode = "manual"
	}
	if s.MTU != nil && dev.MTU == nil {
		dev.MTU = s.MTU
	}
	dev.Nameservers.Addresses = append(dev.Nameservers.Addresses, s.DNSNameservers...)
	dev.Nameservers.Search = append(dev.Nameservers.Search, s.DNSSearch...)
	for _, r := range s.Routes {
		if route, ok := t.route(d, at, r); ok {
			dev.Routes = append(dev.Routes, route)
		}
	}
}

func (t *v1) static(d *strictyaml.Decoder, at *yaml.Node, dev *Device, s subnet1) {
	prefix, err := netip.ParsePrefix(s.Address)
	if err != nil {
		addr, err := netip.ParseAddr(s.Address)
		if err != nil || addr.Zone() != "" {
			d.Errorf(at, "a static subnet needs the key address: 192.0.2.5/24")
			return
		}
		bits := -1
		switch {
		case s.Prefix != nil:
			bits = *s.Prefix
		case s.Netmask != nil:
			bits = int(*s.Netmask)
		case addr.Is6():
			bits = 64 // cloud-init's own
		}
		if prefix = netip.PrefixFrom(addr, bits); !prefix.IsValid() {
			d.Errorf(at, "the address %s needs its network's length: /24, or a netmask", s.Address)
			return
		}
	}
	dev.Addresses = append(dev.Addresses, Address{Prefix: prefix})
	if s.Gateway != nil {
		dev.Routes = append(dev.Routes, Route{To: &Destination{Default: true}, Via: s.Gateway, Metric: s.Metric})
	}
}

// route translates one route; its network is written in four ways.
func (t *v1) route(d *strictyaml.Decoder, at *yaml.Node, r route1) (Route, bool) {
	to := r.Destination
	if to == "" {
		to = r.Network
	}
	if to == "" {
		d.Errorf(at, "a route needs the key destination: 10.0.0.0/8")
		return Route{}, false
	}
	dest := &Destination{}
	if bits := r.Netmask; bits != nil && !strings.Contains(to, "/") {
		to = fmt.Sprintf("%s/%d", to, *bits)
	}
	if bits := r.Prefix; bits != nil && !strings.Contains(to, "/") {
		to = fmt.Sprintf("%s/%d", to, *bits)
	}
	if base, mask, ok := strings.Cut(to, "/"); ok && strings.ContainsAny(mask, ".:") {
		m, err := netip.ParseAddr(mask)
		if err == nil {
			if ones, size := net.IPMask(m.AsSlice()).Size(); size != 0 {
				to = fmt.Sprintf("%s/%d", base, ones)
			}
		}
	}
	if err := dest.UnmarshalText([]byte(to)); err != nil {
		d.Errorf(at, "found the text %q as a route's network, want 10.0.0.0/8", to)
		return Route{}, false
	}
	if dest.Prefix.IsValid() && dest.Prefix.Bits() == 0 {
		dest = &Destination{Default: true}
	}
	route := Route{To: dest, Via: r.Gateway, Metric: r.Metric, MTU: r.MTU, From: r.Source}
	if r.Gateway == nil {
		route.Scope = "link"
	}
	return route, true
}

// names gives servers to the interface they are said of, or to the machine.
func (t *v1) names(d *strictyaml.Decoder, n *yaml.Node, id string, names Nameservers) {
	into := &t.c.Nameservers
	if id != "" {
		dev := t.device[id]
		if dev == nil {
			d.Errorf(n, "interface %q is not defined here%s", id, strictyaml.Suggest(id, keys(t.device)))
			return
		}
		into = &dev.Nameservers
	}
	into.Addresses = append(into.Addresses, names.Addresses...)
	into.Search = append(into.Search, names.Search...)
}

// place finds the interface whose network holds a route's gateway.
func (t *v1) place(d *strictyaml.Decoder, n *yaml.Node, r Route) {
	ids := keys(t.device)
	for _, id := range ids {
		for _, a := range t.device[id].Addresses {
			if r.Via != nil && a.Prefix.Contains(r.Via.Addr) {
				t.device[id].Routes = append(t.device[id].Routes, r)
				return
			}
		}
	}
	if len(ids) == 1 {
		t.device[ids[0]].Routes = append(t.device[ids[0]].Routes, r)
		return
	}
	d.Errorf(n, "no static network here holds the route's gateway: write the route below the subnet of its interface")
}

// bondParams leads from the kernel's names, which version 1 has, to netplan's.
var bondParams = map[string]string{
	"bond-mode": "mode", "bond-miimon": "mii-monitor-interval", "bond-min-links": "min-links", "bond-lacp-rate": "lacp-rate",
	"bond-xmit-hash-policy": "transmit-hash-policy", "bond-ad-select": "ad-select", "bond-all-slaves-active": "all-members-active",
	"bond-arp-interval": "arp-interval", "bond-arp-ip-target": "arp-ip-targets", "bond-arp-validate": "arp-validate",
	"bond-arp-all-targets": "arp-all-targets", "bond-updelay": "up-delay", "bond-downdelay": "down-delay",
	"bond-fail-over-mac": "fail-over-mac-policy", "bond-num-grat-arp": "gratuitous-arp", "bond-num-unsol-na": "gratuitous-arp",
	"bond-packets-per-slave": "packets-per-member", "bond-primary-reselect": "primary-reselect-policy",
	"bond-resend-igmp": "resend-igmp", "bond-lp-interval": "learn-packet-interval", "bond-primary": "primary",
}

// bondNumbers are words that the kernel also knows by number.
var bondNumbers = map[string][]string{
	"mode": bondModes, "lacp-rate": {"slow", "fast"}, "ad-select": {"stable", "bandwidth", "count"},
	"transmit-hash-policy": {"layer2", "layer3+4", "layer2+3", "encap2+3", "encap3+4", "vlan+srcmac"},
	"fail-over-mac-policy": {"none", "active", "follow"}, "primary-reselect-policy": {"always", "better", "failure"},
	"arp-validate": {"none", "active", "backup", "all"}, "all-members-active": {"false", "true"}, "arp-all-targets": {"any", "all"},
}

// params decodes version 1's parameters as if netplan's stood there.
func (t *v1) params(d *strictyaml.Decoder, given map[string]scalar, into any, names map[string]string, used map[string]bool) {
	mapping := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, key := range keys(given) {
		name, ok := names[strings.ReplaceAll(key, "_", "-")]
		if !ok {
			continue
		}
		used[key] = true
		node := strictyaml.Resolve(given[key].node)
		mapping.Line, mapping.Column = node.Line, node.Column
		value := *node
		if v, err := strconv.Atoi(value.Value); err == nil && v >= 0 && v < len(bondNumbers[name]) {
			value.Value, value.Tag = bondNumbers[name][v], ""
		} else if bondNumbers[name] != nil {
			value.Tag = "" // 802.3ad is a text
		}
		if value.Kind == yaml.ScalarNode && name == "arp-ip-targets" {
			list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Line: node.Line, Column: node.Column}
			for word := range strings.FieldsFuncSeq(value.Value, func(c rune) bool { return c == ',' || c == ' ' }) {
				list.Content = append(list.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: word, Line: node.Line, Column: node.Column})
			}
			value = *list
		}
		mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name, Line: node.Line, Column: node.Column}, &value)
	}
	if len(mapping.Content) > 0 {
		d.DecodeAt("params", mapping, into)
	}
}

var bridgeParams = []string{"bridge_ageing", "bridge_bridgeprio", "bridge_fd", "bridge_gcint", "bridge_hello", "bridge_hw",
	"bridge_maxage", "bridge_maxwait", "bridge_pathcost", "bridge_portprio", "bridge_stp", "bridge_waitport"}

// bridgeParams decodes those of a bridge: lists of "PORT NUMBER" among them.
func (t *v1) bridgeParams(d *strictyaml.Decoder, given map[string]scalar, p *BridgeParameters, used map[string]bool) {
	for _, key := range keys(given) {
		name := strings.ReplaceAll(key, "-", "_")
		if !slices.Contains(bridgeParams, name) {
			continue
		}
		used[key] = true
		node := given[key].node
		step := "params." + key
		switch name {
		case "bridge_ageing":
			d.DecodeAt(step, node, &p.AgeingTime)
		case "bridge_bridgeprio":
			d.DecodeAt(step, node, &p.Priority)
		case "bridge_fd":
			d.DecodeAt(step, node, &p.ForwardDelay)
		case "bridge_hello":
			d.DecodeAt(step, node, &p.HelloTime)
		case "bridge_maxage":
			d.DecodeAt(step, node, &p.MaxAge)
		case "bridge_pathcost":
			d.DecodeAt(step, node, (*portNumbers)(&p.PathCost))
		case "bridge_portprio":
			d.DecodeAt(step, node, (*portNumbers)(&p.PortPriority))
		case "bridge_stp":
			on := slices.Contains([]string{"on", "true", "yes", "1"}, strings.ToLower(strictyaml.Resolve(node).Value))
			p.STP = &on
		default:
			// bridge_gcint, _hw, _maxwait, _waitport: of ifupdown and old kernels,
			// without meaning to this service, which waits for nothing.
		}
	}
}

// portNumbers is a list of "eth0 50", or one.
type portNumbers map[string]int

// UnmarshalStrict takes both.
func (p *portNumbers) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = n.Content
	}
	*p = portNumbers{}
	for _, e := range nodes {
		e = strictyaml.Resolve(e)
		words := strings.Fields(e.Value)
		v := 0
		var err error
		if len(words) == 2 {
			v, err = strconv.Atoi(words[1])
		}
		if e.Kind != yaml.ScalarNode || len(words) != 2 || err != nil {
			d.Wrong(e, "a port and a number: eth0 50")
			continue
		}
		(*p)[words[0]] = v
	}
}

func child(n *yaml.Node, key string) *yaml.Node {
	n = strictyaml.Resolve(n)
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return strictyaml.Resolve(n.Content[i+1])
		}
	}
	return nil
}
