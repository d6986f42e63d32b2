package netconf

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/netplan"
)

// iface is one interface on which addresses are asked for.
type iface struct {
	claim    claim
	link     Link
	four     *Client4
	six      *Client6
	acd      Detector
	local4   int   // attempts at a link-local IPv4 address, from 1; 0: none wanted
	mode6    Mode6 // of the last advertisement
	local    bool  // the link-local address can be used
	learned  Learned
	global   []netip.Prefix // usable IPv6 addresses
	taken    []netip.Prefix // IPv6 addresses that another host turned out to have
	gateways []netip.Addr   // IPv6 default gateways
	problem  string         // why the interface could not be configured
}

func newIface(cl claim, hostname string, rec Record, now Moment, random Random) *iface {
	i := &iface{claim: cl, link: *cl.link, mode6: None6}
	if rec.MAC == i.link.MAC.String() {
		i.learned = rec.Learned
		i.learned.Forget(now)
	} else {
		rec = Record{}
	}
	if rec.Lease4 != nil && (rec.Lease4.Expires <= now || !i.asks4()) {
		rec.Lease4 = nil
	}
	if rec.Lease6 != nil && (rec.Lease6.Expires <= now || !i.asks6()) {
		rec.Lease6 = nil
	}
	i.clients(hostname, rec, random)
	return i
}

// seed takes in what the kernel had told before the interface was taken on.
func (i *iface) seed(s *State) {
	i.mode6 = mode6(i.link.RouterManaged, i.link.RouterOther)
	for _, a := range s.Addresses {
		switch {
		case a.Index != i.link.Index || !a.Prefix.Addr().Is6() || a.Tentative || a.Failed:
		case a.Prefix.Addr().IsLinkLocalUnicast():
			i.local = true
		default:
			i.global = note(i.global, a.Prefix, false)
		}
	}
	for _, g := range s.Gateways {
		if g.Index == i.link.Index {
			i.gateways = note(i.gateways, g.Gateway, false)
		}
	}
}

// clients makes the protocols' clients as the configuration says.
func (i *iface) clients(hostname string, rec Record, random Random) {
	if o := i.claim.dev.DHCP4Overrides; !use(o.SendHostname) {
		hostname = ""
	} else if o.Hostname != "" {
		hostname = o.Hostname
	}
	i.four = NewClient4(i.link.MAC, hostname, rec.Lease4, random)
	if i.claim.dev.DHCPIdentifier == "duid" {
		i.four.Identify(duidIdentifier(i.link.MAC))
	}
	i.six = NewClient6(i.link.MAC, rec.Lease6, random)
	if hint := i.claim.dev.DHCP6Overrides.PrefixHint; hint != nil {
		i.six.Delegate(hint.Prefix)
	}
	i.local4 = 0
	if l := i.claim.dev.LinkLocal; l != nil && slices.Contains(*l, "ipv4") {
		i.local4 = 1
	}
}

func (i *iface) asks4() bool { return i.claim.dev.DHCP4 != nil && *i.claim.dev.DHCP4 }

// asks6 says whether DHCPv6 may be asked: when routers say so, or in any case
// when dhcp6 is true.
func (i *iface) asks6() bool {
	if d := i.claim.dev.DHCP6; d != nil {
		return *d
	}
	return use(i.claim.dev.AcceptRA)
}

// wants6 is what DHCPv6 is to do now.
func (i *iface) wants6() Mode6 {
	switch d := i.claim.dev.DHCP6; {
	case !i.link.Carrier || !i.local || !i.asks6():
		return None6
	case d != nil && i.mode6 != Other6:
		return Stateful6
	}
	return i.mode6
}

func (i *iface) next() Moment {
	return min(i.four.Next(), i.six.Next(), i.learned.Next(), i.acd.Next())
}

func (i *iface) leases() Leases {
	l := Leases{Four: i.four.Lease(), Six: i.six.Lease()}
	if i.local4 > 0 && i.link.hasMAC() {
		l.Local4 = localAddress4(i.link.MAC, i.local4)
	}
	return l
}

// addresses4 are those that other hosts could have, too.
func (i *iface) addresses4() []netip.Addr {
	var out []netip.Addr
	for _, a := range i.claim.dev.Addresses {
		if a.Prefix.Addr().Is4() {
			out = append(out, a.Prefix.Addr())
		}
	}
	l := i.leases()
	if l.Four != nil && !slices.Contains(out, l.Four.Address.Addr()) {
		out = append(out, l.Four.Address.Addr())
	}
	if l.Local4.IsValid() {
		out = append(out, l.Local4)
	}
	return out
}

func (i *iface) record() Record {
	return Record{MAC: i.link.MAC.String(), Lease4: i.four.Lease(), Lease6: i.six.Lease(), Learned: i.learned}
}

// addressed says whether there is an address that others can reach.
func (i *iface) addressed() bool {
	if !i.link.Carrier {
		return false
	}
	if i.four.Lease() != nil || len(i.global) > 0 {
		return true
	}
	return slices.ContainsFunc(i.claim.dev.Addresses, func(a netplan.Address) bool { return a.Prefix.Addr().Is4() && !a.Prefix.Addr().IsLinkLocalUnicast() })
}

// routed says whether there is a way out as well. A network whose DHCP server
// names no gateway has none, and needs none.
func (i *iface) routed(want *Want) bool {
	if !i.addressed() {
		return false
	}
	if l := i.four.Lease(); l != nil && !l.Gateway().IsValid() {
		return true
	}
	if len(i.global) > 0 && len(i.gateways) > 0 {
		return true
	}
	return slices.ContainsFunc(want.Routes, func(r RouteEntry) bool { return r.Index == i.link.Index && r.To.Bits() == 0 && r.Type == "" })
}

// names are the DNS servers of the interface: those that a person wrote, then
// IPv4's, as they are known first and are the ones people look at.
func (i *iface) names(ignore bool) Names {
	var n Names
	for _, s := range i.claim.dev.Nameservers.Addresses {
		n.Servers = append(n.Servers, i.zoned(s.Addr))
	}
	n.Search = append(n.Search, i.claim.dev.Nameservers.Search...)
	if ignore {
		return n
	}
	o4, o6 := i.claim.dev.DHCP4Overrides, i.claim.dev.DHCP6Overrides
	if l := i.four.Lease(); l != nil {
		if use(o4.UseDNS) {
			n.Servers = append(n.Servers, l.DNS...)
		}
		if o4.UseDomains != "false" {
			n.Search = append(n.Search, l.Search...)
		}
	}
	if use(i.claim.dev.AcceptRA) {
		for _, s := range i.learned.Servers {
			if use(o6.UseDNS) {
				n.Servers = append(n.Servers, i.zoned(s.Value))
			}
		}
		for _, s := range i.learned.Search {
			if o6.UseDomains != "false" {
				n.Search = append(n.Search, s.Value)
			}
		}
	}
	if l := i.six.Lease(); l != nil {
		for _, s := range l.DNS {
			if use(o6.UseDNS) {
				n.Servers = append(n.Servers, i.zoned(s))
			}
		}
		if o6.UseDomains != "false" {
			n.Search = append(n.Search, l.Search...)
		}
	}
	return n
}

// zoned adds the interface to an address that means nothing without it.
func (i *iface) zoned(a netip.Addr) netip.Addr {
	if a.IsLinkLocalUnicast() && a.Is6() {
		return a.WithZone(i.link.Name)
	}
	return a
}

func (i *iface) ntp() []netip.Addr {
	var out []netip.Addr
	if l := i.four.Lease(); l != nil && use(i.claim.dev.DHCP4Overrides.UseNTP) {
		out = append(out, l.NTP...)
	}
	if l := i.six.Lease(); l != nil && use(i.claim.dev.DHCP6Overrides.UseNTP) {
		out = append(out, l.NTP...)
	}
	return out
}

func (i *iface) status(now Moment) string {
	switch {
	case i.problem != "":
		return i.problem
	case !i.link.Up:
		return "switched off"
	case !i.link.Carrier:
		return "no carrier"
	}
	var parts []string
	for _, a := range i.claim.dev.Addresses {
		if a.Prefix.Addr().Is4() {
			parts = append(parts, a.Prefix.String())
		}
	}
	if i.asks4() {
		parts = append(parts, i.four.Status(now))
	}
	if l := i.leases().Local4; l.IsValid() {
		parts = append(parts, l.String()+" link-local")
	}
	for _, p := range i.global {
		parts = append(parts, p.String())
	}
	for _, p := range i.taken {
		parts = append(parts, p.Addr().String()+" is taken by another host")
	}
	for _, c := range i.acd.Taken() {
		parts = append(parts, c.Address.String()+" is also used by another host ("+c.MAC.String()+")")
	}
	if text := i.six.Status(now); text != "" {
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return "no address is asked for"
	}
	return strings.Join(parts, ", ")
}

// sawAddress and sawGateway keep the kernel's IPv6 state.
func (i *iface) sawAddress(e Address6Seen) {
	i.global = note(i.global, e.Prefix, e.Gone)
	leased := e.Prefix.Bits() == 128 // Client6 gives it back and says so
	switch {
	case e.Taken && !leased && len(i.taken) < mostLearned:
		i.taken = note(i.taken, e.Prefix, false)
	case !e.Gone:
		i.taken = note(i.taken, e.Prefix, true)
	}
}

func (i *iface) sawGateway(e Gateway6Seen) {
	i.gateways = note(i.gateways, e.Gateway, e.Gone)
}

// note adds value to list, or takes it out, once.
func note[T comparable](list []T, value T, gone bool) []T {
	at := slices.Index(list, value)
	switch {
	case gone && at >= 0:
		return slices.Delete(list, at, at+1)
	case !gone && at < 0:
		return append(list, value)
	}
	return list
}
