package netconf

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv6"
)

var otherMAC = net.HardwareAddr{2, 9, 9, 9, 9, 9}

func arps(list []SendARP) string {
	out := ""
	for _, a := range list {
		if a.Sender.IsUnspecified() {
			out += "probe "
		} else {
			out += "announce "
		}
	}
	return out
}

func TestAnAddressIsProbedThriceAndAnnouncedTwice(t *testing.T) {
	a := netip.MustParseAddr("192.0.2.5")
	var d Detector
	d.Watch(0, testMAC, []netip.Addr{a})
	var got []string
	for d.Next() != Never {
		now := d.Next()
		got = append(got, fmt.Sprintf("%v %s", time.Duration(now), arps(d.Tick(now))))
	}
	if want := []string{"0s probe ", "1s probe ", "2s probe ", "3s announce ", "5s announce ", "7s "}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestAConflictIsNewsOnceAndAnAddressInUseIsDefendedEveryTenSeconds(t *testing.T) {
	a := netip.MustParseAddr("192.0.2.5")
	var d Detector
	d.Watch(0, testMAC, []netip.Addr{a})
	own := []net.HardwareAddr{testMAC, {2, 8, 8, 8, 8, 8}}
	if c, _ := d.Heard(0, own[1], a, own); c != nil {
		t.Error("another card of this machine is taken for a conflict")
	}
	if c, _ := d.Heard(0, otherMAC, netip.MustParseAddr("192.0.2.6"), own); c != nil {
		t.Error("another address is taken for a conflict")
	}
	for d.Next() != Never {
		d.Tick(d.Next())
	}
	for _, step := range []struct {
		at   float64
		news bool
		send string
	}{{20, true, "announce "}, {21, false, ""}, {29, false, ""}, {30, false, "announce "}, {31, false, ""}} {
		c, send := d.Heard(at(step.at), otherMAC, a, own)
		if (c != nil) != step.news || arps(send) != step.send {
			t.Errorf("at %v: %v, %q", step.at, c, arps(send))
		}
	}
	if list := d.Taken(); len(list) != 1 || list[0].Address != a || !bytes.Equal(list[0].MAC, otherMAC) {
		t.Errorf("taken: %v", list)
	}
	d.Again(at(40))
	if len(d.Taken()) != 0 || d.Next() != at(40) {
		t.Error("on another network the address is not looked for anew")
	}
}

func TestADeclineNamesServerAndAddressAndNothingElse(t *testing.T) {
	c := NewClient4(testMAC, "box", nil, middle)
	c.Handle(0, Carrier4{On: true})
	c.Handle(0, answer4(c, dhcpv4.MessageTypeOffer))
	c.Handle(0, answer4(c, dhcpv4.MessageTypeAck))
	server := c.Lease().Server
	actions := c.Handle(at(1), Conflict4{MAC: otherMAC})
	if len(actions) != 2 || c.Lease() != nil || c.State() != Selecting4 || c.Next() != at(11) {
		t.Fatalf("%s, state %s, next %v", names4(actions), c.State(), time.Duration(c.Next()))
	}
	m := actions[0].(Send4).Message
	if m.MessageType() != dhcpv4.MessageTypeDecline || m.RequestedIPAddress().String() != "10.0.2.15" || m.ServerIdentifier().String() != server.String() || !m.ClientIPAddr.IsUnspecified() {
		t.Errorf("%s", m.Summary())
	}
	if m.HostName() != "" || len(m.ParameterRequestList()) != 0 || len(m.Options.Get(dhcpv4.OptionClientIdentifier)) == 0 {
		t.Errorf("options: %s", m.Summary())
	}
	if actions := c.Handle(at(2), Conflict4{MAC: otherMAC}); len(actions) != 0 {
		t.Error("declined twice")
	}
}

func TestTheClientIdentifierIsTheHardwareAddressOrMadeOfTheDUID(t *testing.T) {
	c := NewClient4(testMAC, "", nil, middle)
	if id := c.message(0, dhcpv4.MessageTypeDiscover).Options.Get(dhcpv4.OptionClientIdentifier); !bytes.Equal(id, append([]byte{1}, testMAC...)) {
		t.Errorf("% x", id)
	}
	c.Identify(duidIdentifier(testMAC))
	want := append(append([]byte{255}, testMAC[2:]...), append([]byte{0, 3, 0, 1}, testMAC...)...)
	if id := c.message(0, dhcpv4.MessageTypeDiscover).Options.Get(dhcpv4.OptionClientIdentifier); !bytes.Equal(id, want) {
		t.Errorf("% x, want % x", id, want)
	}
}

func TestAPrefixIsAskedForWithAHintAndKept(t *testing.T) {
	c := NewClient6(testMAC, nil, middle)
	c.Delegate(netip.MustParsePrefix("::/56"))
	asked := func(actions []Action6) string {
		t.Helper()
		for _, a := range actions {
			if s, ok := a.(Send6); ok {
				for _, pd := range s.Message.Options.IAPD() {
					for _, p := range pd.Options.Prefixes() {
						return p.Prefix.String()
					}
				}
			}
		}
		return ""
	}
	if got := asked(c.Handle(0, Router6{Mode: Stateful6})); got != "::/56" {
		t.Errorf("SOLICIT asks for %q", got)
	}
	with := func(m dhcpv6.DHCPv6) {
		withAddress(c)(m)
		pd := &dhcpv6.OptIAPD{IaId: c.iaid()}
		_, network, _ := net.ParseCIDR("2001:db8:56::/56")
		pd.Options.Add(&dhcpv6.OptIAPrefix{Prefix: network, PreferredLifetime: 100 * time.Second, ValidLifetime: 200 * time.Second})
		m.AddOption(pd)
	}
	c.Handle(0, answer6(c, dhcpv6.MessageTypeAdvertise, with))
	c.Handle(0, answer6(c, dhcpv6.MessageTypeReply, with))
	if l := c.Lease(); l == nil || len(l.Prefixes) != 1 || l.Prefixes[0] != netip.MustParsePrefix("2001:db8:56::/56") {
		t.Fatalf("%+v", c.Lease())
	}
	if got := asked(c.Handle(c.Lease().Renew, Tick6{})); got != "2001:db8:56::/56" {
		t.Errorf("RENEW asks for %q", got)
	}
}
