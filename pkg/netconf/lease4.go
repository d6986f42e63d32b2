package netconf

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Route is one way out of an interface. Without a Gateway the destination is
// on the link itself.
type Route struct {
	To      netip.Prefix `json:"to"`
	Gateway netip.Addr   `json:"gateway"`
}

// Lease4 is what a DHCPv4 server granted.
type Lease4 struct {
	Address  netip.Prefix `json:"address"`
	Server   netip.Addr   `json:"server"`
	Routes   []Route      `json:"routes,omitempty"`
	DNS      []netip.Addr `json:"dns,omitempty"`
	Search   []string     `json:"search,omitempty"`
	NTP      []netip.Addr `json:"ntp,omitempty"`
	MTU      int          `json:"mtu,omitempty"`
	Hostname string       `json:"hostname,omitempty"`

	Renew   Moment `json:"renew"`   // T1
	Rebind  Moment `json:"rebind"`  // T2
	Expires Moment `json:"expires"` // Never for an infinite lease
}

// Gateway is the first default gateway, or the zero address.
func (l Lease4) Gateway() netip.Addr {
	for _, r := range l.Routes {
		if r.To.Bits() == 0 && r.Gateway.IsValid() {
			return r.Gateway
		}
	}
	return netip.Addr{}
}

const (
	defaultLease  = time.Hour // when a server names no lease time
	infiniteLease = 0xffffffff * time.Second
	// smallestMTU is IPv6's: a smaller one would turn IPv6 off on the
	// interface, and comes from a wrong setting far more often than from a link.
	smallestMTU = 1280
)

// lease4 reads an acknowledgement. The lease runs from the moment the request
// was sent (RFC 2131, 4.4.5).
func lease4(ack *dhcpv4.DHCPv4, sent Moment) (Lease4, error) {
	addr, ok := address4(ack.YourIPAddr)
	if !ok {
		return Lease4{}, fmt.Errorf("the server offers %v, which is no host address", ack.YourIPAddr)
	}
	server, ok := address4(ack.ServerIdentifier())
	if !ok {
		return Lease4{}, errors.New("the server does not identify itself")
	}
	l := Lease4{
		Address:  netip.PrefixFrom(addr, prefixLength(ack.SubnetMask(), addr)),
		Server:   server,
		DNS:      addresses4(ack.DNS()),
		NTP:      addresses4(ack.NTPServers()),
		Search:   search4(ack),
		MTU:      mtu4(ack),
		Hostname: hostname4(ack),
	}
	l.Routes = routes4(ack)
	l.times(ack, sent)
	return l, nil
}

// times sets T1, T2 and the end, with RFC 2131's defaults (1/2 and 7/8) where
// the server says nothing or nonsense.
func (l *Lease4) times(ack *dhcpv4.DHCPv4, sent Moment) {
	length := ack.IPAddressLeaseTime(defaultLease)
	if length >= infiniteLease {
		l.Renew, l.Rebind, l.Expires = Never, Never, Never
		return
	}
	length = max(length, 2*time.Second)
	t1 := ack.IPAddressRenewalTime(length / 2)
	late := length - length/8 // seven times 136 years would overflow
	t2 := ack.IPAddressRebindingTime(late)
	if t1 <= 0 || t1 >= t2 || t2 >= length {
		t1, t2 = length/2, late
	}
	l.Renew, l.Rebind, l.Expires = sent.Add(t1), sent.Add(t2), sent.Add(length)
}

// routes4 prefers classless routes; when they are there, routers must be
// ignored (RFC 3442).
func routes4(ack *dhcpv4.DHCPv4) []Route {
	var routes []Route
	for _, r := range ack.ClasslessStaticRoute() {
		if r.Dest == nil {
			continue
		}
		base, ok := netip.AddrFromSlice(r.Dest.IP.To4())
		bits, size := r.Dest.Mask.Size()
		if !ok || size != 32 {
			continue
		}
		gateway, _ := address4(r.Router) // 0.0.0.0 is "on this link"
		routes = append(routes, Route{To: netip.PrefixFrom(base, bits).Masked(), Gateway: gateway})
	}
	if len(routes) > 0 {
		return routes
	}
	for _, gateway := range addresses4(ack.Router()) {
		return []Route{{To: netip.PrefixFrom(netip.IPv4Unspecified(), 0), Gateway: gateway}}
	}
	return nil
}

func prefixLength(mask net.IPMask, addr netip.Addr) int {
	if bits, size := mask.Size(); size == 32 && bits > 0 {
		return bits
	}
	bits, _ := net.IP(addr.AsSlice()).DefaultMask().Size()
	return bits
}

func mtu4(ack *dhcpv4.DHCPv4) int {
	value := ack.Options.Get(dhcpv4.OptionInterfaceMTU)
	if len(value) != 2 {
		return 0
	}
	if mtu := int(value[0])<<8 | int(value[1]); mtu >= smallestMTU {
		return mtu
	}
	return 0
}

// search4 prefers the search list (option 119) to the one domain name.
func search4(ack *dhcpv4.DHCPv4) []string {
	var names []string
	if labels := ack.DomainSearch(); labels != nil {
		names = labels.Labels
	}
	if len(names) == 0 {
		names = []string{ack.DomainName()}
	}
	return domains(names)
}

func hostname4(ack *dhcpv4.DHCPv4) string {
	if name := ack.HostName(); validDomain(name) {
		return name
	}
	return ""
}

// address4 accepts what a host on a network can have as its address.
func address4(ip net.IP) (netip.Addr, bool) {
	addr, ok := netip.AddrFromSlice(ip.To4())
	if !ok || addr.IsUnspecified() || addr.IsMulticast() || addr.IsLoopback() || addr == broadcast4 {
		return netip.Addr{}, false
	}
	return addr, true
}

func addresses4(ips []net.IP) []netip.Addr {
	var out []netip.Addr
	for _, ip := range ips {
		if addr, ok := address4(ip); ok && !slices.Contains(out, addr) {
			out = append(out, addr)
		}
	}
	return out
}
