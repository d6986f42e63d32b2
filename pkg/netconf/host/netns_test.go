package host

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/netconf"
	"github.com/testudo-os/testudo/pkg/netplan"
)

// These tests run the real thing between two network namespaces that they
// make: a DHCP server with one end of a veth pair, the client with the other.
// Nothing leaves the namespaces.

var (
	serverAddr = netip.MustParseAddr("192.0.2.1")
	leaseAddr  = netip.MustParseAddr("192.0.2.50")
)

type lab struct {
	t              *testing.T
	server, client netns.NsHandle
	ctl            *netlink.Handle // in the client's namespace
	far            *netlink.Handle // in the server's
	near           int             // index of the client's interface
	host           *Host           // of the client that runs
	clock          *leaping        // it, with a clock that can be set forward
	dir            string
	settings       netplan.Settings
	log            *syncBuffer
	stop           func()
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) printf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(&s.b, format+"\n", args...)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func newLab(t *testing.T) *lab {
	t.Helper()
	t.Parallel() // most of a test's time is the kernel's address check
	if os.Getuid() != 0 {
		t.Skip("making network namespaces needs root")
	}
	l := &lab{t: t, dir: t.TempDir(), log: &syncBuffer{}}
	inside := make(chan error)
	go func() { // on a thread of its own that ends with the goroutine
		runtime.LockOSThread()
		inside <- l.build()
	}()
	if err := <-inside; err != nil {
		t.Skipf("no network namespaces here: %v", err)
	}
	t.Cleanup(func() {
		if l.stop != nil {
			l.stop()
		}
		l.server.Close()
		l.client.Close()
	})
	return l
}

func (l *lab) build() error {
	var err error
	if l.server, err = netns.New(); err != nil {
		return err
	}
	if l.client, err = netns.New(); err != nil {
		return err
	}
	if l.ctl, err = netlink.NewHandleAt(l.client); err != nil {
		return err
	}
	if l.far, err = netlink.NewHandleAt(l.server); err != nil {
		return err
	}
	if err := l.pair("td0", "far0", netip.PrefixFrom(serverAddr, 24)); err != nil {
		return err
	}
	near, err := l.ctl.LinkByName("td0")
	if err != nil {
		return err
	}
	l.near = near.Attrs().Index
	return nil
}

// pair connects the namespaces; the far end is up and has an address.
func (l *lab) pair(near, far string, addr netip.Prefix) error {
	if err := l.ctl.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: near}, PeerName: far}); err != nil {
		return err
	}
	peer, err := l.ctl.LinkByName(far)
	if err != nil {
		return err
	}
	if err := l.ctl.LinkSetNsFd(peer, int(l.server)); err != nil {
		return err
	}
	if peer, err = l.far.LinkByName(far); err != nil {
		return err
	}
	if err := l.far.AddrAdd(peer, &netlink.Addr{IPNet: network(addr)}); err != nil {
		return err
	}
	return l.far.LinkSetUp(peer)
}

// within runs f in a namespace; goroutines that f starts must only use
// sockets that f opened.
func within(ns netns.NsHandle, f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := netns.Set(ns); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	return <-done
}

// start runs the manager in the client's namespace. Its goroutine is locked to
// a thread that stays there.
func (l *lab) start() {
	l.t.Helper()
	ctx, cancel := context.WithCancel(l.t.Context())
	opened, ended := make(chan error), make(chan struct{})
	h := &Host{
		Pattern: "td*", Sysctl: "/proc/sys/net", Sysfs: "/sys/class/net", Log: l.log.printf,
		Status: filepath.Join(l.dir, "status.json"), Dial: l.dial,
		RunDir: filepath.Join(l.dir, "run"), Resolv: filepath.Join(l.dir, "resolv", "resolv.conf"),
	}
	clock := &leaping{Host: h}
	if l.clock != nil {
		clock.ahead.Store(l.clock.ahead.Load()) // time does not go back
	}
	l.host, l.clock = h, clock
	settings := l.settings
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		if err := netns.Set(l.client); err != nil {
			opened <- err
			return
		}
		events, err := h.Open()
		opened <- err
		if err != nil {
			return
		}
		m := &netconf.Manager{System: clock, Settings: settings, Hostname: "lab", Random: func() uint32 { return 1 << 31 }, Log: l.log.printf}
		if err := m.Run(ctx, events); err != nil {
			l.t.Error(err)
		}
	}()
	if err := <-opened; err != nil {
		l.t.Fatal(err)
	}
	l.stop = func() {
		cancel()
		<-ended
		for index := range h.ports {
			h.Release(index)
		}
		l.stop = nil
	}
}

// dial connects from the client's namespace.
func (l *lab) dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = within(l.client, func() (err error) {
		conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// serve answers DHCP in the server's namespace; reply decides what to each
// request, nil means silence. It returns the requests seen.
func (l *lab) serve(reply func(*dhcpv4.DHCPv4) *dhcpv4.DHCPv4) <-chan *dhcpv4.DHCPv4 {
	l.t.Helper()
	var conn net.PacketConn
	err := within(l.server, func() (err error) {
		p := &port{name: "far0"}
		conn, err = p.listen("udp4", netip.AddrPortFrom(netip.IPv4Unspecified(), serverPort), nil)
		if err != nil {
			return err
		}
		raw, err := conn.(*net.UDPConn).SyscallConn()
		if err != nil {
			return err
		}
		return raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1) })
	})
	if err != nil {
		l.t.Fatal(err)
	}
	seen := make(chan *dhcpv4.DHCPv4, 100)
	ended := make(chan struct{})
	l.t.Cleanup(func() { conn.Close(); <-ended })
	go func() {
		defer close(ended)
		buf := make([]byte, 2048)
		for {
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			m, err := dhcpv4.FromBytes(buf[:n])
			if err != nil {
				continue
			}
			seen <- m
			answer := reply(m)
			if answer == nil {
				continue
			}
			to := &net.UDPAddr{IP: net.IPv4bcast, Port: clientPort}
			if !m.ClientIPAddr.IsUnspecified() {
				to.IP = m.ClientIPAddr
			}
			_, _ = conn.WriteTo(answer.ToBytes(), to)
		}
	}()
	return seen
}

// lease answers DISCOVER and REQUEST with one lease of the given length.
func (l *lab) lease(seconds uint32, addr netip.Addr) func(*dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
	return func(m *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
		answer, err := dhcpv4.NewReplyFromRequest(m,
			dhcpv4.WithYourIP(addr.AsSlice()), dhcpv4.WithServerIP(serverAddr.AsSlice()),
			dhcpv4.WithOption(dhcpv4.OptServerIdentifier(serverAddr.AsSlice())),
			dhcpv4.WithNetmask(net.CIDRMask(24, 32)),
			dhcpv4.WithOption(dhcpv4.OptRouter(serverAddr.AsSlice())),
			dhcpv4.WithOption(dhcpv4.OptDNS(serverAddr.AsSlice())),
			dhcpv4.WithDomainSearchList("lab.example"),
			dhcpv4.WithGeneric(dhcpv4.OptionInterfaceMTU, []byte{0x05, 0xb4}), // 1460
			dhcpv4.WithLeaseTime(seconds),
		)
		if err != nil {
			return nil
		}
		switch m.MessageType() {
		case dhcpv4.MessageTypeDiscover:
			answer.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeOffer))
		case dhcpv4.MessageTypeRequest:
			answer.UpdateOption(dhcpv4.OptMessageType(dhcpv4.MessageTypeAck))
		}
		return answer
	}
}

// wait polls the kernel of the lab until what is true; the kernel offers no
// better way to see what another thread's netlink request did.
func (l *lab) wait(what string, is func() bool) {
	l.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !is() {
		if time.Now().After(deadline) {
			l.t.Fatalf("never came: %s\nlog:\n%s", what, l.log)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func (l *lab) hasAddress(addr netip.Addr) bool {
	list, _ := l.ctl.AddrList(link(l.near), netlink.FAMILY_V4)
	for _, a := range list {
		if a.IP.Equal(addr.AsSlice()) {
			return true
		}
	}
	return false
}

func (l *lab) hasDefault(gateway netip.Addr) bool {
	list, _ := l.ctl.RouteList(link(l.near), netlink.FAMILY_V4)
	for _, r := range list {
		if r.Gw.Equal(gateway.AsSlice()) && r.Priority == netconf.Metric(l.near) && r.Protocol == unix.RTPROT_DHCP {
			return true
		}
	}
	return false
}

func (l *lab) expect(seen <-chan *dhcpv4.DHCPv4, what string, is func(*dhcpv4.DHCPv4) bool) *dhcpv4.DHCPv4 {
	l.t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		select {
		case m := <-seen:
			if is(m) {
				return m
			}
		case <-timeout:
			l.t.Fatalf("the server never saw %s\nlog:\n%s", what, l.log)
		}
	}
}

func isType(t dhcpv4.MessageType) func(*dhcpv4.DHCPv4) bool {
	return func(m *dhcpv4.DHCPv4) bool { return m.MessageType() == t }
}

func TestALeaseGivesAddressRouteMTUAndNamesAndIsRenewedByUnicast(t *testing.T) {
	l := newLab(t)
	seen := l.serve(l.lease(4, leaseAddr))
	l.start()
	l.wait("the leased address", func() bool { return l.hasAddress(leaseAddr) })
	l.wait("the default route", func() bool { return l.hasDefault(serverAddr) })
	near, err := l.ctl.LinkByIndex(l.near)
	if err != nil {
		t.Fatal(err)
	}
	if near.Attrs().MTU != 1460 {
		t.Errorf("MTU is %d, want 1460", near.Attrs().MTU)
	}
	l.wait("resolv.conf", func() bool {
		b, _ := os.ReadFile(filepath.Join(l.dir, "resolv", "resolv.conf"))
		return strings.Contains(string(b), "nameserver 192.0.2.1\nsearch lab.example\n")
	})
	first := l.expect(seen, "a REQUEST", isType(dhcpv4.MessageTypeRequest))
	if first.HostName() != "lab" {
		t.Errorf("host name in the request is %q", first.HostName())
	}
	l.expect(seen, "a renewal from the leased address", func(m *dhcpv4.DHCPv4) bool {
		return m.MessageType() == dhcpv4.MessageTypeRequest && m.ClientIPAddr.Equal(leaseAddr.AsSlice())
	})
	l.wait("two renewals that were answered and heard", func() bool {
		return strings.Count(l.log.String(), "192.0.2.50/24 for 4 s") >= 3
	})
}

func TestARefusedRenewalTakesTheAddressAwayAndAnotherIsAskedFor(t *testing.T) {
	l := newLab(t)
	second := netip.MustParseAddr("192.0.2.51")
	give, other := l.lease(4, leaseAddr), l.lease(600, second)
	refused := false
	seen := l.serve(func(m *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
		switch {
		case refused:
			return other(m)
		case m.ClientIPAddr.IsUnspecified():
			return give(m)
		}
		refused = true
		nak, err := dhcpv4.NewReplyFromRequest(m, dhcpv4.WithMessageType(dhcpv4.MessageTypeNak),
			dhcpv4.WithOption(dhcpv4.OptServerIdentifier(serverAddr.AsSlice())))
		if err != nil {
			return nil
		}
		return nak
	})
	l.start()
	l.wait("the first address", func() bool { return l.hasAddress(leaseAddr) })
	l.expect(seen, "a DISCOVER", isType(dhcpv4.MessageTypeDiscover))
	l.expect(seen, "a second DISCOVER", isType(dhcpv4.MessageTypeDiscover))
	l.wait("the second address alone", func() bool { return l.hasAddress(second) && !l.hasAddress(leaseAddr) })
	l.wait("the default route again", func() bool { return l.hasDefault(serverAddr) })
}

func TestCarrierLossKeepsTheAddressAndItsReturnAsksForTheSameOne(t *testing.T) {
	l := newLab(t)
	seen := l.serve(l.lease(600, leaseAddr))
	l.start()
	l.wait("the address", func() bool { return l.hasAddress(leaseAddr) })
	far, err := l.far.LinkByName("far0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.far.LinkSetDown(far); err != nil {
		t.Fatal(err)
	}
	l.wait("the status", func() bool { return strings.Contains(l.log.String(), "td0: no carrier") })
	if !l.hasAddress(leaseAddr) {
		t.Error("the address is gone")
	}
	if err := l.far.LinkSetUp(far); err != nil {
		t.Fatal(err)
	}
	l.expect(seen, "a request for the address held", func(m *dhcpv4.DHCPv4) bool {
		return m.MessageType() == dhcpv4.MessageTypeRequest && m.ServerIdentifier() == nil &&
			m.RequestedIPAddress().Equal(leaseAddr.AsSlice())
	})
	l.wait("the default route", func() bool { return l.hasDefault(serverAddr) })
}

func TestARestartKeepsTheAddressThroughoutAndAsksWhetherItHolds(t *testing.T) {
	l := newLab(t)
	seen := l.serve(l.lease(600, leaseAddr))
	l.start()
	l.wait("the address", func() bool { return l.hasDefault(serverAddr) })
	l.expect(seen, "the first request", isType(dhcpv4.MessageTypeRequest))
	l.stop()
	if !l.hasAddress(leaseAddr) || !l.hasDefault(serverAddr) {
		t.Fatal("stopping the service took the address or the route away")
	}
	removed := make(chan netlink.AddrUpdate, 100)
	done := make(chan struct{})
	defer close(done)
	if err := netlink.AddrSubscribeAt(l.client, removed, done); err != nil {
		t.Fatal(err)
	}
	l.start()
	m := l.expect(seen, "a request", isType(dhcpv4.MessageTypeRequest))
	if !m.RequestedIPAddress().Equal(leaseAddr.AsSlice()) || m.ServerIdentifier() != nil {
		t.Errorf("not the request of a host that has an address: %s", m.Summary())
	}
	l.wait("the answer", func() bool { return strings.Count(l.log.String(), "192.0.2.50/24 for 10 min") == 2 })
	for len(removed) > 0 {
		if u := <-removed; !u.NewAddr && u.LinkAddress.IP.Equal(leaseAddr.AsSlice()) {
			t.Error("the address was removed for a moment")
		}
	}
}

func TestAnInterfaceThatIsPluggedInLaterIsConfiguredAndOneUnpluggedForgotten(t *testing.T) {
	l := newLab(t)
	l.serve(l.lease(600, leaseAddr))
	l.start()
	l.wait("the address", func() bool { return l.hasAddress(leaseAddr) })
	if err := l.ctl.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "td1"}, PeerName: "loose"}); err != nil {
		t.Fatal(err)
	}
	l.wait("the second interface", func() bool { return strings.Contains(l.log.String(), "td1: no carrier") })
	added, err := l.ctl.LinkByName("td1")
	if err != nil {
		t.Fatal(err)
	}
	if added.Attrs().Flags&net.FlagUp == 0 {
		t.Error("td1 is not switched on")
	}
	if err := l.ctl.LinkDel(added); err != nil {
		t.Fatal(err)
	}
	l.wait("that it is gone", func() bool { return strings.Contains(l.log.String(), "td1: unplugged") })
}

func TestADNSServerInARouterAdvertisementReachesTheResolverFile(t *testing.T) {
	l := newLab(t)
	l.serve(func(*dhcpv4.DHCPv4) *dhcpv4.DHCPv4 { return nil })
	l.start()
	l.wait("carrier", func() bool { return strings.Contains(l.log.String(), "td0: carrier") })
	// The kernel takes advertisements once its own address is no longer tentative.
	l.wait("the link-local address", func() bool {
		list, _ := l.ctl.AddrList(link(l.near), netlink.FAMILY_V6)
		return len(list) > 0 && list[0].Flags&unix.IFA_F_TENTATIVE == 0
	})
	l.wait("the router's link-local address", func() bool { return l.advertise() == nil })
	l.wait("resolv.conf", func() bool {
		b, _ := os.ReadFile(filepath.Join(l.dir, "resolv", "resolv.conf"))
		return strings.Contains(string(b), "nameserver 2001:db8::53\n")
	})
	l.wait("an address made of the prefix", func() bool { return strings.Contains(l.log.String(), "2001:db8::") })
	routes, err := l.ctl.RouteList(link(l.near), netlink.FAMILY_V6)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range routes {
		if r.Gw != nil && r.Priority != netconf.Metric(l.near) {
			t.Errorf("the router's default route has metric %d, want %d", r.Priority, netconf.Metric(l.near))
		}
	}
}

// advertise sends one router advertisement from the server's side.
func (l *lab) advertise() error {
	return within(l.server, func() error {
		far, err := l.far.LinkByName("far0")
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMPV6)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 255); err != nil {
			return err
		}
		message := []byte{134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0}
		message = append(message, 3, 4, 64, 0xc0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) // prefix, on link, autonomous
		message = append(message, netip.MustParseAddr("2001:db8::").AsSlice()...)
		message = append(message, 25, 3, 0, 0, 0, 0, 0x07, 0x08)
		message = append(message, netip.MustParseAddr("2001:db8::53").AsSlice()...)
		return unix.Sendto(fd, message, 0, &unix.SockaddrInet6{ZoneId: uint32(far.Attrs().Index), Addr: [16]byte{0: 0xff, 1: 2, 15: 1}})
	})
}
