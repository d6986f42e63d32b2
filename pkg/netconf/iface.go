package netconf

import (
	"net/netip"
	"slices"
	"strings"
)

// iface is all that is known of one interface.
type iface struct {
	link     Link
	own      int // MTU without a lease
	four     *Client4
	six      *Client6
	mode6    Mode6 // of the last advertisement
	local    bool  // the link-local address can be used
	learned  Learned
	applied  Desired
	global   []netip.Prefix // usable IPv6 addresses
	taken    []netip.Prefix // IPv6 addresses that another host turned out to have
	gateways []netip.Addr   // IPv6 default gateways
	problem  string         // why the interface could not be configured
}

func newIface(l Link, hostname string, rec Record, now Moment, random Random) *iface {
	i := &iface{link: l, own: l.MTU, mode6: None6}
	if rec.MAC == l.MAC.String() {
		i.own, i.applied, i.learned = rec.OwnMTU, rec.Applied, rec.Learned
		i.learned.Forget(now)
	} else {
		rec = Record{}
	}
	if rec.Lease4 != nil && rec.Lease4.Expires <= now {
		rec.Lease4 = nil
	}
	if rec.Lease6 != nil && rec.Lease6.Expires <= now {
		rec.Lease6 = nil
	}
	i.four = NewClient4(l.MAC, hostname, rec.Lease4, random)
	i.six = NewClient6(l.MAC, rec.Lease6, random)
	return i
}

func (i *iface) next() Moment {
	return min(i.four.Next(), i.six.Next(), i.learned.Next())
}

func (i *iface) desired() Desired {
	d := desired(i.four.Lease(), i.six.Lease())
	if d.MTU == 0 {
		d.MTU = i.own
	}
	return d
}

func (i *iface) record() Record {
	return Record{
		MAC: i.link.MAC.String(), OwnMTU: i.own, Applied: i.applied,
		Lease4: i.four.Lease(), Lease6: i.six.Lease(), Learned: i.learned,
	}
}

// online: an address that others can reach, and a way to them.
func (i *iface) online() bool {
	if !i.link.Carrier {
		return false
	}
	if l := i.four.Lease(); l != nil && len(i.applied.Routes) > 0 {
		return true
	}
	return len(i.global) > 0 && len(i.gateways) > 0
}

// names are the DNS servers of the interface; IPv4's first, as they are known
// first and are the ones people look at.
func (i *iface) names() Names {
	var n Names
	if l := i.four.Lease(); l != nil {
		n.Servers, n.Search = append(n.Servers, l.DNS...), append(n.Search, l.Search...)
	}
	for _, s := range i.learned.Servers {
		n.Servers = append(n.Servers, i.zoned(s.Value))
	}
	for _, s := range i.learned.Search {
		n.Search = append(n.Search, s.Value)
	}
	if l := i.six.Lease(); l != nil {
		for _, s := range l.DNS {
			n.Servers = append(n.Servers, i.zoned(s))
		}
		n.Search = append(n.Search, l.Search...)
	}
	return n
}

// zoned adds the interface to an address that means nothing without it.
func (i *iface) zoned(a netip.Addr) netip.Addr {
	if a.IsLinkLocalUnicast() {
		return a.WithZone(i.link.Name)
	}
	return a
}

func (i *iface) ntp() []netip.Addr {
	var out []netip.Addr
	if l := i.four.Lease(); l != nil {
		out = append(out, l.NTP...)
	}
	if l := i.six.Lease(); l != nil {
		out = append(out, l.NTP...)
	}
	return out
}

func (i *iface) status(now Moment) string {
	switch {
	case i.problem != "":
		return i.link.Name + ": " + i.problem
	case !i.link.Up:
		return i.link.Name + ": switched off"
	case !i.link.Carrier:
		return i.link.Name + ": no carrier"
	}
	parts := []string{i.four.Status(now)}
	for _, p := range i.global {
		parts = append(parts, p.String())
	}
	for _, p := range i.taken {
		parts = append(parts, p.Addr().String()+" is taken by another host")
	}
	if text := i.six.Status(now); text != "" {
		parts = append(parts, text)
	}
	return i.link.Name + ": " + strings.Join(parts, ", ")
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
