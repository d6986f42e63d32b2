package netconf

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv6"
)

// fake is a machine that does what it is told and remembers it.
type fake struct {
	now     Moment
	records map[int]Record
	did     []string
	refuse  error // by Apply
	resolv  string
	status  string
	online  bool
}

func (f *fake) note(format string, args ...any) { f.did = append(f.did, fmt.Sprintf(format, args...)) }

// since gives what was done since the last call.
func (f *fake) since() string {
	out := strings.Join(f.did, "; ")
	f.did = nil
	return out
}

func (f *fake) Now() Moment              { return f.now }
func (f *fake) Adopt(l Link) error       { f.note("adopt %s", l.Name); return nil }
func (f *fake) Release(index int)        { f.note("release %d", index) }
func (f *fake) SwitchOn(index int) error { f.note("switch on %d", index); return nil }
func (f *fake) Send4(index int, m *dhcpv4.DHCPv4, _ netip.Addr) error {
	f.note("send %s on %d", m.MessageType(), index)
	return nil
}
func (f *fake) Send6(index int, m *dhcpv6.Message) error {
	f.note("send %s on %d", m.MessageType, index)
	return nil
}
func (f *fake) SolicitRouters(int) error { return nil }
func (f *fake) Apply(index int, want, stale Desired) error {
	var texts []string
	for _, a := range want.Addresses {
		texts = append(texts, "+"+a.Prefix.String())
	}
	for _, a := range stale.Addresses {
		texts = append(texts, "-"+a.Prefix.String())
	}
	f.note("apply %d mtu %d %s", index, want.MTU, strings.Join(texts, " "))
	return f.refuse
}
func (f *fake) Load(index int) (Record, bool) { r, ok := f.records[index]; return r, ok }
func (f *fake) Save(index int, r Record) error {
	f.records[index] = r
	return nil
}
func (f *fake) Discard(index int) { delete(f.records, index) }
func (f *fake) Publish(resolv, _ string) error {
	f.resolv = resolv
	return nil
}
func (f *fake) Report(status string, online bool) { f.status, f.online = status, online }

func newManager() (*Manager, *fake) {
	f := &fake{records: map[int]Record{}}
	return &Manager{System: f, Hostname: "box", Random: middle, Log: func(string, ...any) {}}, f
}

func eth0(up, carrier bool) LinkSeen {
	return LinkSeen{Link{Index: 2, Name: "eth0", MAC: testMAC, MTU: 1500, Up: up, Carrier: carrier, Managed: true}}
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

func TestWithoutAnInterfaceTheServiceSaysSoAndIsNotOnline(t *testing.T) {
	m, f := newManager()
	m.Handle(LinkSeen{Link{Index: 1, Name: "docker0"}})
	m.Handle(Synced{})
	expect(t, "status", f.status, "no network interface")
	if f.online || m.Next() != Never {
		t.Error("online, or something is due")
	}
}

func TestAnInterfaceIsSwitchedOnAskedForAndConfigured(t *testing.T) {
	m, f := newManager()
	m.Handle(eth0(false, false))
	m.Handle(Synced{})
	expect(t, "first sight", f.since(), "adopt eth0; switch on 2")
	m.Handle(eth0(true, false))
	expect(t, "status", f.status, "eth0: no carrier")
	m.Handle(eth0(true, true))
	expect(t, "carrier", f.since(), "send DISCOVER on 2")
	if f.online {
		t.Error("online without an address")
	}
	lease(m, dhcpv4.WithGeneric(dhcpv4.OptionInterfaceMTU, []byte{0x05, 0xdc - 40}), dhcpv4.WithOption(dhcpv4.OptDNS(otherIP)))
	expect(t, "lease", f.since(), "send REQUEST on 2; apply 2 mtu 1460 +10.0.2.15/24")
	expect(t, "status", f.status, "eth0: 10.0.2.15/24 from DHCP, gateway 10.0.2.2")
	if !f.online || !strings.Contains(f.resolv, "nameserver 10.0.2.3\n") {
		t.Errorf("online %v, resolv.conf %q", f.online, f.resolv)
	}
	f.now = at(1000)
	m.Tick()
	expect(t, "the end of the lease takes the MTU back, too", f.since(), "apply 2 mtu 1500 -10.0.2.15/24; send DISCOVER on 2")
}

func TestAnInterfaceSwitchedOffByHandStaysOff(t *testing.T) {
	m, f := newManager()
	m.Handle(eth0(true, true))
	m.Handle(Synced{})
	f.since()
	m.Handle(eth0(false, false))
	expect(t, "status", f.status, "eth0: switched off")
	expect(t, "actions", f.since(), "")
}

func TestARestartPutsTheSameInForceAndWhatRanOutMeanwhileIsRemoved(t *testing.T) {
	m, f := newManager()
	m.Handle(eth0(true, true))
	lease(m)
	before := f.since()
	if !strings.Contains(before, "+10.0.2.15/24") {
		t.Fatal(before)
	}
	records := f.records

	m, f = newManager()
	f.records, f.now = records, at(10)
	m.Handle(eth0(true, true))
	expect(t, "restart within the lease", f.since(), "adopt eth0; apply 2 mtu 1500 +10.0.2.15/24; send REQUEST on 2")

	m, f = newManager()
	f.records, f.now = records, at(2000)
	m.Handle(eth0(true, true))
	expect(t, "restart after the lease", f.since(), "adopt eth0; send DISCOVER on 2; apply 2 mtu 1500 -10.0.2.15/24")

	m, f = newManager()
	f.records, f.now = records, at(10)
	other := eth0(true, true)
	other.MAC = append(other.MAC[:5:5], 9)
	m.Handle(other)
	expect(t, "another card at the same place", f.since(), "adopt eth0; send DISCOVER on 2")
}

func TestAnInterfaceThatJoinsABridgeIsLeftAndOneUnpluggedForgotten(t *testing.T) {
	m, f := newManager()
	m.Handle(eth0(true, true))
	lease(m)
	f.since()
	bridged := eth0(true, true)
	bridged.Managed = false
	m.Handle(bridged)
	expect(t, "bridged", f.since(), "apply 2 mtu 1500 -10.0.2.15/24; release 2")
	m.Handle(eth0(true, true))
	f.since()
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
	m.Handle(eth0(true, true))
	m.Handle(Synced{})
	m.Handle(Address6Seen{Index: 2, Prefix: netip.MustParsePrefix("2001:db8::5/64")})
	if f.online {
		t.Error("online without a router")
	}
	m.Handle(Gateway6Seen{Index: 2, Gateway: netip.MustParseAddr("fe80::1")})
	if !f.online {
		t.Error("not online")
	}
	expect(t, "status", f.status, "eth0: asking for an address by DHCP, 2001:db8::5/64")
}

func TestRouterFlagsStartDHCPv6AndAgainAfterCarrierLoss(t *testing.T) {
	m, f := newManager()
	m.Handle(eth0(true, true))
	f.since()
	m.Handle(RouterFlags{Index: 2, Other: true})
	expect(t, "O flag, but no address to ask from", f.since(), "")
	m.Handle(Local6Seen{Index: 2})
	expect(t, "an address to ask from", f.since(), "send INFORMATION-REQUEST on 2")
	m.Handle(RouterFlags{Index: 2, Other: true})
	expect(t, "the same again", f.since(), "")
	m.Handle(eth0(true, false))
	m.Handle(eth0(true, true))
	expect(t, "carrier returns", f.since(), "send DISCOVER on 2; send INFORMATION-REQUEST on 2")
	m.Handle(Local6Seen{Index: 2, Gone: true}) // the kernel checks it again
	m.Handle(Local6Seen{Index: 2})
	expect(t, "the address is checked", f.since(), "send INFORMATION-REQUEST on 2")
}

func TestAnAddressThatAnotherHostHasIsInTheStatusUntilItIsFree(t *testing.T) {
	m, f := newManager()
	m.Handle(eth0(true, true))
	m.Handle(Synced{})
	own := Address6Seen{Index: 2, Prefix: netip.MustParsePrefix("2001:db8::5/64"), Gone: true, Taken: true}
	m.Handle(own)
	expect(t, "taken", f.status, "eth0: asking for an address by DHCP, 2001:db8::5 is taken by another host")
	own.Gone, own.Taken = false, false
	m.Handle(own)
	expect(t, "free", f.status, "eth0: asking for an address by DHCP, 2001:db8::5/64")
}

func TestALinkLocalDNSServerIsWrittenWithItsInterfaceAndForgottenInTime(t *testing.T) {
	m, f := newManager()
	m.Handle(eth0(true, true))
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

func TestWhatTheKernelRefusesIsInTheStatus(t *testing.T) {
	m, f := newManager()
	m.Handle(eth0(true, true))
	m.Handle(Synced{})
	f.refuse = errors.New("add address: permission denied")
	lease(m)
	expect(t, "status", f.status, "eth0: add address: permission denied")
}
