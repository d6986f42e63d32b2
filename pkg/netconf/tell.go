package netconf

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/netplan"
	"github.com/testudo-os/testudo/pkg/netstatus"
)

// tell publishes names, times and the state of the network when they changed.
func (m *Manager) tell() {
	if !m.synced || m.state == nil {
		return // half a picture would take DNS servers away for a moment
	}
	now := m.System.Now()
	names := m.names()
	files := [2]string{ResolvConf(names, m.Settings.Testudo.DNS.Options), ChronySources(m.ntp())}
	if files != m.published {
		if err := m.System.Publish(files[0], files[1]); err != nil {
			m.Log("%v", err)
		} else {
			m.published = files
		}
	}
	states, texts := m.linkStates(now)
	servers := slices.ContainsFunc(names, func(n Names) bool { return len(n.Servers) > 0 })
	v := m.online.judge(now, m.Settings.Testudo.Online, states, servers, m.System.Reach)
	ready := m.online.ready(now)

	picture := m.picture(now, v, ready, names, texts)
	if !reflect.DeepEqual(picture, m.told) {
		if err := m.System.Tell(picture); err != nil {
			m.Log("%v", err)
		} else {
			m.told = picture
		}
	}
	if r := (report{m.line(v, ready, texts), ready}); r != m.reported {
		m.reported = r
		m.System.Report(r.status, r.ready)
	}
}

// line is the service's status in one line.
func (m *Manager) line(v verdict, ready bool, texts []linkText) string {
	var lines []string
	for _, t := range texts {
		lines = append(lines, t.name+": "+t.text)
	}
	status := strings.Join(lines, "; ")
	if text := m.problems[""]; text != "" {
		status = strings.TrimPrefix(status+"; "+text, "; ")
	}
	switch {
	case status == "" && m.config().Disabled():
		return "switched off by the configuration"
	case ready && !m.online.was:
		return fmt.Sprintf("not online after %s: %s", m.Settings.Testudo.Online.Bound(), v.why)
	case status == "":
		return "no network interface"
	}
	return status
}

// linkText is one interface in a line.
type linkText struct {
	index      int
	id         string
	name, text string
}

// linkStates says of each interface how it stands, those that are not there
// last.
func (m *Manager) linkStates(now Moment) (states []linkState, texts []linkText) {
	problem := func(cl claim) string {
		if text := m.problems[cl.name]; text != "" {
			return text
		}
		for _, p := range m.want.Problems {
			if p.ID == cl.id && cl.link == nil {
				return p.Text
			}
		}
		return ""
	}
	claims := slices.Clone(m.claims)
	slices.SortStableFunc(claims, func(a, b claim) int { return claimIndex(a) - claimIndex(b) })
	for _, cl := range claims {
		s := linkState{id: cl.id, name: cl.name, text: problem(cl), optional: cl.dev.Optional, inner: !outward(cl)}
		i := m.ifaces[claimIndex(cl)]
		switch {
		case cl.link == nil:
			if s.text == "" {
				s.text = "not there"
			}
			texts = append(texts, linkText{0, cl.id, cl.name, s.text})
			continue
		case i != nil:
			s.name = i.link.Name
			if s.text == "" {
				s.text = i.status(now)
			}
			s.carrier, s.addressed, s.routed = i.link.Carrier, i.addressed(), i.routed(m.want)
			states = append(states, s)
		case s.text == "":
			s.text = m.plainText(cl)
			if !cl.link.hasMAC() && cl.link.Carrier && len(cl.dev.Addresses) > 0 { // a tunnel
				s.carrier, s.addressed, s.routed = true, true, hasDefault(m.want, cl.link.Index)
				states = append(states, s)
			}
		}
		texts = append(texts, linkText{cl.link.Index, cl.id, s.name, s.text})
	}
	for _, p := range m.want.Problems {
		if !slices.ContainsFunc(texts, func(t linkText) bool { return t.id == p.ID }) {
			texts = append(texts, linkText{0, p.ID, p.ID, p.Text})
		}
	}
	return states, texts
}

// outward says whether an interface can be the machine's way to others: cards,
// and what is made of them. Tunnels and the like run over those.
func outward(cl claim) bool {
	return cl.link != nil && !cl.link.Loopback && slices.Contains([]string{"", "bond", "bridge", "vlan"}, cl.kind)
}

func claimIndex(cl claim) int {
	if cl.link == nil {
		return 1 << 30
	}
	return cl.link.Index
}

// plainText is about an interface on which no address is asked for.
func (m *Manager) plainText(cl claim) string {
	l := m.state.link(cl.link.Index)
	switch {
	case l == nil:
		return "not there"
	case !l.Up:
		return "switched off"
	}
	if master := m.state.link(l.Master); master != nil && master.Kind != "vrf" {
		text := "port of " + master.Name
		if !l.Carrier {
			text += ", no carrier"
		}
		return text
	}
	var parts []string
	for _, a := range cl.dev.Addresses {
		parts = append(parts, a.Prefix.String())
	}
	if len(parts) == 0 {
		return "up"
	}
	return strings.Join(parts, ", ")
}

func hasDefault(w *Want, index int) bool {
	return slices.ContainsFunc(w.Routes, func(r RouteEntry) bool { return r.Index == index && r.To.Bits() == 0 && r.Type == "" })
}

// names are the servers and domains in the order in which they count: those of
// testudo.network.dns, those that belong to no interface, then interfaces with
// carrier, the one with the best default route first.
func (m *Manager) names() []Names {
	dns := m.Settings.Testudo.DNS
	out := []Names{namesOf(dns.Servers, dns.Search)}
	if c := m.config(); !c.Nameservers.Empty() {
		out = append(out, namesOf(c.Nameservers.Addresses, c.Nameservers.Search))
	}
	list := m.sorted()
	slices.SortStableFunc(list, func(a, b *iface) int { return m.preference(a) - m.preference(b) })
	for _, i := range list {
		if i.link.Carrier {
			out = append(out, i.names(dns.Ignore != nil && *dns.Ignore))
		}
	}
	for _, cl := range m.claims { // tunnels and the like, which have no clients
		if cl.link != nil && m.ifaces[cl.link.Index] == nil && cl.link.Carrier {
			out = append(out, namesOf(cl.dev.Nameservers.Addresses, cl.dev.Nameservers.Search))
		}
	}
	return slices.DeleteFunc(out, func(n Names) bool { return len(n.Servers)+len(n.Search) == 0 })
}

func namesOf(servers []netplan.Addr, search []string) Names {
	n := Names{Search: search}
	for _, s := range servers {
		n.Servers = append(n.Servers, s.Addr)
	}
	return n
}

// preference is the metric of an interface's best default route.
func (m *Manager) preference(i *iface) int {
	best := 1<<31 - 1
	for _, r := range m.want.Routes {
		if r.Index == i.link.Index && r.To.Bits() == 0 && r.Table == MainTable {
			best = min(best, r.Metric)
		}
	}
	if len(i.gateways) > 0 {
		best = min(best, Metric(i.link.Index))
	}
	return best
}

func (m *Manager) ntp() []netip.Addr {
	var out []netip.Addr
	for _, i := range m.sorted() {
		if !i.link.Carrier {
			continue
		}
		for _, a := range i.ntp() {
			if !slices.Contains(out, a) {
				out = append(out, a)
			}
		}
	}
	return out
}

// picture is the whole state.
func (m *Manager) picture(now Moment, v verdict, ready bool, names []Names, texts []linkText) Picture {
	p := Picture{
		Network: netstatus.Network{Online: v.online, Ready: ready, Why: v.why, Checks: v.checks, Links: []netstatus.NetworkLink{},
			Firewall: m.Settings.Testudo.Firewall.On()},
		Until: map[string]Moment{}, Renew: map[string]Moment{}, Expires: map[string]Moment{},
	}
	for _, n := range names {
		for _, s := range n.Servers {
			p.DNS.Servers = appendNew(p.DNS.Servers, s.String())
		}
		for _, s := range n.Search {
			p.DNS.Search = appendNew(p.DNS.Search, s)
		}
	}
	if text := m.problems[""]; text != "" {
		p.Problems = append(p.Problems, text)
	}
	for _, t := range texts {
		p.Links = append(p.Links, m.pictureOf(now, t, &p))
	}
	return p
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

func (m *Manager) pictureOf(now Moment, t linkText, p *Picture) netstatus.NetworkLink {
	out := netstatus.NetworkLink{Name: t.name, Index: t.index, ID: t.id, Kind: "card", State: "absent", Text: t.text}
	if text := m.problems[t.name]; text != "" {
		out.Problems = append(out.Problems, text)
	}
	for _, problem := range m.want.Problems {
		if problem.ID == t.id && problem.Text != t.text {
			out.Problems = append(out.Problems, problem.Text)
		}
	}
	l := m.state.link(t.index)
	if l == nil {
		return out
	}
	i := m.ifaces[l.Index]
	if l.Kind != "" {
		out.Kind = l.Kind
	}
	out.MAC, out.MTU, out.Driver, out.Path = l.MAC.String(), l.MTU, l.Driver, l.Path
	up, carrier := l.Up, l.Carrier
	if i != nil {
		up, carrier = i.link.Up, i.link.Carrier
	}
	master := m.state.link(l.Master)
	if master != nil {
		out.Master = master.Name
	}
	switch {
	case !up:
		out.State = "off"
	case !carrier:
		out.State = "no carrier"
	case master != nil && master.Kind != "vrf":
		out.State = "port"
	case i != nil && !i.addressed() && (i.asks4() || use(i.claim.dev.AcceptRA)):
		out.State = "configuring"
	default:
		out.State = "up"
	}
	m.addressesOf(l, i, &out, p)
	m.routesOf(l, i, &out)
	if i == nil {
		return out
	}
	names := i.names(false)
	for _, s := range names.Servers {
		out.DNS.Servers = appendNew(out.DNS.Servers, s.String())
	}
	for _, s := range names.Search {
		out.DNS.Search = appendNew(out.DNS.Search, s)
	}
	if i.asks4() {
		lease := netstatus.NetworkLease{Protocol: "dhcp4", State: string(i.four.State())}
		if l := i.four.Lease(); l != nil {
			lease.Server, lease.Address = l.Server.String(), l.Address.String()
			key := fmt.Sprintf("%d dhcp4", out.Index)
			p.Renew[key], p.Expires[key] = l.Renew, l.Expires
		}
		out.Leases = append(out.Leases, lease)
	}
	if i.six.State() != Idle6 || i.six.Lease() != nil {
		lease := netstatus.NetworkLease{Protocol: "dhcp6", State: string(i.six.State())}
		if l := i.six.Lease(); l != nil {
			for _, prefix := range l.Prefixes {
				lease.Prefixes = append(lease.Prefixes, prefix.String())
			}
			if len(l.Addresses) > 0 {
				lease.Address = l.Addresses[0].Address.String()
			}
			key := fmt.Sprintf("%d dhcp6", out.Index)
			p.Renew[key], p.Expires[key] = l.Renew, l.Expires
		}
		out.Leases = append(out.Leases, lease)
	}
	return out
}

func (m *Manager) addressesOf(l *Link, i *iface, out *netstatus.NetworkLink, p *Picture) {
	var leases Leases
	if i != nil {
		leases = i.leases()
	}
	for _, a := range m.state.Addresses {
		if a.Index != l.Index {
			continue
		}
		from := "other"
		addr := a.Prefix.Addr()
		switch {
		case leases.Four != nil && leases.Four.Address == a.Prefix:
			from = "dhcp4"
		case leases.Six != nil && slices.ContainsFunc(leases.Six.Addresses, func(s Address6) bool { return s.Address == addr }):
			from = "dhcp6"
		case addr.IsLinkLocalUnicast():
			from = "link-local"
		case slices.ContainsFunc(m.want.Addresses, a.is):
			from = "static"
		case addr.Is6() && a.Valid != Never:
			from = "ra"
		}
		address := netstatus.NetworkAddress{Address: a.Prefix.String(), From: from}
		switch {
		case a.Failed:
			address.Note = "taken by another host"
		case a.Tentative:
			address.Note = "tentative"
		}
		if i != nil {
			for _, c := range i.acd.Taken() {
				if c.Address == addr {
					address.Note = "also used by another host (" + c.MAC.String() + ")"
				}
			}
		}
		if from == "dhcp4" {
			p.Until[fmt.Sprintf("%d %s", l.Index, a.Prefix)] = leases.Four.Expires
		}
		out.Addresses = append(out.Addresses, address)
	}
}

func (m *Manager) routesOf(l *Link, i *iface, out *netstatus.NetworkLink) {
	for _, r := range m.want.Routes {
		if r.Index != l.Index {
			continue
		}
		route := netstatus.NetworkRoute{To: r.To.String(), Metric: r.Metric, Type: r.Type, From: "static"}
		if r.Gateway.IsValid() {
			route.Gateway = r.Gateway.String()
		}
		if r.Table != MainTable {
			route.Table = r.Table
		}
		if r.Protocol == ProtocolDHCP {
			route.From = "dhcp4"
		}
		out.Routes = append(out.Routes, route)
	}
	if i == nil {
		return
	}
	for _, g := range i.gateways {
		out.Routes = append(out.Routes, netstatus.NetworkRoute{To: "::/0", Gateway: g.String(), Metric: tuning(i.claim, false).Metric, From: "ra"})
	}
}
