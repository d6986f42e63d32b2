package netconf

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/testudo-os/testudo/pkg/netconf/linkopt"
	"github.com/testudo-os/testudo/pkg/netplan"
)

// Metrics of routes for which nobody stated one: lower wins. Every interface
// has its own, so that two gateways are never equal, and what a person wrote
// goes before what a server said.
const (
	metricStatic = 512
	metricLease  = 1024
)

// Metric is the priority of an interface's routes that DHCP and routers gave.
func Metric(index int) int { return metricLease + index }

// StaticMetric is that of its routes in the configuration.
func StaticMetric(index int) int { return metricStatic + index }

// firstRule is the priority of the first rule without one; the kernel's own
// are at 0, 32766 and 32767.
const firstRule = 30000

// Leases are what servers granted to one interface.
type Leases struct {
	Four *Lease4
	Six  *Lease6
	// Local4 is a link-local IPv4 address (RFC 3927).
	Local4 netip.Addr
}

// wanted gives the state that a configuration asks for, with the leases by
// interface. It is pure; the same input gives the same output.
func wanted(c *netplan.Config, have *State, owned *Owned, leases map[int]Leases) (*Want, []claim) {
	list, problems := claims(c, have.Links, owned)
	w := &wanter{c: c, have: have, owned: owned, claims: list, want: &Want{Problems: problems}}
	w.members()
	for _, cl := range list {
		w.one(cl, leases)
	}
	w.released()
	w.rules()
	return w.want, list
}

type wanter struct {
	c      *netplan.Config
	have   *State
	owned  *Owned
	claims []claim
	want   *Want
	master map[string]string // id of the master by id of the port
	kind   map[string]string // and its kind
	table  map[string]int    // of a VRF, by id of what is in it
	rule   int
}

// members says which id belongs to which.
func (w *wanter) members() {
	w.master, w.kind, w.table = map[string]string{}, map[string]string{}, map[string]int{}
	put := func(master, kind string, ports []string) {
		for _, id := range ports {
			w.master[id], w.kind[id] = master, kind
		}
	}
	for id, b := range w.c.Bonds {
		put(id, "bond", b.Interfaces)
	}
	for id, b := range w.c.Bridges {
		put(id, "bridge", b.Interfaces)
	}
	for id, v := range w.c.VRFs {
		put(id, "vrf", v.Interfaces)
		if v.Table != nil {
			w.table[id] = *v.Table
			for _, port := range v.Interfaces {
				w.table[port] = *v.Table
			}
		}
	}
}

// isPort says whether an id gives its frames to a bridge or bond: it has no
// addresses of its own then.
func (w *wanter) isPort(id string) bool { return w.kind[id] == "bond" || w.kind[id] == "bridge" }

// index finds the interface of an id; 0 when it is not there.
func (w *wanter) index(id string) int {
	for _, cl := range w.claims {
		if cl.id == id && cl.link != nil {
			return cl.link.Index
		}
	}
	return 0
}

// depth is how many interfaces are below an id.
func (w *wanter) depth(id string, guard int) int {
	if guard > 16 {
		return guard
	}
	deepest := -1
	below := []string{}
	if v := w.c.VLANs[id]; v != nil {
		below = append(below, v.Link)
	}
	if t := w.c.Tunnels[id]; t != nil && t.Link != "" {
		below = append(below, t.Link)
	}
	if b := w.c.Bonds[id]; b != nil {
		below = append(below, b.Interfaces...)
	}
	if b := w.c.Bridges[id]; b != nil {
		below = append(below, b.Interfaces...)
	}
	for _, b := range below {
		deepest = max(deepest, w.depth(b, guard+1))
	}
	return deepest + 1
}

func (w *wanter) one(cl claim, leases map[int]Leases) {
	want := LinkWant{ID: cl.id, Name: cl.name, Make: cl.kind != "", Kind: cl.kind, depth: w.depth(cl.id, 0)}
	if cl.link != nil {
		want.Index = cl.link.Index
		if cl.kind != "" && !w.owned.link(*cl.link) {
			want.Make = false // it was there before: configured, never removed
		}
	}
	if w.waits(cl) {
		return
	}
	w.options(cl, &want)
	w.port(cl, &want)
	var lease Leases
	if cl.link != nil && !w.isPort(cl.id) {
		lease = leases[cl.link.Index]
	}
	w.hardware(cl, lease, &want)
	want.Up = cl.dev.ActivationMode == ""
	want.Down = cl.dev.ActivationMode == "off"
	w.want.Links = append(w.want.Links, want)
	if cl.link == nil || w.isPort(cl.id) {
		return
	}
	w.addresses(cl, lease)
	w.routes(cl, lease, leases)
}

// waits says whether what an interface runs on is not there yet.
func (w *wanter) waits(cl claim) bool {
	lower := ""
	if v := w.c.VLANs[cl.id]; v != nil {
		lower = v.Link
	}
	if t := w.c.Tunnels[cl.id]; t != nil {
		lower = t.Link
	}
	if lower == "" || w.index(lower) != 0 {
		return false
	}
	w.want.Problems = append(w.want.Problems, Problem{cl.id, "waits for " + lower})
	return cl.link == nil
}

// hardware is the address, and the size of packets.
func (w *wanter) hardware(cl claim, lease Leases, want *LinkWant) {
	if cl.dev.MAC != nil {
		want.MAC = net.HardwareAddr(cl.dev.MAC[:])
	} else if was, ok := w.owned.Originals[want.Index]; ok && w.kind[cl.id] != "bond" {
		if mac, err := net.ParseMAC(was.MAC); err == nil {
			want.MAC = mac
		}
	}
	switch {
	case w.kind[cl.id] == "bond": // the bond's to say
	case cl.dev.MTU != nil:
		want.MTU = *cl.dev.MTU
	case lease.Four != nil && lease.Four.MTU != 0 && use(cl.dev.DHCP4Overrides.UseMTU):
		want.MTU = lease.Four.MTU
	default:
		want.MTU = w.owned.Originals[want.Index].MTU
	}
}

// use is an override that is yes when absent.
func use(b *bool) bool { return b == nil || *b }

// port says what an interface belongs to.
func (w *wanter) port(cl claim, want *LinkWant) {
	master := w.master[cl.id]
	if master == "" {
		if cl.kind != "" || w.owned.Originals[want.Index].Master {
			none := 0
			want.Master = &none
		}
		return
	}
	index := w.index(master)
	if index == 0 {
		return // made in this round; asked again in the next one
	}
	want.Master = &index
	b := w.c.Bridges[master]
	if b == nil {
		return
	}
	want.Port = linkopt.Options{}
	if cost, ok := b.Parameters.PathCost[cl.id]; ok {
		want.Port["cost"] = strconv.Itoa(cost)
	}
	if priority, ok := b.Parameters.PortPriority[cl.id]; ok {
		want.Port["priority"] = strconv.Itoa(priority)
	}
	if s := cl.dev.NeighSuppress; s != nil {
		want.Port["neigh_suppress"] = strconv.FormatBool(*s)
	}
	want.VLANs = portVLANs(cl.dev.BridgePort, b.Parameters)
}

// portVLANs gives the VLANs of a port of a bridge that filters; nil leaves
// them as they are.
func portVLANs(p *netplan.PortVLANs, b netplan.BridgeParameters) []PortVLAN {
	if b.VLANFiltering == nil || !*b.VLANFiltering || p == nil {
		return nil
	}
	out := []PortVLAN{}
	add := func(v PortVLAN) {
		if i := slices.IndexFunc(out, func(o PortVLAN) bool { return o.ID == v.ID }); i >= 0 {
			out[i].PVID = out[i].PVID || v.PVID
			out[i].Untagged = out[i].Untagged || v.Untagged
			return
		}
		out = append(out, v)
	}
	for _, id := range p.Tagged {
		add(PortVLAN{ID: id})
	}
	for _, id := range p.Untagged {
		add(PortVLAN{ID: id, Untagged: true})
	}
	if p.PVID != 0 {
		add(PortVLAN{ID: p.PVID, PVID: true, Untagged: true})
	}
	slices.SortFunc(out, func(a, b PortVLAN) int { return a.ID - b.ID })
	return out
}

// released takes interfaces out that the service once put somewhere, and that
// no definition is about any more; they get back what they had.
func (w *wanter) released() {
	for index, was := range w.owned.Originals {
		l := w.have.link(index)
		if l == nil || slices.ContainsFunc(w.claims, func(cl claim) bool { return cl.link != nil && cl.link.Index == index }) || w.owned.link(*l) {
			continue
		}
		want := LinkWant{Index: index, Name: cmp.Or(was.Name, l.Name), MTU: was.MTU}
		if mac, err := net.ParseMAC(was.MAC); err == nil {
			want.MAC = mac
		}
		if was.Master {
			none := 0
			want.Master = &none
		}
		w.want.Links = append(w.want.Links, want)
	}
	slices.SortStableFunc(w.want.Links, func(a, b LinkWant) int { return strings.Compare(a.Name, b.Name) })
}

func (w *wanter) addresses(cl claim, lease Leases) {
	add := func(p netip.Prefix, preferred, valid Moment, label string) {
		a := LinkAddress{cl.link.Index, Address{Prefix: p, Preferred: preferred, Valid: valid, Label: label}}
		if !slices.ContainsFunc(w.want.Addresses, a.is) {
			w.want.Addresses = append(w.want.Addresses, a)
		}
	}
	for _, a := range cl.dev.Addresses {
		preferred := Never
		if a.Lifetime == "0" {
			preferred = 0
		}
		add(a.Prefix, preferred, Never, a.Label)
	}
	if l := lease.Four; l != nil {
		add(l.Address, l.Expires, l.Expires, "")
	}
	if lease.Local4.IsValid() {
		add(netip.PrefixFrom(lease.Local4, 16), Never, Never, "")
	}
	if l := lease.Six; l != nil {
		for _, a := range l.Addresses {
			add(netip.PrefixFrom(a.Address, 128), a.Preferred, a.Valid, "")
		}
	}
}

// routes gives the subnets' first (IPv4 addresses come without one, so that
// they carry the interface's metric), then routes to gateways outside of them,
// then the rest: the kernel refuses a route through a gateway it has no route
// to.
func (w *wanter) routes(cl claim, lease Leases, leases map[int]Leases) {
	table := MainTable
	if t, ok := w.table[cl.id]; ok {
		table = t
	}
	r := &routeList{index: cl.link.Index, table: table}
	for _, a := range cl.dev.Addresses {
		r.subnet(a.Prefix, StaticMetric(cl.link.Index), ProtocolStatic)
	}
	if lease.Local4.IsValid() {
		// Last of all (RFC 3927, 2.6.2: others go before it).
		r.subnet(netip.PrefixFrom(lease.Local4, 16), 65536+cl.link.Index, ProtocolStatic)
	}
	for _, g := range []*netplan.Addr{cl.dev.Gateway4, cl.dev.Gateway6} {
		if g != nil {
			r.add(RouteEntry{To: netplan.Destination{Default: true}.Of(g.Addr), Gateway: g.Addr, Metric: StaticMetric(cl.link.Index), Protocol: ProtocolStatic})
		}
	}
	for _, s := range cl.dev.Routes {
		for _, e := range static(s, cl) {
			r.add(e)
		}
	}
	if l := lease.Four; l != nil && use(cl.dev.DHCP4Overrides.UseRoutes) {
		metric := Metric(cl.link.Index)
		if m := cl.dev.DHCP4Overrides.RouteMetric; m != nil {
			metric = *m
		}
		for _, e := range routesOf(l) {
			r.add(RouteEntry{To: e.To, Gateway: e.Gateway, Source: l.Address.Addr(), Metric: metric, Protocol: ProtocolDHCP})
		}
	} else if l != nil {
		r.subnet(l.Address, Metric(cl.link.Index), ProtocolDHCP)
	}
	if v := w.c.VRFs[cl.id]; v != nil {
		for i := range r.list {
			r.list[i].Index = w.wayOf(v, r.list[i], leases)
		}
	}
	w.want.Routes = append(w.want.Routes, r.list...)
}

// wayOf is the interface of a VRF whose network holds a route's gateway: that
// is where the kernel puts the route.
func (w *wanter) wayOf(v *netplan.VRF, r RouteEntry, leases map[int]Leases) int {
	if !r.Gateway.IsValid() {
		return r.Index
	}
	for _, cl := range w.claims {
		if cl.link == nil || !slices.Contains(v.Interfaces, cl.id) {
			continue
		}
		if l := leases[cl.link.Index].Four; l != nil && l.Address.Contains(r.Gateway) {
			return cl.link.Index
		}
		if slices.ContainsFunc(cl.dev.Addresses, func(a netplan.Address) bool { return a.Prefix.Contains(r.Gateway) }) {
			return cl.link.Index
		}
	}
	return r.Index
}

// routeList collects the routes of one interface.
type routeList struct {
	index, table int
	list         []RouteEntry
}

func (r *routeList) subnet(p netip.Prefix, metric, protocol int) {
	if p.Addr().Is4() && p.Bits() < 32 {
		r.add(RouteEntry{To: p.Masked(), Source: p.Addr(), Metric: metric, Protocol: protocol})
	}
}

// add completes a route as the kernel will give it back, unless there is one.
func (r *routeList) add(e RouteEntry) {
	e.Index = r.index
	if e.Table == 0 {
		e.Table = r.table
	}
	switch {
	case e.Type != "" && e.Type != "anycast" && e.Type != "multicast":
		if e.Type != "local" && e.Type != "broadcast" {
			e.Index = 0
		}
	case e.Scope == "" && !e.Gateway.IsValid():
		e.Scope = "link"
	case e.Scope == "global":
		e.Scope = ""
	}
	if e.To.Addr().Is6() {
		e.Scope = ""
		if e.Metric == 0 {
			e.Metric = 1024 // the kernel's own for none
		}
	}
	if slices.ContainsFunc(r.list, e.same) {
		return
	}
	r.list = append(r.list, e)
}

// static translates one route of the configuration. A default route without a
// gateway is one of each kind.
func static(s netplan.Route, cl claim) []RouteEntry {
	e := RouteEntry{Type: s.Type, Scope: s.Scope, OnLink: s.OnLink, Metric: StaticMetric(cl.link.Index), Protocol: ProtocolStatic}
	if e.Type == "unicast" {
		e.Type = ""
	}
	if s.Metric != nil {
		e.Metric = *s.Metric
	}
	if s.Table != nil {
		e.Table = *s.Table
	}
	for into, from := range map[*int]*int{&e.MTU: s.MTU, &e.Window: s.CongestionWindow, &e.Receive: s.AdvertisedReceive, &e.MSS: s.AdvertisedMaximumSegmt} {
		if from != nil {
			*into = *from
		}
	}
	if s.From != nil {
		e.Source = s.From.Addr
	}
	if s.Via != nil {
		e.Gateway = s.Via.Addr
		e.To = s.To.Of(s.Via.Addr)
		return []RouteEntry{e}
	}
	if !s.To.Default {
		e.To = s.To.Prefix
		return []RouteEntry{e}
	}
	var out []RouteEntry
	for _, family := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		if s.From == nil || s.From.Is4() == family.Is4() {
			e.To = s.To.Of(family)
			out = append(out, e)
		}
	}
	return out
}

// rules numbers those without a priority in the order of ids.
func (w *wanter) rules() {
	for _, cl := range w.claims {
		for _, r := range cl.dev.RoutingPolicy {
			base := Rule{Priority: firstRule + w.rule, Table: MainTable}
			w.rule++
			if t, ok := w.table[cl.id]; ok {
				base.Table = t
			}
			for into, from := range map[*int]*int{&base.Priority: r.Priority, &base.Table: r.Table, &base.Mark: r.Mark, &base.TOS: r.TOS} {
				if from != nil {
					*into = *from
				}
			}
			four, six := true, true
			for _, p := range []struct {
				from *netplan.Destination
				into *netip.Prefix
			}{{r.From, &base.From}, {r.To, &base.To}} {
				if p.from != nil && !p.from.Default {
					*p.into = p.from.Prefix
					four, six = four && p.from.Prefix.Addr().Is4(), six && p.from.Prefix.Addr().Is6()
				}
			}
			for _, is := range []bool{false, true} {
				if is && six || !is && four {
					base.Six = is
					if !slices.Contains(w.want.Rules, base) {
						w.want.Rules = append(w.want.Rules, base)
					}
				}
			}
		}
	}
}

// options translates what is particular to a kind.
func (w *wanter) options(cl claim, want *LinkWant) {
	o := linkopt.Options{}
	want.Options = o
	switch cl.kind {
	case "bond":
		w.bond(w.c.Bonds[cl.id].Parameters, o)
	case "bridge":
		b := w.c.Bridges[cl.id].Parameters
		bridge(b, o)
		want.VLANs = portVLANs(cl.dev.BridgePort, b)
	case "vlan":
		v := w.c.VLANs[cl.id]
		number(o, "id", v.ID)
		want.Lower = w.index(v.Link)
	case "vrf":
		number(o, "table", w.c.VRFs[cl.id].Table)
	case "veth":
		want.Peer = w.c.Veths[cl.id].Peer
	case "wireguard":
		want.Tunnel = wireguard(w.c.Tunnels[cl.id])
	case "dummy", "":
	default:
		w.tunnel(w.c.Tunnels[cl.id], o)
	}
}

func number(o linkopt.Options, name string, v *int) {
	if v != nil {
		o[name] = strconv.Itoa(*v)
	}
}

func boolean(o linkopt.Options, name string, v *bool) {
	if v != nil {
		o[name] = strconv.FormatBool(*v)
	}
}

func word(o linkopt.Options, name, v string) {
	if v != "" {
		o[name] = v
	}
}

func span(o linkopt.Options, name string, v, unit time.Duration) {
	if v != 0 {
		o[name] = strconv.FormatInt(int64(v/unit), 10)
	}
}

func (w *wanter) bond(p netplan.BondParameters, o linkopt.Options) {
	word(o, "mode", p.Mode)
	if p.Mode == "" {
		o["mode"] = "balance-rr"
	}
	word(o, "lacp_rate", p.LACPRate)
	word(o, "xmit_hash_policy", p.TransmitHashPolicy)
	word(o, "ad_select", p.ADSelect)
	word(o, "arp_validate", p.ARPValidate)
	word(o, "arp_all_targets", p.ARPAllTargets)
	word(o, "fail_over_mac", p.FailOverMACPolicy)
	word(o, "primary_reselect", p.PrimaryReselectPolicy)
	number(o, "min_links", p.MinLinks)
	boolean(o, "all_slaves_active", p.AllSlavesActive)
	boolean(o, "all_slaves_active", p.AllMembersActive)
	number(o, "num_peer_notif", p.GratuitiousARP)
	number(o, "num_peer_notif", p.GratuitousARP)
	number(o, "packets_per_slave", p.PacketsPerSlave)
	number(o, "packets_per_slave", p.PacketsPerMember)
	number(o, "resend_igmp", p.ResendIGMP)
	span(o, "miimon", time.Duration(p.MIIMonitorInterval), time.Millisecond)
	span(o, "updelay", time.Duration(p.UpDelay), time.Millisecond)
	span(o, "downdelay", time.Duration(p.DownDelay), time.Millisecond)
	span(o, "arp_interval", time.Duration(p.ARPInterval), time.Millisecond)
	span(o, "lp_interval", time.Duration(p.LearnPacketInterval), time.Second)
	var targets []string
	for _, a := range p.ARPIPTargets {
		targets = append(targets, a.String())
	}
	word(o, "arp_ip_target", strings.Join(targets, " "))
	if p.Primary != "" {
		if index := w.index(p.Primary); index != 0 {
			o["primary"] = strconv.Itoa(index)
		}
	}
}

// Bridges count in hundredths of a second.
const bridgeTick = 10 * time.Millisecond

func bridge(p netplan.BridgeParameters, o linkopt.Options) {
	o["stp"] = strconv.FormatBool(use(p.STP))
	span(o, "forward_delay", time.Duration(p.ForwardDelay), bridgeTick)
	span(o, "hello_time", time.Duration(p.HelloTime), bridgeTick)
	span(o, "max_age", time.Duration(p.MaxAge), bridgeTick)
	span(o, "ageing_time", time.Duration(p.AgeingTime), bridgeTick)
	span(o, "ageing_time", time.Duration(p.AgingTime), bridgeTick)
	number(o, "priority", p.Priority)
	boolean(o, "vlan_filtering", p.VLANFiltering)
	number(o, "vlan_default_pvid", p.DefaultPVID)
}

// greKey is the flag of a GRE header with a key (linux/if_tunnel.h), as a
// number whose bytes are in network order.
const greKey = "8192"

func (w *wanter) tunnel(t *netplan.Tunnel, o linkopt.Options) {
	if t.Link != "" {
		if index := w.index(t.Link); index != 0 {
			o["link"] = strconv.Itoa(index)
		}
	}
	number(o, "ttl", t.TTL)
	if t.Mode == "vxlan" {
		vxlan(t, o)
		return
	}
	for name, a := range map[string]*netplan.Addr{"local": t.Local, "remote": t.Remote} {
		if a != nil {
			o[name] = a.String()
		}
	}
	switch t.Mode {
	case "ipip6":
		o["proto"] = "4"
	case "ip6ip6":
		o["proto"] = "41"
	}
	for _, key := range []struct {
		name, flag string
		own        netplan.TunnelKey
	}{{"ikey", "iflags", t.Keys.Input}, {"okey", "oflags", t.Keys.Output}} {
		v := key.own.Number
		if v == nil {
			v = t.Key.Number
		}
		if v == nil {
			continue
		}
		o[key.name] = strconv.FormatUint(uint64(*v), 10)
		if strings.Contains(t.Mode, "gre") {
			o[key.flag] = greKey
		}
	}
}

func vxlan(t *netplan.Tunnel, o linkopt.Options) {
	number(o, "id", t.ID)
	number(o, "port", t.Port)
	if t.Port == nil {
		o["port"] = "4789" // IANA's; the kernel's is older (8472)
	}
	number(o, "tos", t.TypeOfService)
	number(o, "limit", t.Limit)
	number(o, "label", t.FlowLabel)
	boolean(o, "learning", t.MACLearning)
	boolean(o, "proxy", t.ARPProxy)
	boolean(o, "rsc", t.ShortCircuit)
	span(o, "ageing", time.Duration(t.Aging), time.Second)
	span(o, "ageing", time.Duration(t.Ageing), time.Second)
	if t.DoNotFragment != nil {
		o["df"] = map[bool]string{true: "1", false: "0"}[*t.DoNotFragment]
	}
	if len(t.PortRange) == 2 {
		o["port_range"] = fmt.Sprintf("%d-%d", t.PortRange[0], t.PortRange[1])
	}
	for name, a := range map[string]*netplan.Addr{"local": t.Local, "group": t.Remote} {
		if a != nil && a.Is4() {
			o[name] = a.String()
		} else if a != nil {
			o[name+"6"] = a.String()
		}
	}
	for _, n := range t.Notifications {
		o[strings.ReplaceAll(n, "-", "")] = "true"
	}
	names := map[string]string{"udp": "udp_csum", "zero-udp6-tx": "udp_zero_csum6_tx", "zero-udp6-rx": "udp_zero_csum6_rx", "remote-tx": "remcsum_tx", "remote-rx": "remcsum_rx"}
	for _, c := range t.Checksums {
		o[names[c]] = "true"
	}
}

func wireguard(t *netplan.Tunnel) *WireGuard {
	out := &WireGuard{Private: t.PrivateKey().Bytes()}
	// As the kernel stores it (Curve25519's clamping).
	out.Private[0] &= 248
	out.Private[31] = out.Private[31]&127 | 64
	if t.Port != nil {
		out.Port = *t.Port
	}
	if t.Mark != nil {
		out.Mark = *t.Mark
	}
	for _, p := range t.Peers {
		peer := WireGuardPeer{Public: p.Keys.Public.Bytes(), Shared: p.Keys.Shared.Bytes(), KeepAlive: p.KeepAlive}
		peer.Endpoint, _ = netip.ParseAddrPort(p.Endpoint)
		for _, a := range p.AllowedIPs {
			peer.Allowed = append(peer.Allowed, a.Prefix)
		}
		out.Peers = append(out.Peers, peer)
	}
	out.Sort()
	return out
}

// Sort puts peers and networks in one order, so that two can be compared.
func (g *WireGuard) Sort() {
	slices.SortFunc(g.Peers, func(a, b WireGuardPeer) int { return slices.Compare(a.Public[:], b.Public[:]) })
	for i := range g.Peers {
		slices.SortFunc(g.Peers[i].Allowed, func(a, b netip.Prefix) int {
			if c := a.Addr().Compare(b.Addr()); c != 0 {
				return c
			}
			return a.Bits() - b.Bits()
		})
	}
}
