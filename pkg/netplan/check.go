package netplan

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// problem is something impossible at the end of a path of keys.
type problem struct {
	path    []string
	message string
}

// device is one entry of one section.
type device struct {
	section, id string
	*Device
	uses    []string // ids of what must be there before
	usesKey string
	members []string // ids of what it takes as ports
}

// Devices gives every device by id, with what all kinds have in common.
func (c *Config) devices() []device {
	var out []device
	for _, id := range keys(c.Ethernets) {
		out = append(out, device{section: "ethernets", id: id, Device: &c.Ethernets[id].Device})
	}
	for _, id := range keys(c.Bonds) {
		b := c.Bonds[id]
		out = append(out, device{section: "bonds", id: id, Device: &b.Device, members: b.Interfaces})
	}
	for _, id := range keys(c.Bridges) {
		b := c.Bridges[id]
		out = append(out, device{section: "bridges", id: id, Device: &b.Device, members: b.Interfaces})
	}
	for _, id := range keys(c.VLANs) {
		v := c.VLANs[id]
		out = append(out, device{section: "vlans", id: id, Device: &v.Device, uses: some(v.Link), usesKey: "link"})
	}
	for _, id := range keys(c.Tunnels) {
		t := c.Tunnels[id]
		out = append(out, device{section: "tunnels", id: id, Device: &t.Device, uses: some(t.Link), usesKey: "link"})
	}
	for _, id := range keys(c.Dummies) {
		out = append(out, device{section: "dummy-devices", id: id, Device: &c.Dummies[id].Device})
	}
	for _, id := range keys(c.Veths) {
		out = append(out, device{section: "virtual-ethernets", id: id, Device: &c.Veths[id].Device})
	}
	for _, id := range keys(c.VRFs) {
		v := c.VRFs[id]
		out = append(out, device{section: "vrfs", id: id, Device: &v.Device, members: v.Interfaces})
	}
	return out
}

func keys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

func some(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

type checker struct {
	c        *Config
	problems []problem
	byID     map[string]device
	ids      []string
}

// check gives what is impossible in a configuration of version 2.
func (c *Config) check() []problem {
	k := &checker{c: c, byID: map[string]device{}}
	devices := c.devices()
	for _, d := range devices {
		if first, twice := k.byID[d.id]; twice {
			k.bad(d.at(), "the id is taken by one of %s", first.section)
		}
		k.byID[d.id] = d
		k.ids = append(k.ids, d.id)
	}
	for _, d := range devices {
		k.common(d)
	}
	k.relations(devices)
	k.gateways(devices)
	for _, id := range keys(c.Ethernets) {
		k.ethernet(id, c.Ethernets[id])
	}
	for _, id := range keys(c.Bonds) {
		k.bond(id, c.Bonds[id])
	}
	for _, id := range keys(c.Bridges) {
		k.bridge(id, c.Bridges[id])
	}
	for _, id := range keys(c.VLANs) {
		v := c.VLANs[id]
		k.number([]string{"vlans", id, "id"}, v.ID, 0, 4094, true)
		k.want(v.Link != "", []string{"vlans", id}, "a VLAN needs the key link: the id of the interface it runs on")
	}
	for _, id := range keys(c.Tunnels) {
		k.tunnel(id, c.Tunnels[id])
	}
	for _, id := range keys(c.Veths) {
		peer := c.Veths[id].Peer
		other := c.Veths[peer]
		switch {
		case peer == "":
			k.bad([]string{"virtual-ethernets", id}, "a virtual cable needs the key peer: the id of its other end")
		case other == nil:
			k.bad([]string{"virtual-ethernets", id, "peer"}, "%q is none of virtual-ethernets%s", peer, strictyaml.Suggest(peer, keys(c.Veths)))
		case other.Peer != id || peer == id:
			k.bad([]string{"virtual-ethernets", id, "peer"}, "two ends name one another, but the peer of %s is %q", peer, other.Peer)
		}
	}
	tables := map[int]string{}
	for _, id := range keys(c.VRFs) {
		at := []string{"vrfs", id, "table"}
		if t := c.VRFs[id].Table; k.number(at, t, 1, 1<<32-1, true) && t != nil {
			k.want(*t < 253 || *t > 255, at, "253 to 255 are the kernel's own tables")
			k.want(tables[*t] == "", at, "%s has that table", tables[*t])
			tables[*t] = id
		}
	}
	return k.problems
}

func (d device) at(steps ...string) []string { return append([]string{d.section, d.id}, steps...) }

func (k *checker) bad(at []string, format string, args ...any) {
	k.problems = append(k.problems, problem{slices.Clone(at), fmt.Sprintf(format, args...)})
}

func (k *checker) want(ok bool, at []string, format string, args ...any) {
	if !ok {
		k.bad(at, format, args...)
	}
}

// number wants v within bounds, and says whether it is there and good.
func (k *checker) number(at []string, v *int, low, high int, needed bool) bool {
	switch {
	case v == nil && needed:
		k.bad(at[:len(at)-1], "needs the key %s: a number from %d to %d", at[len(at)-1], low, high)
	case v != nil && (*v < low || *v > high):
		k.bad(at, "found the number %d, want one from %d to %d", *v, low, high)
	default:
		return v != nil
	}
	return false
}

func (k *checker) word(at []string, v string, known ...string) {
	if v != "" && !slices.Contains(known, v) {
		k.bad(at, "found the text %q, want one of %s%s", v, strings.Join(known, ", "), suggestion(v, known))
	}
}

func suggestion(v string, known []string) string {
	if near := strictyaml.Nearest(v, known); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return ""
}

var interfaceName = regexp.MustCompile(`^[!-~]{1,15}$`)

// ValidName says whether the kernel takes a name for an interface (dev_valid_name).
func ValidName(s string) bool {
	return interfaceName.MatchString(s) && s != "." && s != ".." && !strings.ContainsAny(s, "/:%")
}

// common checks what every kind of device has.
func (k *checker) common(d device) {
	if d.section != "ethernets" || k.c.Ethernets[d.id].Match == nil {
		k.want(ValidName(d.id), d.at(), "%q is no name of an interface: at most 15 letters, without / : %% and blanks", d.id)
	}
	k.word(d.at("dhcp-identifier"), d.DHCPIdentifier, "mac", "duid")
	k.word(d.at("ipv6-address-generation"), d.IPv6Generation, "eui64", "stable-privacy")
	k.word(d.at("activation-mode"), d.ActivationMode, "manual", "off")
	if d.LinkLocal != nil {
		for i, f := range *d.LinkLocal {
			k.word(d.at("link-local", index(i)), f, "ipv4", "ipv6")
		}
	}
	for i, f := range d.OptionalAddresses {
		k.word(d.at("optional-addresses", index(i)), f, "ipv4-ll", "ipv6-ra", "dhcp4", "dhcp6", "static")
	}
	if d.IPv6Token != nil {
		k.want(d.IPv6Token.Is6(), d.at("ipv6-address-token"), "want an IPv6 address such as ::5")
	}
	k.number(d.at("mtu"), d.MTU, 68, 65535, false)
	k.number(d.at("ipv6-mtu"), d.IPv6MTU, 1280, 65535, false)
	if d.IPv6MTU != nil && d.MTU != nil {
		k.want(*d.IPv6MTU <= *d.MTU, d.at("ipv6-mtu"), "is larger than the interface's MTU of %d", *d.MTU)
	}
	for name, o := range map[string]DHCPOverrides{"dhcp4-overrides": d.DHCP4Overrides, "dhcp6-overrides": d.DHCP6Overrides} {
		k.number(d.at(name, "route-metric"), o.RouteMetric, 0, 1<<32-1, false)
		k.want(o.Hostname == "" || ValidDomain(o.Hostname), d.at(name, "hostname"), "want a host name")
		if o.PrefixHint != nil {
			k.want(name == "dhcp6-overrides" && o.PrefixHint.Addr().Is6(), d.at(name, "testudo-prefix-hint"), "want an IPv6 prefix such as ::/56, below dhcp6-overrides")
		}
	}
	if d.MAC != nil {
		k.want(d.MAC[0]&1 == 0 && *d.MAC != MAC{}, d.at("macaddress"), "%s is the address of no card", *d.MAC)
	}
	k.addresses(d)
	if d.Gateway4 != nil {
		k.want(d.Gateway4.Is4(), d.at("gateway4"), "want an IPv4 address")
	}
	if d.Gateway6 != nil {
		k.want(d.Gateway6.Is6(), d.at("gateway6"), "want an IPv6 address")
	}
	for i, name := range d.Nameservers.Search {
		k.want(ValidDomain(name), d.at("nameservers", "search", index(i)), "want a domain such as example.com")
	}
	for i, r := range d.Routes {
		k.route(d.at("routes", index(i)), r)
	}
	for i, r := range d.RoutingPolicy {
		k.rule(d.at("routing-policy", index(i)), r)
	}
	if p := d.BridgePort; p != nil {
		k.want(p.PVID >= 0 && p.PVID <= 4094, d.at("testudo-bridge-port", "pvid"), "found the number %d, want one from 0 to 4094", p.PVID)
		for name, list := range map[string][]int{"untagged": p.Untagged, "tagged": p.Tagged} {
			for i, v := range list {
				k.number(d.at("testudo-bridge-port", name, index(i)), &v, 1, 4094, false)
			}
		}
	}
}

func (k *checker) addresses(d device) {
	seen := map[netip.Addr]bool{}
	for i, a := range d.Addresses {
		at := d.at("addresses", index(i))
		k.want(!seen[a.Prefix.Addr()], at, "the address stands here twice")
		k.want(a.Label == "" || a.Prefix.Addr().Is4(), at, "only IPv4 addresses have labels")
		// The kernel's rule for programs as old as ifconfig.
		k.want(a.Label == "" || ValidName(strings.ReplaceAll(a.Label, ":", "_")), at, "%q is no label", a.Label)
		seen[a.Prefix.Addr()] = true
	}
}

func index(i int) string { return "[" + strconv.Itoa(i) + "]" }

var (
	routeTypes  = []string{"unicast", "anycast", "blackhole", "broadcast", "local", "multicast", "nat", "prohibit", "throw", "unreachable", "xresolve"}
	routeScopes = []string{"global", "link", "host"}
)

// leads says whether a route of this type has a next hop.
func leads(kind string) bool {
	return kind == "" || kind == "unicast" || kind == "anycast" || kind == "multicast"
}

func (k *checker) route(at []string, r Route) {
	step := func(s string) []string { return append(slices.Clone(at), s) }
	k.word(step("type"), r.Type, routeTypes...)
	k.want(r.Type != "nat" && r.Type != "xresolve", step("type"), "the kernel no longer has that type")
	k.word(step("scope"), r.Scope, routeScopes...)
	k.number(step("metric"), r.Metric, 0, 1<<32-1, false)
	k.number(step("table"), r.Table, 1, 1<<32-1, false)
	k.number(step("mtu"), r.MTU, 68, 65535, false)
	k.number(step("congestion-window"), r.CongestionWindow, 1, 1<<16, false)
	k.number(step("advertised-receive-window"), r.AdvertisedReceive, 1, 1<<16, false)
	k.number(step("advertised-mss"), r.AdvertisedMaximumSegmt, 1, 65535, false)
	switch {
	case r.To == nil:
		k.bad(at, `a route needs the key to: default, or a network such as 10.0.0.0/8`)
		return
	case r.Via == nil && leads(r.Type) && r.Scope != "link" && r.Scope != "host" && (r.Type == "" || r.Type == "unicast"):
		k.bad(at, `a route needs the key via: the address of a gateway; or scope: link, when the network is on the link itself`)
	case r.Via != nil && !leads(r.Type):
		k.bad(step("via"), "a route of type %s leads to no gateway", r.Type)
	}
	for name, a := range map[string]*Addr{"via": r.Via, "from": r.From} {
		if a != nil && !r.To.Default {
			k.want(a.Is4() == r.To.Prefix.Addr().Is4(), step(name), "%s and %s are not of one kind", a.Addr, r.To.Prefix)
		}
	}
	if r.Via != nil && r.From != nil {
		k.want(r.Via.Is4() == r.From.Is4(), step("from"), "%s and %s are not of one kind", r.From.Addr, r.Via.Addr)
	}
	k.want(!r.OnLink || r.Via != nil, step("on-link"), "on-link is said of a gateway, and there is no via")
}

func (k *checker) rule(at []string, r RoutingRule) {
	step := func(s string) []string { return append(slices.Clone(at), s) }
	k.want(r.From != nil || r.To != nil || r.Mark != nil || r.TOS != nil, at, "a rule needs one of from, to, mark and type-of-service")
	k.number(step("table"), r.Table, 1, 1<<32-1, false)
	k.number(step("priority"), r.Priority, 1, 1<<31-1, false)
	k.number(step("mark"), r.Mark, 1, 1<<32-1, false)
	k.number(step("type-of-service"), r.TOS, 0, 255, false)
	if r.From != nil && r.To != nil && !r.From.Default && !r.To.Default {
		k.want(r.From.Prefix.Addr().Is4() == r.To.Prefix.Addr().Is4(), step("to"), "from and to are not of one kind")
	}
}

// relations checks that what is named is there, once, and in no circle.
func (k *checker) relations(devices []device) {
	master := map[string]string{}
	below := map[string][]string{} // what must be there before
	for _, d := range devices {
		for _, id := range d.uses {
			k.known(d.at(d.usesKey), id)
			below[d.id] = append(below[d.id], id)
		}
		for i, id := range d.members {
			at := d.at("interfaces", index(i))
			if !k.known(at, id) {
				continue
			}
			if first := master[id]; first != "" {
				k.bad(at, "%s belongs to %s already", id, first)
			}
			master[id] = d.id
			below[d.id] = append(below[d.id], id)
			if m := k.byID[id]; d.section != "vrfs" && len(m.Device.Addresses) > 0 {
				k.bad(k.byID[id].at("addresses"), "%s belongs to %s: addresses stand there", id, d.id)
			}
		}
	}
	for _, d := range devices {
		if circle(d.id, below) {
			k.bad(d.at(), "%s stands on itself: its interfaces or its link lead back to it", d.id)
		}
	}
}

func (k *checker) known(at []string, id string) bool {
	if _, ok := k.byID[id]; ok {
		return true
	}
	k.bad(at, "%q is not defined here%s", id, strictyaml.Suggest(id, k.ids))
	return false
}

func circle(start string, below map[string][]string) bool {
	seen := map[string]bool{}
	var walk func(id string) bool
	walk = func(id string) bool {
		for _, next := range below[id] {
			if next == start {
				return true
			}
			if !seen[next] {
				seen[next] = true
				if walk(next) {
					return true
				}
			}
		}
		return false
	}
	return walk(start)
}

// gateways refuses routes of which nobody could say which one counts.
func (k *checker) gateways(devices []device) {
	type key struct {
		to     netip.Prefix
		table  int
		metric int
	}
	seen := map[key]string{}
	for _, d := range devices {
		for i, r := range d.Routes {
			if r.To == nil || r.Metric == nil || r.Via == nil {
				continue
			}
			at := key{r.To.Of(r.Via.Addr), k.table(d, r), *r.Metric}
			if first := seen[at]; first != "" {
				k.bad(d.at("routes", index(i)), "%s has a route to the same network with metric %d, too: nobody could say which one counts; give them different metrics", first, *r.Metric)
				continue
			}
			seen[at] = d.id
		}
	}
}

const mainTable = 254

func (k *checker) table(d device, r Route) int {
	if r.Table != nil {
		return *r.Table
	}
	for id, v := range k.c.VRFs {
		if (id == d.id || slices.Contains(v.Interfaces, d.id)) && v.Table != nil {
			return *v.Table
		}
	}
	return mainTable
}

func (k *checker) ethernet(id string, e *Ethernet) {
	at := []string{"ethernets", id}
	if m := e.Match; m != nil {
		step := append(slices.Clone(at), "match")
		for name, patterns := range map[string][]string{"name": some(m.Name), "driver": m.Driver, "testudo-path": some(m.Path)} {
			for _, p := range patterns {
				_, err := path.Match(p, "")
				k.want(err == nil && p != "", append(slices.Clone(step), name), "%q is no pattern", p)
			}
		}
	}
	k.want(e.SetName == "" || ValidName(e.SetName), append(slices.Clone(at), "set-name"), "%q is no name of an interface", e.SetName)
	k.want(e.SetName == "" || e.Match != nil, append(slices.Clone(at), "set-name"), "needs the key match: the interface is not known by the name it has now")
	k.want(!e.EmitLLDP, append(slices.Clone(at), "emit-lldp"), "LLDP is not sent by this release")
}

var bondModes = []string{"balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"}

func (k *checker) bond(id string, b *Bond) {
	at := func(s string) []string { return []string{"bonds", id, "parameters", s} }
	p := b.Parameters
	k.word(at("mode"), p.Mode, bondModes...)
	k.word(at("lacp-rate"), p.LACPRate, "slow", "fast")
	k.word(at("transmit-hash-policy"), p.TransmitHashPolicy, "layer2", "layer3+4", "layer2+3", "encap2+3", "encap3+4", "vlan+srcmac")
	k.word(at("ad-select"), p.ADSelect, "stable", "bandwidth", "count")
	k.word(at("arp-validate"), p.ARPValidate, "none", "active", "backup", "all", "filter", "filter_active", "filter_backup")
	k.word(at("arp-all-targets"), p.ARPAllTargets, "any", "all")
	k.word(at("fail-over-mac-policy"), p.FailOverMACPolicy, "none", "active", "follow")
	k.word(at("primary-reselect-policy"), p.PrimaryReselectPolicy, "always", "better", "failure")
	k.number(at("min-links"), p.MinLinks, 0, 1<<16, false)
	k.number(at("gratuitous-arp"), p.GratuitousARP, 0, 255, false)
	k.number(at("gratuitious-arp"), p.GratuitiousARP, 0, 255, false)
	k.number(at("packets-per-member"), p.PacketsPerMember, 0, 65535, false)
	k.number(at("packets-per-slave"), p.PacketsPerSlave, 0, 65535, false)
	k.number(at("resend-igmp"), p.ResendIGMP, 0, 255, false)
	for name, t := range map[string]time.Duration{"mii-monitor-interval": time.Duration(p.MIIMonitorInterval), "arp-interval": time.Duration(p.ARPInterval),
		"up-delay": time.Duration(p.UpDelay), "down-delay": time.Duration(p.DownDelay)} {
		k.want(t%time.Millisecond == 0 && t < 1<<31*time.Millisecond, at(name), "want whole milliseconds")
	}
	dynamic := p.Mode == "802.3ad" || p.Mode == "balance-tlb" || p.Mode == "balance-alb"
	k.want(p.LACPRate == "" || p.Mode == "802.3ad", at("lacp-rate"), "belongs to mode 802.3ad")
	k.want(p.ADSelect == "" || p.Mode == "802.3ad", at("ad-select"), "belongs to mode 802.3ad")
	if p.ARPInterval > 0 {
		k.want(!dynamic, at("arp-interval"), "mode %s watches its links by mii-monitor-interval", p.Mode)
		k.want(p.MIIMonitorInterval == 0, at("arp-interval"), "and mii-monitor-interval exclude one another")
		k.want(len(p.ARPIPTargets) > 0, at("arp-interval"), "needs arp-ip-targets: who is asked")
	}
	k.want(len(p.ARPIPTargets) <= 16, at("arp-ip-targets"), "at most 16 fit")
	for i, a := range p.ARPIPTargets {
		k.want(a.Is4(), append(at("arp-ip-targets"), index(i)), "want an IPv4 address")
	}
	if p.UpDelay > 0 || p.DownDelay > 0 {
		k.want(p.MIIMonitorInterval > 0, []string{"bonds", id, "parameters"}, "up-delay and down-delay need mii-monitor-interval")
	}
	if p.Primary != "" {
		k.want(slices.Contains(b.Interfaces, p.Primary), at("primary"), "%q is none of its interfaces%s", p.Primary, strictyaml.Suggest(p.Primary, b.Interfaces))
		k.want(p.Mode == "active-backup" || p.Mode == "balance-tlb" || p.Mode == "balance-alb", at("primary"), "belongs to modes active-backup, balance-tlb and balance-alb")
	}
}

func (k *checker) bridge(id string, b *Bridge) {
	at := func(s ...string) []string { return append([]string{"bridges", id, "parameters"}, s...) }
	p := b.Parameters
	k.number(at("priority"), p.Priority, 0, 65535, false)
	for name, bounds := range map[string]struct {
		values map[string]int
		high   int
	}{"path-cost": {p.PathCost, 65535}, "port-priority": {p.PortPriority, 63}} {
		for _, port := range keys(bounds.values) {
			v := bounds.values[port]
			k.number(at(name, port), &v, 0, bounds.high, false)
			k.want(slices.Contains(b.Interfaces, port), at(name, port), "%q is none of its interfaces%s", port, strictyaml.Suggest(port, b.Interfaces))
		}
	}
	for name, t := range map[string]struct {
		is        Seconds
		low, high time.Duration
	}{"forward-delay": {p.ForwardDelay, 2 * time.Second, 30 * time.Second}, "hello-time": {p.HelloTime, time.Second, 10 * time.Second}, "max-age": {p.MaxAge, 6 * time.Second, 40 * time.Second}} {
		is := time.Duration(t.is)
		k.want(is == 0 || is >= t.low && is <= t.high, at(name), "want a time from %s to %s (802.1D)", t.low, t.high)
	}
	k.number(at("testudo-default-pvid"), p.DefaultPVID, 0, 4094, false)
}

var tunnelModes = []string{"gre", "gretap", "ip6gre", "ip6gretap", "ipip", "ipip6", "ip6ip6", "sit", "vti", "vti6", "vxlan", "wireguard"}

func (k *checker) tunnel(id string, t *Tunnel) {
	at := func(s ...string) []string { return append([]string{"tunnels", id}, s...) }
	if t.Mode == "" {
		k.bad(at(), "a tunnel needs the key mode: one of %s", strings.Join(tunnelModes, ", "))
		return
	}
	k.word(at("mode"), t.Mode, tunnelModes...)
	k.number(at("ttl"), t.TTL, 0, 255, false)
	switch t.Mode {
	case "wireguard":
		k.wireguard(id, t)
		return
	case "vxlan":
		k.number(at("id"), t.ID, 1, 1<<24-1, true)
		k.number(at("port"), t.Port, 1, 65535, false)
		k.number(at("limit"), t.Limit, 0, 1<<31, false)
		k.number(at("type-of-service"), t.TypeOfService, 0, 255, false)
		k.number(at("flow-label"), t.FlowLabel, 0, 1<<20-1, false)
		k.want(len(t.PortRange) == 0 || len(t.PortRange) == 2 && t.PortRange[0] > 0 && t.PortRange[0] <= t.PortRange[1] && t.PortRange[1] < 65536, at("port-range"), "want two ports, the lower one first")
		for i, n := range t.Notifications {
			k.word(at("notifications", index(i)), n, "l2-miss", "l3-miss")
		}
		for i, c := range t.Checksums {
			k.word(at("checksums", index(i)), c, "udp", "zero-udp6-tx", "zero-udp6-rx", "remote-tx", "remote-rx")
		}
	default:
		six := strings.Contains(strings.TrimSuffix(t.Mode, "6"), "ip6") || t.Mode == "ipip6" || t.Mode == "vti6"
		k.want(t.Remote != nil || t.Mode == "sit", at(), "a tunnel of mode %s needs the key remote: the address of its other end", t.Mode)
		for name, a := range map[string]*Addr{"local": t.Local, "remote": t.Remote} {
			if a != nil {
				k.want(a.Is4() == !six, at(name), "mode %s runs over %s", t.Mode, map[bool]string{true: "IPv6", false: "IPv4"}[six])
			}
		}
	}
	if t.Local != nil && t.Remote != nil {
		k.want(t.Local.Is4() == t.Remote.Is4(), at("remote"), "local and remote are not of one kind")
	}
	for name, key := range map[string]TunnelKey{"key": t.Key, "keys": t.Keys.Input, "keys.output": t.Keys.Output} {
		k.want(key.Secret == "", at(strings.Split(name, ".")...), "want a number: keys of this form are WireGuard's")
	}
	k.want(len(t.Peers) == 0, at("peers"), "belongs to mode wireguard")
	k.want(t.Keys.Private == "", at("keys", "private"), "belongs to mode wireguard")
}

func (k *checker) wireguard(id string, t *Tunnel) {
	at := func(s ...string) []string { return append([]string{"tunnels", id}, s...) }
	k.want(t.PrivateKey() != "", at(), "a WireGuard tunnel needs the key keys: {private: ...}, as wg genkey prints it")
	k.want(t.Key.Number == nil, at("key"), "want a WireGuard key")
	k.number(at("port"), t.Port, 1, 65535, false)
	k.number(at("mark"), t.Mark, 1, 1<<32-1, false)
	seen := map[Key]bool{}
	for i, p := range t.Peers {
		step := func(s ...string) []string { return append(at("peers", index(i)), s...) }
		k.want(p.Keys.Public != "", step(), "a peer needs keys: {public: ...}")
		k.want(p.Keys.Public == "" || !seen[p.Keys.Public], step("keys", "public"), "a peer of that key stands here twice")
		seen[p.Keys.Public] = true
		k.want(p.KeepAlive >= 0 && p.KeepAlive <= 65535, step("keepalive"), "found the number %d, want one from 0 to 65535", p.KeepAlive)
		if p.Endpoint != "" {
			host, port, err := net.SplitHostPort(p.Endpoint)
			n, perr := strconv.ParseUint(port, 10, 16)
			_, aerr := netip.ParseAddr(host)
			k.want(err == nil && perr == nil && n > 0 && (aerr == nil || ValidDomain(host)), step("endpoint"), "want HOST:PORT; an IPv6 address stands in brackets")
		}
	}
}

// PrivateKey is a WireGuard tunnel's own key: netplan lets it stand at two
// places.
func (t *Tunnel) PrivateKey() Key {
	if t.Keys.Private != "" {
		return t.Keys.Private
	}
	return t.Key.Secret
}

// ValidDomain says whether name may go into files that other programs read
// line by line.
func ValidDomain(name string) bool {
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.IndexFunc(label, func(c rune) bool {
			return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_')
		}) >= 0 {
			return false
		}
	}
	return true
}
