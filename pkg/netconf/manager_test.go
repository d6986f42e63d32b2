package netconf

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// eth0 sets the state of the first card and gives the event that tells of it.
func eth0(f *fake, up, carrier bool) LinkSeen {
	l := f.link(2)
	if l == nil {
		f.state.Links = append(f.state.Links, Link{Index: 2, Name: "eth0", MAC: testMAC, MTU: 1500, Physical: true, Ethernet: true})
		f.index = max(f.index, 2)
		l = f.link(2)
	}
	l.Up, l.Carrier = up, carrier
	return LinkSeen{*l}
}

// lease lets the server answer what eth0 asked.
func lease(m *Manager, with ...dhcpv4.Modifier) {
	c := m.ifaces[2].four
	if c.State() == Selecting4 {
		m.Handle(Packet4{Index: 2, Message: answer4(c, dhcpv4.MessageTypeOffer, with...).Message})
	}
	m.Handle(Packet4{Index: 2, Message: answer4(c, dhcpv4.MessageTypeAck, with...).Message})
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

const (
	added = "add address 10.0.2.15/24 to eth0; add route 10.0.2.0/24 metric 1026 on eth0; add route default via 10.0.2.2 metric 1026 on eth0"
	taken = "remove route 10.0.2.0/24 metric 1026 on eth0; remove route default via 10.0.2.2 metric 1026 on eth0; remove address 10.0.2.15/24 from eth0"
)

func TestWithoutAnInterfaceTheServiceSaysSoAndIsNotOnline(t *testing.T) {
	m, f := newManager()
	f.state.Links = []Link{{Index: 1, Name: "docker0", Kind: "bridge", MAC: testMAC, Ethernet: true, Up: true}}
	m.Handle(LinkSeen{f.state.Links[0]})
	m.Handle(Synced{})
	expect(t, "status", f.status, "no network interface")
	expect(t, "what was done", f.since(), "")
	if f.ready || m.Next() != at(60) {
		t.Errorf("ready %v, next %v: want waiting to end after a minute", f.ready, m.Next())
	}
	f.now = at(60)
	m.Tick()
	expect(t, "status", f.status, "not online after 1m0s: no network interface is there")
	if !f.ready || f.picture.Online || m.Next() != Never {
		t.Errorf("ready %v, online %v, next %v", f.ready, f.picture.Online, m.Next())
	}
}

func TestAnInterfaceIsSwitchedOnAskedForAndConfigured(t *testing.T) {
	m, f := newManager()
	m.Handle(eth0(f, false, false))
	m.Handle(Synced{})
	expect(t, "first sight", f.since(), "adopt eth0; switch on eth0; send DISCOVER on 2")
	m.Handle(eth0(f, true, false))
	expect(t, "status", f.status, "eth0: no carrier")
	f.since()
	m.Handle(eth0(f, true, true))
	expect(t, "carrier", f.since(), "send DISCOVER on 2")
	if f.ready {
		t.Error("online without an address")
	}
	lease(m, dhcpv4.WithGeneric(dhcpv4.OptionInterfaceMTU, []byte{0x05, 0xdc - 40}), dhcpv4.WithOption(dhcpv4.OptDNS(otherIP)))
	expect(t, "lease", f.since(), "send REQUEST on 2; set MTU 1460 of eth0; "+added)
	expect(t, "status", f.status, "eth0: 10.0.2.15/24 from DHCP, gateway 10.0.2.2")
	if !f.ready || !strings.Contains(f.resolv, "nameserver 10.0.2.3\n") {
		t.Errorf("ready %v, resolv.conf %q", f.ready, f.resolv)
	}
	f.now = at(1000)
	m.Tick()
	expect(t, "the end of the lease takes the MTU back, too", f.since(), "send DISCOVER on 2; "+taken+"; set MTU 1500 of eth0")
}

func TestOldNewsOfCarrierIsNoNewsAndAFlapThatNobodySawIsOne(t *testing.T) {
	m, f := newManager()
	e := eth0(f, true, true)
	f.link(2).Changes = 5
	m.Handle(LinkSeen{*f.link(2)})
	lease(m)
	f.since()
	e.Carrier, e.Changes = false, 4
	m.Handle(e)
	expect(t, "a message from before", f.since(), "")
	f.link(2).Changes = 7
	m.Handle(LinkSeen{*f.link(2)})
	expect(t, "gone and back", f.since(), "send REQUEST on 2")
}

func TestAnInterfaceSwitchedOffByHandStaysOff(t *testing.T) {
	m, f := newManager()
	m.Handle(eth0(f, true, true))
	m.Handle(Synced{})
	f.since()
	m.Handle(eth0(f, false, false))
	expect(t, "status", f.status, "eth0: switched off")
	expect(t, "actions", f.since(), "")
	m.Handle(eth0(f, true, true))
	expect(t, "switched on again", f.since(), "send DISCOVER on 2")
}

func TestARestartChangesNothingAndWhatRanOutMeanwhileIsRemoved(t *testing.T) {
	run := func() *fake {
		m, f := newManager()
		m.Handle(eth0(f, true, true))
		lease(m)
		if got := f.since(); !strings.Contains(got, added) {
			t.Fatal(got)
		}
		return f
	}
	f := run()
	f.now = at(1)
	restarted(f).Handle(eth0(f, true, true))
	expect(t, "restart within the lease", f.since(), "adopt eth0; send REQUEST on 2")

	f = run()
	f.now = at(2000)
	restarted(f).Handle(eth0(f, true, true))
	expect(t, "restart after the lease", f.since(), "adopt eth0; send DISCOVER on 2; "+taken)

	f = run()
	other := net.HardwareAddr{2, 2, 2, 2, 2, 9}
	f.link(2).MAC = other
	restarted(f).Handle(eth0(f, true, true))
	expect(t, "another card at the same place", f.since(), "adopt eth0; send DISCOVER on 2; "+taken)
}

func TestAnInterfaceThatJoinsABridgeIsLeftAndOneUnpluggedForgotten(t *testing.T) {
	m, f := newManager()
	m.Handle(eth0(f, true, true))
	lease(m)
	f.since()
	f.state.Links = append(f.state.Links, Link{Index: 9, Name: "br0", Kind: "bridge"})
	f.link(2).Master = 9
	m.Handle(eth0(f, true, true))
	expect(t, "bridged by someone else", f.since(), "release 2; "+taken)
	f.link(2).Master = 0
	m.Handle(eth0(f, true, true))
	f.since()
	_ = f.delete(2)
	m.Handle(LinkGone{Index: 2})
	m.Handle(Synced{})
	expect(t, "unplugged", f.since(), "release 2")
	expect(t, "status", f.status, "no network interface")
	if len(f.records) != 0 {
		t.Error("a record is left")
	}
}

func TestIPv6AloneMakesTheMachineOnlineWhenAddressAndRouterAreThere(t *testing.T) {
	m, f := newManager()
	m.Handle(eth0(f, true, true))
	m.Handle(Synced{})
	m.Handle(Address6Seen{Index: 2, Prefix: netip.MustParsePrefix("2001:db8::5/64")})
	if f.ready {
		t.Error("online without a router")
	}
	expect(t, "why", f.picture.Why, "no interface has a way out (eth0: asking for an address by DHCP, 2001:db8::5/64)")
	m.Handle(Gateway6Seen{Index: 2, Gateway: netip.MustParseAddr("fe80::1")})
	if !f.ready || !f.picture.Online {
		t.Error("not online")
	}
	expect(t, "status", f.status, "eth0: asking for an address by DHCP, 2001:db8::5/64")
}

func TestRouterFlagsStartDHCPv6AndAgainAfterCarrierLoss(t *testing.T) {
	m, f := newManager()
	m.Handle(eth0(f, true, true))
	f.since()
	m.Handle(RouterFlags{Index: 2, Other: true})
	expect(t, "O flag, but no address to ask from", f.since(), "")
	m.Handle(Local6Seen{Index: 2})
	expect(t, "an address to ask from", f.since(), "send INFORMATION-REQUEST on 2")
	m.Handle(RouterFlags{Index: 2, Other: true})
	expect(t, "the same again", f.since(), "")
	m.Handle(eth0(f, true, false))
	m.Handle(eth0(f, true, true))
	expect(t, "carrier returns", f.since(), "send DISCOVER on 2; send INFORMATION-REQUEST on 2")
	m.Handle(Local6Seen{Index: 2, Gone: true}) // the kernel checks it again
	m.Handle(Local6Seen{Index: 2})
	expect(t, "the address is checked", f.since(), "send INFORMATION-REQUEST on 2")
}

func TestAnAddressThatAnotherHostHasIsInTheStatusUntilItIsFree(t *testing.T) {
	m, f := newManager()
	m.Handle(eth0(f, true, true))
	m.Handle(Synced{})
	own := Address6Seen{Index: 2, Prefix: netip.MustParsePrefix("2001:db8::5/64"), Gone: true, Taken: true}
	m.Handle(own)
	expect(t, "taken", f.status, "eth0: asking for an address by DHCP, 2001:db8::5 is taken by another host")
	own.Gone, own.Taken = false, false
	m.Handle(own)
	expect(t, "free", f.status, "eth0: asking for an address by DHCP, 2001:db8::5/64")
}

func TestALeasedIPv4AddressThatAnotherHostHasIsDeclined(t *testing.T) {
	m, f := newManager()
	m.Handle(eth0(f, true, true))
	m.Handle(Synced{})
	lease(m)
	if got := f.watched[2]; len(got) != 1 || got[0] != netip.MustParseAddr("10.0.2.15") {
		t.Fatalf("watched: %v", got)
	}
	f.since()
	own := ARPSeen{Index: 2, MAC: testMAC, Sender: netip.MustParseAddr("10.0.2.15")}
	m.Handle(own)
	expect(t, "our own packet", f.since(), "")
	own.MAC = net.HardwareAddr{2, 9, 9, 9, 9, 9}
	m.Handle(own)
	expect(t, "another host's", f.since(), "send DECLINE on 2; "+taken)
	expect(t, "status", f.status, "eth0: 10.0.2.15 is taken by another host (02:09:09:09:09:09), retrying in 10 s")
	f.now = at(10)
	m.Tick()
	expect(t, "ten seconds later", f.since(), "send DISCOVER on 2")
}

func TestALinkLocalDNSServerIsWrittenWithItsInterfaceAndForgottenInTime(t *testing.T) {
	m, f := newManager()
	m.Handle(eth0(f, true, true))
	m.Handle(Synced{})
	m.Handle(RouterSaid{Index: 2, DNS: []RouterDNS{{Servers: []netip.Addr{netip.MustParseAddr("fe80::53")}, Lifetime: 5 * time.Second}}})
	if !strings.Contains(f.resolv, "nameserver fe80::53%eth0\n") {
		t.Errorf("resolv.conf: %q", f.resolv)
	}
	f.now = at(5)
	m.Tick()
	if strings.Contains(f.resolv, "nameserver") {
		t.Errorf("resolv.conf: %q", f.resolv)
	}
}

func TestWhatTheKernelRefusesIsInTheStatusAndTriedAgain(t *testing.T) {
	m, f := newManager()
	m.Handle(eth0(f, true, true))
	m.Handle(Synced{})
	f.refuse = func(a Action) error {
		if _, ok := a.(AddAddress); ok {
			return errors.New("permission denied")
		}
		return nil
	}
	lease(m)
	expect(t, "status", f.status, "eth0: add address 10.0.2.15/24 to eth0: permission denied")
	f.refuse = nil
	f.since()
	f.now = at(1)
	m.Tick()
	if got := f.since(); !strings.HasPrefix(got, "add address 10.0.2.15/24 to eth0") {
		t.Errorf("a second later: %q", got)
	}
}
