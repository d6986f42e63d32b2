package netconf

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
)

func answer6(c *Client6, t dhcpv6.MessageType, with ...dhcpv6.Modifier) Received6 {
	m := &dhcpv6.Message{MessageType: t, TransactionID: c.xid}
	m.AddOption(dhcpv6.OptClientID(c.duid()))
	m.AddOption(dhcpv6.OptServerID(&dhcpv6.DUIDLL{HWType: 1, LinkLayerAddr: net.HardwareAddr{2, 0, 0, 0, 0, 1}}))
	m.AddOption(dhcpv6.OptDNS(net.ParseIP("2001:db8::53")))
	for _, w := range with {
		w(m)
	}
	return Received6{Message: m}
}

// withAddress grants 2001:db8::50, preferred for 100 s and valid for 200 s.
func withAddress(c *Client6) dhcpv6.Modifier {
	return func(m dhcpv6.DHCPv6) {
		ia := &dhcpv6.OptIANA{IaId: c.iaid()}
		ia.Options.Add(&dhcpv6.OptIAAddress{IPv6Addr: net.ParseIP("2001:db8::50"), PreferredLifetime: 100 * time.Second, ValidLifetime: 200 * time.Second})
		m.AddOption(ia)
	}
}

func withStatus(c *Client6) dhcpv6.Modifier {
	return func(m dhcpv6.DHCPv6) {
		ia := &dhcpv6.OptIANA{IaId: c.iaid()}
		ia.Options.Add(&dhcpv6.OptStatusCode{StatusCode: 3}) // NoBinding
		m.AddOption(ia)
	}
}

func names6(actions []Action6) string {
	out := ""
	for _, a := range actions {
		switch a := a.(type) {
		case Send6:
			out += "[" + a.Message.MessageType.String() + "]"
		case Use6:
			out += "[use"
			for _, addr := range a.Lease.Addresses {
				out += " " + addr.Address.String()
			}
			out += "]"
		case Drop6:
			out += "[drop]"
		}
	}
	return out
}

func TestTheLifeOfAnIPv6Lease(t *testing.T) {
	type step struct {
		at      float64
		event   func(*Client6) Event6
		actions string
		state   State6
	}
	wants := func(m Mode6) func(*Client6) Event6 { return func(*Client6) Event6 { return Router6{Mode: m} } }
	tick := func(*Client6) Event6 { return Tick6{} }
	grants := func(t dhcpv6.MessageType) func(*Client6) Event6 {
		return func(c *Client6) Event6 { return answer6(c, t, withAddress(c)) }
	}
	plain := func(c *Client6) Event6 { return answer6(c, dhcpv6.MessageTypeReply) }
	refuses := func(c *Client6) Event6 { return answer6(c, dhcpv6.MessageTypeReply, withStatus(c)) }
	taken := func(addr string) func(*Client6) Event6 {
		return func(*Client6) Event6 { return Taken6{Address: netip.MustParseAddr(addr)} }
	}
	bound := []step{
		{0, wants(Stateful6), "[SOLICIT]", Soliciting6},
		{1, grants(dhcpv6.MessageTypeAdvertise), "[REQUEST]", Requesting6},
		{1, grants(dhcpv6.MessageTypeReply), "[use 2001:db8::50]", Bound6},
	}
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"no flag: nothing is asked", []step{{0, wants(None6), "", Idle6}, {1000, tick, "", Idle6}}},
		{"O flag: information is asked for until it comes, and again after a day", []step{
			{0, wants(Other6), "[INFORMATION-REQUEST]", Informing6}, {1, tick, "[INFORMATION-REQUEST]", Informing6},
			{2, plain, "[use]", Bound6}, {2 + 86400, tick, "[INFORMATION-REQUEST]", Informing6},
		}},
		{"M flag: solicit, request, bound, renewed at half of the preferred time", append(bound[:3:3],
			step{51, tick, "[RENEW]", Renewing6}, step{51, grants(dhcpv6.MessageTypeReply), "[use 2001:db8::50]", Bound6},
		)},
		{"no renewal: rebind at four fifths, anew when the address has run out", append(bound[:3:3],
			step{51, tick, "[RENEW]", Renewing6}, step{81, tick, "[REBIND]", Rebinding6}, step{201, tick, "[drop][SOLICIT]", Soliciting6},
		)},
		{"a server that no longer knows the address: it goes at once", append(bound[:3:3],
			step{51, tick, "[RENEW]", Renewing6}, step{52, refuses, "[drop][SOLICIT]", Soliciting6},
		)},
		{"carrier returns: any server may confirm the address", append(bound[:3:3],
			step{20, wants(None6), "", Idle6}, step{30, wants(Stateful6), "[REBIND]", Rebinding6},
			step{30, grants(dhcpv6.MessageTypeReply), "[use 2001:db8::50]", Bound6},
		)},
		{"an advertisement without an address is not taken", []step{
			{0, wants(Stateful6), "[SOLICIT]", Soliciting6},
			{1, func(c *Client6) Event6 { return answer6(c, dhcpv6.MessageTypeAdvertise, withStatus(c)) }, "", Soliciting6},
		}},
		{"another host has the address: it is given back, and another asked for after a pause that grows", append(bound[:3:3],
			step{3, taken("2001:db8::50"), "[DECLINE][drop]", Soliciting6},
			step{3.9, tick, "", Soliciting6}, step{4, tick, "[SOLICIT]", Soliciting6},
			step{4, grants(dhcpv6.MessageTypeAdvertise), "[REQUEST]", Requesting6},
			step{4, grants(dhcpv6.MessageTypeReply), "[use 2001:db8::50]", Bound6},
			step{6, taken("2001:db8::50"), "[DECLINE][drop]", Soliciting6},
			step{7.9, tick, "", Soliciting6}, step{8, tick, "[SOLICIT]", Soliciting6},
		)},
		{"an address that is not leased is not given back", append(bound[:3:3], step{3, taken("2001:db8::51"), "", Bound6})},
		{"a router that takes its flags back ends the asking", []step{
			{0, wants(Stateful6), "[SOLICIT]", Soliciting6}, {1, wants(None6), "", Idle6}, {2, tick, "", Idle6},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := NewClient6(testMAC, nil, middle)
			for i, s := range tt.steps {
				if got := names6(c.Handle(at(s.at), s.event(c))); got != s.actions || c.State() != s.state {
					t.Fatalf("step %d: got %q, %s; want %q, %s", i, got, c.State(), s.actions, s.state)
				}
			}
		})
	}
}

func TestARenewalNamesServerAndAddress(t *testing.T) {
	c := NewClient6(testMAC, nil, middle)
	c.Handle(0, Router6{Mode: Stateful6})
	c.Handle(0, answer6(c, dhcpv6.MessageTypeAdvertise, withAddress(c)))
	c.Handle(0, answer6(c, dhcpv6.MessageTypeReply, withAddress(c)))
	actions := c.Handle(at(50), Tick6{})
	if len(actions) != 1 {
		t.Fatalf("got %s", names6(actions))
	}
	m := actions[0].(Send6).Message
	if m.Options.ServerID() == nil || m.Options.OneIANA().Options.OneAddress().IPv6Addr.String() != "2001:db8::50" {
		t.Errorf("%s", m.LongString(0))
	}
}

func FuzzLease6(f *testing.F) {
	c := NewClient6(testMAC, nil, middle)
	f.Add(answer6(c, dhcpv6.MessageTypeReply, withAddress(c)).Message.ToBytes())
	f.Add(answer6(c, dhcpv6.MessageTypeReply, func(m dhcpv6.DHCPv6) {
		ia := &dhcpv6.OptIANA{IaId: c.iaid()}
		ia.Options.Add(&dhcpv6.OptIAAddress{IPv6Addr: net.ParseIP("2001:db8::50"), PreferredLifetime: 0xfffffffe * time.Second, ValidLifetime: 0xfffffffe * time.Second})
		m.AddOption(ia)
	}).Message.ToBytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := dhcpv6.MessageFromBytes(b)
		if err != nil {
			return
		}
		l, err := lease6(m, c.iaid(), 0)
		if err != nil {
			return
		}
		if len(l.Addresses) == 0 || l.Renew > l.Rebind || !slices.ContainsFunc(l.Addresses, func(a Address6) bool { return a.Valid == l.Expires }) {
			t.Errorf("a lease that makes no sense: %+v", l)
		}
	})
}
