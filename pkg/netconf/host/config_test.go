package host

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/netconf"
	"github.com/testudo-os/testudo/pkg/netplan"
	"github.com/testudo-os/testudo/pkg/netstatus"
)

// These tests configure a namespace and look at what the kernel has then.

func settings(t *testing.T, text string) netplan.Settings {
	t.Helper()
	c, err := netplan.Parse("test", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return netplan.Settings{Network: c}
}

// configured starts the service with a configuration, or gives it a new one.
func (l *lab) configure(text string) {
	l.t.Helper()
	l.settings = settings(l.t, text)
	if l.stop == nil {
		l.start()
		return
	}
	l.log.printf("-- new configuration")
	l.host.events <- netconf.Configured{Settings: l.settings}
}

// seen is what there is, in lines; interfaces by their names.
func (l *lab) seen() string {
	l.t.Helper()
	var out []string
	links, err := l.ctl.LinkList()
	if err != nil {
		l.t.Fatal(err)
	}
	names := map[int]string{0: "-"}
	for _, link := range links {
		a := link.Attrs()
		names[a.Index] = a.Name
		out = append(out, fmt.Sprintf("link %s %s mtu %d up %v", a.Name, link.Type(), a.MTU, a.Flags&net.FlagUp != 0))
	}
	for _, link := range links {
		if m := link.Attrs().MasterIndex; m != 0 {
			out = append(out, fmt.Sprintf("port %s of %s", link.Attrs().Name, names[m]))
		}
	}
	addrs, err := l.ctl.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, a := range addrs {
		if !a.IP.IsLinkLocalUnicast() && !a.IP.IsLoopback() {
			out = append(out, strings.TrimSpace(fmt.Sprintf("address %s %s %s", names[a.LinkIndex], a.IPNet, a.Label)))
		}
	}
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		routes, err := l.ctl.RouteListFiltered(family, &netlink.Route{}, netlink.RT_FILTER_TABLE)
		if err != nil {
			l.t.Fatal(err)
		}
		for _, r := range routes {
			e, ok := entry(r, family)
			if ok && (r.Protocol == netconf.ProtocolStatic || r.Protocol == netconf.ProtocolDHCP) {
				out = append(out, fmt.Sprintf("route %s on %s", e, names[e.Index]))
			}
		}
		rules, err := l.ctl.RuleList(family)
		if err != nil {
			l.t.Fatal(err)
		}
		for _, r := range rules {
			if r.Priority > 0 && r.Priority < 32766 {
				out = append(out, fmt.Sprintf("rule %d table %d family %d", r.Priority, r.Table, family))
			}
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// has waits until each line is among what there is.
func (l *lab) has(lines ...string) {
	l.t.Helper()
	l.wait(strings.Join(lines, "; "), func() bool {
		seen := strings.Split(l.seen(), "\n")
		return !slices.ContainsFunc(lines, func(w string) bool {
			return !slices.ContainsFunc(seen, func(s string) bool { return strings.HasPrefix(s, w) })
		})
	})
}

// lacks waits until nothing of what there is contains one of the texts.
func (l *lab) lacks(texts ...string) {
	l.t.Helper()
	l.wait("that "+strings.Join(texts, ", ")+" is gone", func() bool {
		seen := l.seen()
		return !slices.ContainsFunc(texts, func(w string) bool { return strings.Contains(seen, w) })
	})
}

// clientSockets lets a test ask the kernel of the client's namespace.
func (l *lab) clientSockets() map[int]*nl.SocketHandle {
	l.t.Helper()
	socket, err := nl.GetNetlinkSocketAt(l.client, netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(socket.Close)
	return map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: socket}}
}

// status is what the service tells of itself.
func (l *lab) status() (s netstatus.Network) {
	b, err := os.ReadFile(filepath.Join(l.dir, "status.json"))
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		l.log.printf("status: %v", err)
	}
	return s
}

const static = `
ethernets:
  td0:
    mtu: 1400
    macaddress: "02:00:00:00:00:77"
    addresses: [192.0.2.9/24, 192.0.2.10/24: {label: "td0:x"}, "2001:db8::9/64": {lifetime: 0}]
    gateway4: 192.0.2.1
    routes:
      - {to: "::/0", via: "2001:db8::1", metric: 77}
      - {to: 198.51.100.0/24, via: 192.0.2.1, table: 101, metric: 5, mtu: 1300, congestion-window: 20}
      - {to: 203.0.113.0/24, via: 203.0.113.1, on-link: true}
      - {to: 10.66.0.0/16, type: blackhole}
      - {to: "fd66::/16", type: unreachable}
    routing-policy:
      - {from: 192.0.2.9/32, table: 101, priority: 50}
      - {mark: 7, table: 102, priority: 51}
`

func TestAStaticConfigurationIsInForceSurvivesARestartAndIsChangedWithoutTouchingTheRest(t *testing.T) {
	l := newLab(t)
	untouched := l.seen()
	l.configure(static)
	m := netconf.StaticMetric(l.near)
	lines := []string{
		"link td0 veth mtu 1400 up true", "address td0 192.0.2.9/24 td0", "address td0 192.0.2.10/24 td0:x", "address td0 2001:db8::9/64",
		fmt.Sprintf("route default via 192.0.2.1 metric %d on td0", m), fmt.Sprintf("route 192.0.2.0/24 metric %d on td0", m),
		"route default (IPv6) via 2001:db8::1 metric 77 on td0", "route 198.51.100.0/24 via 192.0.2.1 metric 5 table 101 on td0",
		fmt.Sprintf("route 203.0.113.0/24 via 203.0.113.1 metric %d on td0", m),
		fmt.Sprintf("route blackhole 10.66.0.0/16 metric %d on -", m), fmt.Sprintf("route unreachable fd66::/16 metric %d on -", m),
		"rule 50 table 101 family 2", "rule 51 table 102 family 2", "rule 51 table 102 family 10",
	}
	l.has(lines...)
	l.wait("that it is online", func() bool { return l.status().Online })
	near, err := l.ctl.LinkByIndex(l.near)
	if err != nil || near.Attrs().HardwareAddr.String() != "02:00:00:00:00:77" {
		t.Errorf("hardware address: %v, %v", near.Attrs().HardwareAddr, err)
	}
	at := l.log.String()
	l.stop()
	l.start()
	l.wait("the restart", func() bool { return strings.Contains(strings.TrimPrefix(l.log.String(), at), "td0: ") })
	for _, word := range []string{"add ", "remove ", "set ", "change ", "switch "} {
		if strings.Contains(strings.TrimPrefix(l.log.String(), at), "\n"+word) {
			t.Errorf("the restart did something:\n%s", strings.TrimPrefix(l.log.String(), at))
		}
	}
	at = l.log.String()
	l.configure(strings.Replace(strings.Replace(static, "gateway4: 192.0.2.1", "gateway4: 192.0.2.2", 1), "192.0.2.10/24", "192.0.2.11/24", 1))
	l.has(fmt.Sprintf("route default via 192.0.2.2 metric %d on td0", m), "address td0 192.0.2.11/24 td0:x")
	l.lacks("192.0.2.10/24", "via 192.0.2.1 metric "+fmt.Sprint(m)+" on td0\n")
	if did := strings.TrimPrefix(l.log.String(), at); strings.Count(did, "\nadd ")+strings.Count(did, "\nremove ")+strings.Count(did, "\nset ") != 3 {
		t.Errorf("want three changes:\n%s", did)
	}
	l.configure("config: disabled")
	l.lacks("192.0.2.", "2001:db8", "blackhole", "unreachable", "rule 5")
	l.has(strings.Split(strings.ReplaceAll(untouched, "up false", "up"), "\n")[0])
	l.wait("the hardware address", func() bool {
		now, err := l.ctl.LinkByIndex(l.near)
		return err == nil && now.Attrs().HardwareAddr.String() != "02:00:00:00:00:77" && now.Attrs().MTU == 1500
	})
}

func TestABridgeTakesItsAddressByDHCPAndGivesItsPortsBack(t *testing.T) {
	l := newLab(t)
	l.serve(l.lease(600, leaseAddr))
	l.configure(`
ethernets: {td0: {}}
virtual-ethernets: {va: {peer: vb}, vb: {peer: va, addresses: [10.77.0.1/30]}}
bridges:
  br0: {interfaces: [td0, va], dhcp4: true, macaddress: "02:00:00:00:00:88", parameters: {stp: false, forward-delay: 2, ageing-time: 10, priority: 9, path-cost: {td0: 55}, port-priority: {va: 12}}}
`)
	l.has("link br0 bridge mtu 1460 up true", "port td0 of br0", "port va of br0", "address br0 192.0.2.50/24", "address vb 10.77.0.1/30")
	s := &netconf.State{}
	if err := (&Host{handle: l.ctl, sockets: l.clientSockets(), Sysfs: "/none"}).observeLinks(s); err != nil {
		t.Fatal(err)
	}
	for _, link := range s.Links {
		want := map[string]string{"br0": "map[ageing_time:1000 forward_delay:200", "td0": "cost:55", "va": "priority:12"}[link.Name]
		if got := fmt.Sprint(link.Options) + fmt.Sprint(link.Port); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", link.Name, got, want)
		}
	}
	// Somebody else's stays out of it.
	if err := l.ctl.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "foreign"}, PeerName: "foreign2"}); err != nil {
		t.Fatal(err)
	}
	l.configure("ethernets: {td0: {dhcp4: true}}")
	l.has("link foreign veth", "address td0 192.0.2.50/24")
	l.lacks("br0", "link va", "link vb", "port td0")
}

func TestTunnelsThatThisKernelHasAreMadeAndOthersAreSaid(t *testing.T) {
	l := newLab(t)
	l.configure(`
ethernets: {td0: {addresses: [192.0.2.9/24]}}
tunnels:
  vx0: {mode: vxlan, id: 42, link: td0, local: 192.0.2.9, remote: 239.1.1.1, port: 4790, ttl: 5, mac-learning: false, mtu: 1300, addresses: [10.42.0.1/24]}
  gr0: {mode: gre, local: 192.0.2.9, remote: 192.0.2.1, key: 7}
dummy-devices: {du0: {addresses: [10.43.0.1/32]}}
`)
	l.has("link vx0 vxlan mtu 1300 up true", "address vx0 10.42.0.1/24")
	vx, err := l.ctl.LinkByName("vx0")
	if err != nil {
		t.Fatal(err)
	}
	if v := vx.(*netlink.Vxlan); v.VxlanId != 42 || v.Port != 4790 || v.TTL != 5 || v.Learning || v.Group.String() != "239.1.1.1" {
		t.Errorf("%+v", v)
	}
	for _, name := range []string{"gr0", "du0"} {
		l.wait(name, func() bool {
			return strings.Contains(l.seen(), "link "+name) || strings.Contains(l.log.String(), "make "+name) && strings.Contains(l.log.String(), "this kernel has no interfaces of kind")
		})
	}
}

func TestAnInterfaceIsRenamedWhileItsLeaseStays(t *testing.T) {
	l := newLab(t)
	l.serve(l.lease(600, leaseAddr))
	near, err := l.ctl.LinkByIndex(l.near)
	if err != nil {
		t.Fatal(err)
	}
	l.configure("ethernets: {x: {match: {name: td0}, dhcp4: true}}")
	l.has("address td0 192.0.2.50/24")
	l.configure(fmt.Sprintf("ethernets: {x: {match: {macaddress: %q}, set-name: tdlan, dhcp4: true}}", near.Attrs().HardwareAddr))
	l.has("link tdlan veth", "address tdlan 192.0.2.50/24", "route default via 192.0.2.1 metric 1027 on tdlan")
	l.wait("the status", func() bool { s := l.status(); return s.Online && s.Links[0].Name == "tdlan" })
	l.stop()
	l.start()
	l.wait("the request after a restart", func() bool { return strings.Count(l.log.String(), "192.0.2.50/24 for ") >= 2 })
	l.configure("ethernets: {x: {match: {name: td0}, dhcp4: true}}")
	l.has("link td0 veth", "address td0 192.0.2.50/24")
}

func TestALateDHCPServerIsFoundAndAnAddressThatAnotherHostHasIsDeclined(t *testing.T) {
	l := newLab(t)
	l.start()
	l.told(1, "no answer to DHCP")
	s := l.dnsmasq("--dhcp-range=192.0.2.50,192.0.2.51,255.255.255.0,2m", "--dhcp-host=02:aa:aa:aa:aa:aa,192.0.2.51")
	l.wait("the taken address", func() bool { return strings.Contains(l.log.String(), "192.0.2.50/24 for ") })
	l.wait("the DECLINE", func() bool {
		l.claim(leaseAddr) // as the other host answers each probe
		return strings.Contains(s.said.String(), "DHCPDECLINE(far0) 192.0.2.50")
	})
	l.told(1, "192.0.2.50 is taken by another host")
	l.wait("that the address is gone", func() bool { return !l.hasAddress(leaseAddr) })
}

// claim answers as another host of the far side that has an address.
func (l *lab) claim(a netip.Addr) {
	l.t.Helper()
	far, err := l.far.LinkByName("far0")
	if err != nil {
		l.t.Fatal(err)
	}
	err = within(l.server, func() error {
		file, err := openARP(far.Attrs().Index, nil)
		if err != nil {
			return err
		}
		defer file.Close()
		other := net.HardwareAddr{2, 9, 9, 9, 9, 9}
		return (&port{index: far.Attrs().Index}).send(file, unix.ETH_P_ARP, encodeARP(other, netconf.SendARP{Sender: a, Target: a}), "ARP packet")
	})
	if err != nil {
		l.t.Fatal(err)
	}
}

func TestAStaticAddressThatAnotherHostHasIsSaid(t *testing.T) {
	l := newLab(t)
	l.occupy(netip.MustParsePrefix("192.0.2.9/24"))
	l.configure("ethernets: {td0: {addresses: [192.0.2.9/24]}}")
	l.told(1, "192.0.2.9 is also used by another host")
	l.wait("the status", func() bool {
		s := l.status()
		return len(s.Links) == 1 && len(s.Links[0].Addresses) > 0 && strings.Contains(s.Links[0].Addresses[0].Note, "also used by another host")
	})
}

func TestACarrierThatFlapsLeavesTheConfigurationAsItIs(t *testing.T) {
	l := newLab(t)
	l.configure(static)
	m := netconf.StaticMetric(l.near)
	line := fmt.Sprintf("route default via 192.0.2.1 metric %d on td0", m)
	l.has(line)
	far, err := l.far.LinkByName("far0")
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if err := l.far.LinkSetDown(far); err != nil {
			t.Fatal(err)
		}
		if err := l.far.LinkSetUp(far); err != nil {
			t.Fatal(err)
		}
	}
	l.wait("that it is online again", func() bool { return l.status().Online })
	l.has(line, "address td0 192.0.2.9/24")
	// Switched off and on by hand: what the kernel dropped comes back.
	near, err := l.ctl.LinkByIndex(l.near)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.ctl.LinkSetDown(near); err != nil {
		t.Fatal(err)
	}
	l.told(1, "td0: switched off")
	if err := l.ctl.LinkSetUp(near); err != nil {
		t.Fatal(err)
	}
	l.has(line, "route default (IPv6) via 2001:db8::1 metric 77 on td0", "address td0 2001:db8::9/64")
}

// listen accepts connections on the far side.
func (l *lab) listen(at string) {
	l.t.Helper()
	var listener net.Listener
	err := within(l.server, func() (err error) {
		listener, err = net.Listen("tcp", at)
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
}

func TestOnlineWaitsForATargetNoLongerThanItsBound(t *testing.T) {
	l := newLab(t)
	l.settings = settings(t, "ethernets: {td0: {addresses: [192.0.2.9/24], gateway4: 192.0.2.1}}")
	bound := netplan.Seconds(time.Second)
	l.settings.Testudo.Online = netplan.Online{Targets: []string{"192.0.2.1:4430"}, Timeout: &bound}
	l.start()
	l.told(1, "not online after 1s: 192.0.2.1:4430 is not reached: connection refused")
	if s := l.status(); s.Online || !s.Ready {
		t.Errorf("%+v", s)
	}
	l.listen("192.0.2.1:4430")
	l.wait("that it is online", func() bool { return l.status().Online })
}

func TestTheFirewallLetsInWhatIsAllowed(t *testing.T) {
	l := newLab(t)
	l.settings = settings(t, "ethernets: {td0: {addresses: [192.0.2.9/24]}}")
	on := true
	l.settings.Testudo.Firewall = netplan.Firewall{Enabled: &on, Allow: []string{"4431/tcp", "4433-4434/tcp from 192.0.2.0/25", "4435/tcp from 10.0.0.0/8"}}
	l.start()
	l.has("address td0 192.0.2.9/24")
	for _, port := range []int{4431, 4432, 4434, 4435} {
		var listener net.Listener
		if err := within(l.client, func() (err error) {
			listener, err = net.Listen("tcp", fmt.Sprintf("192.0.2.9:%d", port))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() })
	}
	reach := func(port int) bool {
		return within(l.server, func() error {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: 1})
			return unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{192, 0, 2, 9}})
		}) == nil
	}
	l.wait("an allowed port", func() bool { return reach(4431) })
	for port, want := range map[int]bool{4431: true, 4432: false, 4434: true, 4435: false} {
		if reach(port) != want {
			t.Errorf("port %d: reached %v", port, !want)
		}
	}
	off := l.settings
	off.Testudo.Firewall = netplan.Firewall{}
	l.host.events <- netconf.Configured{Settings: off}
	l.wait("a port without a firewall", func() bool { return reach(4432) })
}

func TestOfTwoDHCPServersOneIsChosenAndTheOtherLeftAlone(t *testing.T) {
	l := newLab(t)
	second, other := netip.MustParseAddr("192.0.2.60"), netip.MustParseAddr("192.0.2.2")
	as := func(server netip.Addr, give func(*dhcpv4.DHCPv4) *dhcpv4.DHCPv4) func(*dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
		return func(m *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
			if m.MessageType() == dhcpv4.MessageTypeRequest && !m.ServerIdentifier().Equal(server.AsSlice()) {
				return nil // another one was chosen
			}
			answer := give(m)
			answer.UpdateOption(dhcpv4.OptServerIdentifier(server.AsSlice()))
			return answer
		}
	}
	one := l.serve(as(serverAddr, l.lease(600, leaseAddr)))
	two := l.serve(as(other, l.lease(600, second)))
	l.start()
	l.wait("an address", func() bool { return l.hasAddress(leaseAddr) || l.hasAddress(second) })
	isRequest := isType(dhcpv4.MessageTypeRequest)
	request := l.expect(one, "a REQUEST", isRequest)
	if again := l.expect(two, "a REQUEST", isRequest); !again.ServerIdentifier().Equal(request.ServerIdentifier()) {
		t.Errorf("asked %v and %v", request.ServerIdentifier(), again.ServerIdentifier())
	}
	if chosen := request.ServerIdentifier().Equal(other.AsSlice()); l.hasAddress(second) != chosen || l.hasAddress(leaseAddr) == chosen {
		t.Errorf("asked %v and has\n%s", request.ServerIdentifier(), l.seen())
	}
}

func TestSettingsAreTakenFromTheFileWheneverItIsReplaced(t *testing.T) {
	l := newLab(t)
	path := filepath.Join(l.dir, "network.json")
	write := func(text string) {
		t.Helper()
		b := []byte(text)
		if !strings.HasPrefix(text, "{") {
			var err error
			if b, err = settings(t, text).Encode(); err != nil {
				t.Fatal(err)
			}
		}
		if err := replace(path, b); err != nil {
			t.Fatal(err)
		}
	}
	write("ethernets: {td0: {addresses: [192.0.2.9/24]}}")
	l.start()
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- l.host.WatchSettings(ctx, path) }()
	l.has("address td0 192.0.2.9/24")
	write("ethernets: {td0: {addresses: [192.0.2.8/24]}}")
	l.has("address td0 192.0.2.8/24")
	l.lacks("192.0.2.9/24")
	write(`{"network": {"ethernet": {}}}`)
	l.told(1, `unknown field "ethernet"; the settings in force stay`)
	l.has("address td0 192.0.2.8/24")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
