package netconf

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

func ack4(t *testing.T, with ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	t.Helper()
	base := []dhcpv4.Modifier{
		dhcpv4.WithMessageType(dhcpv4.MessageTypeAck), dhcpv4.WithYourIP(hostIP),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(serverIP)),
	}
	m, err := dhcpv4.New(append(base, with...)...)
	if err != nil {
		t.Fatal(err)
	}
	m.OpCode = dhcpv4.OpcodeBootReply
	return m
}

func TestALeaseIsReadFromAnAcknowledgement(t *testing.T) {
	subnet := func(s string) *net.IPNet {
		_, n, err := net.ParseCIDR(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, tt := range []struct {
		name  string
		with  []dhcpv4.Modifier
		check func(Lease4) bool
	}{
		{"without a mask the address class counts", nil, func(l Lease4) bool { return l.Address.String() == "10.0.2.15/8" }},
		{"the mask is taken", []dhcpv4.Modifier{dhcpv4.WithNetmask(net.CIDRMask(26, 32))},
			func(l Lease4) bool { return l.Address.String() == "10.0.2.15/26" }},
		{"without a lease time it is an hour", nil, func(l Lease4) bool { return l.Expires == at(3600) && l.Renew == at(1800) }},
		{"times of the server are taken", []dhcpv4.Modifier{dhcpv4.WithLeaseTime(100),
			dhcpv4.WithOption(dhcpv4.Option{Code: dhcpv4.OptionRenewTimeValue, Value: dhcpv4.Duration(10 * time.Second)}),
			dhcpv4.WithOption(dhcpv4.Option{Code: dhcpv4.OptionRebindingTimeValue, Value: dhcpv4.Duration(20 * time.Second)})},
			func(l Lease4) bool { return l.Renew == at(10) && l.Rebind == at(20) && l.Expires == at(100) }},
		{"times in the wrong order are not", []dhcpv4.Modifier{dhcpv4.WithLeaseTime(800),
			dhcpv4.WithOption(dhcpv4.Option{Code: dhcpv4.OptionRenewTimeValue, Value: dhcpv4.Duration(900 * time.Second)})},
			func(l Lease4) bool { return l.Renew == at(400) && l.Rebind == at(700) }},
		{"the first router is the gateway", []dhcpv4.Modifier{dhcpv4.WithOption(dhcpv4.OptRouter(serverIP, otherIP))},
			func(l Lease4) bool { return len(l.Routes) == 1 && l.Gateway().String() == "10.0.2.2" }},
		{"classless routes replace routers", []dhcpv4.Modifier{
			dhcpv4.WithOption(dhcpv4.OptRouter(serverIP)),
			dhcpv4.WithOption(dhcpv4.OptClasslessStaticRoute(
				&dhcpv4.Route{Dest: subnet("0.0.0.0/0"), Router: otherIP},
				&dhcpv4.Route{Dest: subnet("172.16.0.0/12"), Router: net.IPv4zero},
			))},
			func(l Lease4) bool {
				return l.Gateway().String() == "10.0.2.3" && len(l.Routes) == 2 && !l.Routes[1].Gateway.IsValid()
			}},
		{"the search list comes before the domain", []dhcpv4.Modifier{
			dhcpv4.WithOption(dhcpv4.OptDomainName("one.example")), dhcpv4.WithDomainSearchList("two.example", "three.example")},
			func(l Lease4) bool { return slices.Equal(l.Search, []string{"two.example", "three.example"}) }},
		{"a domain that would break resolv.conf is left out", []dhcpv4.Modifier{dhcpv4.WithOption(dhcpv4.OptDomainName("a\nnameserver 1.2.3.4"))},
			func(l Lease4) bool { return l.Search == nil }},
		{"DNS servers that are no hosts are left out", []dhcpv4.Modifier{dhcpv4.WithOption(dhcpv4.OptDNS(net.IPv4zero, serverIP, serverIP, net.IPv4bcast))},
			func(l Lease4) bool { return slices.Equal(l.DNS, []netip.Addr{netip.MustParseAddr("10.0.2.2")}) }},
		{"an MTU is taken", []dhcpv4.Modifier{dhcpv4.WithGeneric(dhcpv4.OptionInterfaceMTU, []byte{0x23, 0x28})}, func(l Lease4) bool { return l.MTU == 9000 }},
		{"an MTU that would turn IPv6 off is not", []dhcpv4.Modifier{dhcpv4.WithGeneric(dhcpv4.OptionInterfaceMTU, []byte{2, 64})}, func(l Lease4) bool { return l.MTU == 0 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := lease4(ack4(t, tt.with...), 0)
			if err != nil {
				t.Fatal(err)
			}
			if !tt.check(l) {
				t.Errorf("got %+v", l)
			}
		})
	}
}

func FuzzLease4(f *testing.F) {
	m, err := dhcpv4.New(dhcpv4.WithYourIP(hostIP), dhcpv4.WithOption(dhcpv4.OptServerIdentifier(serverIP)),
		dhcpv4.WithDomainSearchList("a.example"), dhcpv4.WithLeaseTime(60))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(m.ToBytes())
	m.UpdateOption(dhcpv4.OptIPAddressLeaseTime(0xfffffffe * time.Second))
	f.Add(m.ToBytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := dhcpv4.FromBytes(b)
		if err != nil {
			return
		}
		l, err := lease4(m, 0)
		if err != nil {
			return
		}
		if !l.Address.IsValid() || l.Renew > l.Rebind || l.Rebind > l.Expires || l.Expires <= 0 {
			t.Errorf("a lease that makes no sense: %+v", l)
		}
		for _, s := range l.Search {
			if !validDomain(s) {
				t.Errorf("domain %q", s)
			}
		}
		for _, r := range routesOf(&l) {
			if !r.To.IsValid() {
				t.Errorf("route %+v", r)
			}
		}
	})
}
