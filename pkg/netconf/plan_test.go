package netconf

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/testudo-os/testudo/pkg/netplan"
)

func configure(t testing.TB, text string) Configured {
	t.Helper()
	c, err := netplan.Parse("test", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return Configured{netplan.Settings{Network: c}}
}

// machine has cards with these names, on and with carrier, and the service.
func machine(names ...string) (*Manager, *fake) {
	m, f := newManager()
	for _, n := range names {
		l := f.card(n)
		l.Up, l.Carrier = true, true
	}
	// Somebody else's.
	f.index += 2
	f.state.Links = append(f.state.Links,
		Link{Index: f.index - 1, Name: "docker0", Kind: "bridge", Up: true, Ethernet: true, MTU: 1500, MAC: net.HardwareAddr{2, 0x42, 0, 0, 0, 1}},
		Link{Index: f.index, Name: "vethab12", Kind: "veth", Up: true, Ethernet: true, MTU: 1500, Master: f.index - 1, MAC: net.HardwareAddr{2, 0x42, 0, 0, 0, 2}})
	f.state.Addresses = append(f.state.Addresses, LinkAddress{f.index - 1, Address{Prefix: netip.MustParsePrefix("172.17.0.1/16"), Preferred: Never, Valid: Never}})
	f.state.Routes = append(f.state.Routes, RouteEntry{Index: f.index - 1, To: netip.MustParsePrefix("172.30.0.0/16"), Table: MainTable, Protocol: ProtocolStatic, Scope: "link"})
	m.Settings.Network = &netplan.Config{State: "disabled"}
	m.Handle(Synced{})
	return m, f
}

// took tells the machine of everything and gives what the service did.
func (f *fake) took(m *Manager, e Event) string {
	f.did = nil
	m.Handle(e)
	return f.changes()
}

// changes are the changes of the kernel among what was done.
func (f *fake) changes() string {
	out := slices.DeleteFunc(f.did, func(s string) bool {
		return strings.HasPrefix(s, "send ") || strings.HasPrefix(s, "adopt ") || strings.HasPrefix(s, "release ")
	})
	f.did = nil
	return strings.Join(out, "; ")
}

func TestTheSmallestListOfActions(t *testing.T) {
	m, f := machine("e0", "e1")
	first := f.took(m, configure(t, `
ethernets:
  e0: {addresses: [10.0.0.2/24, "fd00::2/64"], routes: [{to: default, via: 10.0.0.1}, {to: 10.9.0.0/16, type: blackhole}], mtu: 9000, routing-policy: [{from: 10.0.0.0/24, table: 7}]}
  e1: {addresses: [10.1.0.2/24]}
`))
	expect(t, "the first configuration", first, "set MTU 9000 of e0; add address 10.0.0.2/24 to e0; add address fd00::2/64 to e0; add address 10.1.0.2/24 to e1; "+
		"add route 10.0.0.0/24 metric 514 on e0; add route default via 10.0.0.1 metric 514 on e0; add route blackhole 10.9.0.0/16 metric 514 on ; add route 10.1.0.0/24 metric 515 on e1; "+
		"add rule 30000: from 10.0.0.0/24 table 7")
	expect(t, "nothing has changed", f.took(m, Changed{}), "")
	expect(t, "one route and one address", f.took(m, configure(t, `
ethernets:
  e0: {addresses: [10.0.0.2/24, "fd00::3/64"], routes: [{to: default, via: 10.0.0.9}, {to: 10.9.0.0/16, type: blackhole}], mtu: 9000, routing-policy: [{from: 10.0.0.0/24, table: 7}]}
  e1: {addresses: [10.1.0.2/24]}
`)), "remove address fd00::2/64 from e0; add address fd00::3/64 to e0; add route default via 10.0.0.9 metric 514 on e0")
	f.state.Routes = slices.DeleteFunc(f.state.Routes, func(r RouteEntry) bool { return r.To.Bits() == 0 })
	expect(t, "somebody took a route away", f.took(m, Changed{}), "add route default via 10.0.0.9 metric 514 on e0")
	expect(t, "nothing is said any more", f.took(m, configure(t, "ethernets: {e1: {addresses: [10.1.0.2/24]}}")),
		"remove rule 30000: from 10.0.0.0/24 table 7; remove route 10.0.0.0/24 metric 514 on e0; remove route blackhole 10.9.0.0/16 metric 514 on ; "+
			"remove route default via 10.0.0.9 metric 514 on e0; remove address 10.0.0.2/24 from e0; remove address fd00::3/64 from e0; set MTU 1500 of e0")
}

func TestInterfacesOnInterfacesAreMadeFromTheGroundUpAndRemovedFromTheTop(t *testing.T) {
	m, f := machine("e0", "e1", "e2")
	expect(t, "made", f.took(m, configure(t, `
ethernets: {e0: {}, e1: {}, e2: {}}
bonds: {bond0: {interfaces: [e0, e1], parameters: {mode: active-backup, primary: e1, mii-monitor-interval: 100}}}
vlans: {bond0.5: {id: 5, link: bond0}}
bridges: {br0: {interfaces: [bond0.5, e2], addresses: [10.5.0.1/24], parameters: {stp: false, path-cost: {e2: 9}}}}
`)), "make bond0 (bond); make br0 (bridge); "+
		"put e0 into interface 7; put e1 into interface 7; put e2 into interface 8; make bond0.5 (vlan); switch on bond0; switch on br0; "+
		"change cost=9 of port e2; change primary=3 of bond0; put bond0.5 into interface 8; switch on bond0.5; add address 10.5.0.1/24 to br0; add route 10.5.0.0/24 metric 520 on br0")
	expect(t, "taken down", f.took(m, configure(t, "config: disabled")),
		"remove route 10.5.0.0/24 metric 520 on br0; remove address 10.5.0.1/24 from br0; remove bond0.5; remove br0; remove bond0; set hardware address 52:54:00:00:00:02 of e0; set hardware address 52:54:00:00:00:03 of e1")
}

// cards are those that testdata of package netplan speaks of.
var cards = []string{"e0", "e1", "eth0", "enp3s0", "ens1", "ens2", "ens3", "a", "b", "lo0", "gbe0x", "mainif"}

func TestEveryExampleSettlesSurvivesARestartAndLeavesNothingBehind(t *testing.T) {
	files, err := filepath.Glob("../netplan/testdata/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m, f := machine(cards...)
			settles(t, m, f, configure(t, string(text)))
		})
	}
}

// settles configures a machine and wants it to be at rest afterwards, as after
// a restart, and without a trace once nothing is configured.
func settles(t *testing.T, m *Manager, f *fake, e Configured) {
	t.Helper()
	before, _ := f.Observe()
	did := f.took(m, e)
	if got := f.took(m, Changed{}); got != "" {
		t.Fatalf("after\n%s\nit goes on with\n%s", did, got)
	}
	for name, text := range m.problems {
		t.Errorf("%s: %s", name, text)
	}
	again := restarted(f)
	again.Settings = e.Settings
	again.Handle(Changed{})
	if got := f.changes(); got != "" {
		t.Errorf("after a restart: %s", got)
	}
	again.Handle(Synced{})
	f.took(again, configure(t, "config: disabled"))
	after, _ := f.Observe()
	normal := func(s *State) string {
		var out []string
		for _, l := range s.Links {
			out = append(out, fmt.Sprintf("%d %s %s %d master %d", l.Index, l.Name, l.MAC, l.MTU, l.Master))
		}
		slices.Sort(out)
		return strings.Join(out, "\n") + fmt.Sprint(s.Addresses, s.Routes, s.Rules)
	}
	if a, b := normal(before), normal(after); a != b {
		t.Errorf("before:\n%s\nafterwards:\n%s\nof\n%s", a, b, did)
	}
}

func TestACardAsksForItsAddressBeforeAnythingIsMade(t *testing.T) {
	m, f := machine("eth0")
	f.link(2).Up, f.link(2).Carrier = false, false
	m.switches = switches{}
	f.did = nil
	m.Handle(configure(t, "ethernets: {eth0: {dhcp4: true}}\ndummy-devices: {d: {}}"))
	expect(t, "order", f.since(), "adopt eth0; switch on eth0; send DISCOVER on 2; make d (dummy); adopt d; switch on d")
}

func TestNamesAreSwapped(t *testing.T) {
	m, f := machine("eth0", "eth1")
	text := fmt.Sprintf(`ethernets:
  a: {match: {macaddress: %q}, set-name: eth1}
  b: {match: {macaddress: %q}, set-name: eth0}`, f.named("eth0").MAC, f.named("eth1").MAC)
	expect(t, "renamed", f.took(m, configure(t, text)), "rename eth0 to tmp2; rename eth1 to eth0; rename tmp2 to eth1")
	expect(t, "and not again", f.took(m, Changed{}), "")
	f.took(m, configure(t, "config: disabled"))
	if f.link(2).Name != "eth0" || f.link(3).Name != "eth1" {
		t.Errorf("not back: %s %s", f.link(2).Name, f.link(3).Name)
	}
}

func TestWhatMatches(t *testing.T) {
	link := Link{Index: 2, Name: "enp1s0", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, PermMAC: net.HardwareAddr{0x52, 0x54, 0, 0, 0, 1}, Driver: "virtio_net", Path: "pci-0000:00:03.0", Physical: true}
	for text, want := range map[string]bool{
		"name: enp1s0": true, "name: 'en*'": true, "name: 'eth*'": false, "driver: 'virtio*'": true, "driver: [e1000, virtio_net]": true, "driver: e1000": false,
		"macaddress: '52:54:00:00:00:01'": true, "macaddress: '02:00:00:00:00:01'": false, "testudo-path: 'pci-0000:00:03.0'": true, "testudo-path: 'pci-*'": true, "testudo-path: usb": false,
		"{name: 'en*', driver: e1000}": false,
	} {
		c := configure(t, "ethernets:\n  x:\n    match: "+map[bool]string{true: text, false: "{" + text + "}"}[text[0] == '{'])
		list, _ := claims(c.Settings.Network, []Link{link, {Index: 3, Name: "enp9", Kind: "bridge", MAC: link.PermMAC}}, &Owned{})
		if got := len(list) == 1; got != want || len(list) > 1 {
			t.Errorf("%s: %v, %+v", text, got, list)
		}
	}
}

func TestTheMoreExactDefinitionCountsAndWhatIsMissingIsSaid(t *testing.T) {
	m, f := machine("eth0", "eth1")
	f.took(m, configure(t, "ethernets: {all: {match: {name: 'eth*'}, mtu: 1400}, eth1: {mtu: 1300}, eth9: {dhcp4: true}}"))
	if f.named("eth0").MTU != 1400 || f.named("eth1").MTU != 1300 {
		t.Errorf("%+v", f.state.Links)
	}
	if !strings.Contains(f.status, "eth9: no interface here has the name eth9") {
		t.Errorf("status: %s", f.status)
	}
}

func TestALinkOfThatNameThatIsSomebodyElsesIsNotTouched(t *testing.T) {
	m, f := machine("eth0")
	expect(t, "a dummy named like a bridge", f.took(m, configure(t, "dummy-devices: {docker0: {addresses: [10.0.0.1/24]}}")), "")
	if !strings.Contains(f.status, "docker0: an interface of this name is there, and is of kind bridge") {
		t.Errorf("status: %s", f.status)
	}
	expect(t, "a bridge that is there is used", f.took(m, configure(t, "bridges: {docker0: {addresses: [10.0.0.1/24]}}")),
		"add address 10.0.0.1/24 to docker0; add route 10.0.0.0/24 metric 515 on docker0")
	expect(t, "and stays", f.took(m, configure(t, "config: disabled")), "remove route 10.0.0.0/24 metric 515 on docker0; remove address 10.0.0.1/24 from docker0")
}

func TestAChangeThatAKindCannotTakeMakesTheInterfaceAnew(t *testing.T) {
	m, f := machine("eth0", "eth1")
	text := "ethernets: {eth0: {}, eth1: {}}\nbonds: {b: {interfaces: [eth0, eth1], addresses: [10.0.0.1/24], parameters: {mode: %s, mii-monitor-interval: %d}}}"
	f.took(m, configure(t, fmt.Sprintf(text, "active-backup", 100)))
	expect(t, "a live option", f.took(m, configure(t, fmt.Sprintf(text, "active-backup", 50))), "change miimon=50 of b")
	if got := f.took(m, configure(t, fmt.Sprintf(text, "balance-rr", 50))); !strings.HasPrefix(got, "remove b; make b (bond); put eth0 into") || !strings.Contains(got, "add address 10.0.0.1/24 to b") {
		t.Errorf("the mode: %s", got)
	}
	expect(t, "and at rest", f.took(m, Changed{}), "")
}

func TestVRFsHaveTheirRoutesInTheirTable(t *testing.T) {
	m, f := machine("e0")
	f.took(m, configure(t, "ethernets: {e0: {addresses: [10.1.0.2/24], dhcp4: true}}\nvrfs: {red: {table: 1000, interfaces: [e0], routes: [{to: default, via: 10.1.0.1}]}}"))
	for _, r := range f.state.Routes {
		if r.Index == 2 && r.Table != 1000 {
			t.Errorf("%s", r)
		}
	}
	if f.link(2).Master == 0 || f.named("red").Options["table"] != "1000" {
		t.Errorf("%+v", f.state.Links)
	}
}

func TestOnlineIsWhatTheUserSays(t *testing.T) {
	m, f := machine("e0", "e1")
	settings := configure(t, "ethernets: {e0: {addresses: [10.0.0.2/24]}, e1: {dhcp4: true}}").Settings
	with := func(text string) string {
		settings.Testudo.Online = netplan.Online{}
		switch text {
		case "address":
			settings.Testudo.Online.Require = text
		case "e1":
			settings.Testudo.Online.Require, settings.Testudo.Online.Interfaces = "address", []string{"e1"}
		case "target":
			settings.Testudo.Online.Targets = []string{"192.0.2.1:443"}
		}
		m.online.was = false
		f.took(m, Configured{settings})
		return f.picture.Why
	}
	expect(t, "by default", with(""), "no interface has a way out (e0: 10.0.0.2/24; e1: asking for an address by DHCP)")
	expect(t, "any address", with("address"), "")
	expect(t, "one interface", with("e1"), "no interface has an address (e1: asking for an address by DHCP)")
	settings.Network.Ethernets["e0"].Gateway4 = &netplan.Addr{Addr: netip.MustParseAddr("10.0.0.1")}
	m.Settings.Network = nil // what it had before is shared with settings
	expect(t, "a target", with("target"), "192.0.2.1:443 has not answered yet")
	expect(t, "asked", fmt.Sprint(f.asked), "[192.0.2.1:443]")
	m.Handle(Reached{Target: "192.0.2.1:443", Error: "connection refused"})
	expect(t, "refused", f.picture.Why, "192.0.2.1:443 is not reached: connection refused")
	f.now = f.now.Add(targetRetry)
	m.Tick()
	expect(t, "asked again", fmt.Sprint(f.asked), "[192.0.2.1:443 192.0.2.1:443]")
	m.Handle(Reached{Target: "192.0.2.1:443"})
	if !f.picture.Online || !f.ready {
		t.Errorf("not online: %+v", f.picture.Checks)
	}
}

func TestATunnelOrADummyAloneIsNotOnlineUnlessNamed(t *testing.T) {
	m, f := machine("e0")
	c := configure(t, "ethernets: {e0: {dhcp4: true}}\ndummy-devices: {d: {addresses: [10.0.0.1/32]}}\ntunnels: {t: {mode: gre, remote: 10.0.0.2, addresses: [10.1.0.1/30]}}")
	c.Settings.Testudo.Online.Require = "address"
	f.took(m, c)
	expect(t, "unnamed", f.picture.Why, "no interface has an address (e0: asking for an address by DHCP)")
	c.Settings.Testudo.Online.Interfaces = []string{"d"}
	f.took(m, c)
	expect(t, "named", f.picture.Why, "")
}

func TestTheLoopbackInterfaceTakesAddresses(t *testing.T) {
	m, f := machine("e0")
	f.state.Links = append(f.state.Links, Link{Index: 1, Name: "lo", Loopback: true, Up: true, Carrier: true, MTU: 65536})
	expect(t, "lo", f.took(m, configure(t, "ethernets: {lo: {addresses: [10.99.0.1/32]}}")), "add address 10.99.0.1/32 to lo")
	if f.picture.Online {
		t.Error("online by way of lo")
	}
}

func TestDNSComesInTheWrittenOrder(t *testing.T) {
	m, f := machine("e0", "e1")
	c := configure(t, `
nameservers: {addresses: [10.0.0.53]}
ethernets:
  e0: {addresses: [10.0.0.2/24], gateway4: 10.0.0.1, nameservers: {addresses: [10.0.0.54], search: [a.example]}}
  e1: {addresses: [10.1.0.2/24], routes: [{to: default, via: 10.1.0.1, metric: 5}], nameservers: {addresses: [10.1.0.54]}}
`)
	c.Settings.Testudo.DNS = netplan.DNS{Servers: []netplan.Addr{{Addr: netip.MustParseAddr("9.9.9.9")}}, Options: []string{"ndots:2"}}
	f.took(m, c)
	expect(t, "servers", strings.Join(f.picture.DNS.Servers, " "), "9.9.9.9 10.0.0.53 10.1.0.54 10.0.0.54")
	if !strings.HasSuffix(f.resolv, "search a.example\noptions ndots:2\n") {
		t.Errorf("resolv.conf: %s", f.resolv)
	}
}

func TestALinkLocalAddressIsMovedWhenAnotherHostHasIt(t *testing.T) {
	m, f := machine("e0")
	f.took(m, configure(t, "ethernets: {e0: {link-local: [ipv4]}}"))
	first := localAddress4(f.link(2).MAC, 1)
	if !slices.ContainsFunc(f.state.Addresses, func(a LinkAddress) bool { return a.Prefix.Addr() == first }) {
		t.Fatalf("%v", f.state.Addresses)
	}
	got := f.took(m, ARPSeen{Index: 2, MAC: net.HardwareAddr{2, 9, 9, 9, 9, 9}, Sender: first})
	if second := localAddress4(f.link(2).MAC, 2); !strings.Contains(got, "add address "+second.String()) || !strings.Contains(got, "remove address "+first.String()) {
		t.Errorf("%s", got)
	}
}

func TestPlansOfOwnedThingsAlone(t *testing.T) {
	m, f := machine("e0")
	f.state.Addresses = append(f.state.Addresses, LinkAddress{2, Address{Prefix: netip.MustParsePrefix("192.0.2.77/24"), Preferred: Never, Valid: Never}})
	f.state.Rules = append(f.state.Rules, Rule{Priority: 5, Table: 9})
	f.took(m, configure(t, "ethernets: {e0: {addresses: [10.0.0.2/24]}}"))
	before := reflect.ValueOf(f.state.Addresses).Len()
	f.took(m, configure(t, "config: disabled"))
	if len(f.state.Addresses) != before-1 || len(f.state.Rules) != 1 {
		t.Errorf("somebody else's was taken away: %v %v", f.state.Addresses, f.state.Rules)
	}
}

// Whatever is configured: it comes to rest, and taking it away leaves nothing
// that was not there before.
func FuzzReconcile(f *testing.F) {
	files, _ := filepath.Glob("../netplan/testdata/*.yaml")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := netplan.Parse("f", []byte(text))
		if err != nil || c == nil {
			return
		}
		m, k := machine(cards...)
		links := len(k.state.Links)
		k.took(m, Configured{netplan.Settings{Network: c}})
		if got := k.took(m, Changed{}); got != "" && len(m.problems) == 0 {
			t.Fatalf("it goes on with %s", got)
		}
		k.took(m, configure(t, "config: disabled"))
		if len(k.state.Links) != links || len(k.state.Addresses) != 1 || len(k.state.Routes) != 1 || len(k.state.Rules) != 0 {
			t.Fatalf("left behind: %+v", k.state)
		}
	})
}

func TestWhatOthersChangeOfACardIsNotChangedBack(t *testing.T) {
	m, f := machine("eth0")
	f.took(m, configure(t, "ethernets: {all: {match: {name: '*'}, mtu: 1400}}"))
	f.link(2).Name = "ens3" // as udev does
	f.link(2).MAC = net.HardwareAddr{2, 7, 7, 7, 7, 7}
	expect(t, "renamed by someone else", f.took(m, Changed{}), "")
	expect(t, "the MTU is given back", f.took(m, configure(t, "config: disabled")), "set MTU 1500 of ens3")
	f.link(2).MTU = 1300
	expect(t, "and then is nobody's business", f.took(m, Changed{}), "")
	if len(m.owned.Originals) != 0 {
		t.Errorf("%+v", m.owned.Originals)
	}
}
