package host

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/netconf"
	"github.com/testudo-os/testudo/pkg/tools"
)

// These tests run the client against dnsmasq, a DHCP server and router
// advertiser that many networks have. Its leases last two minutes at least, so
// the client's clock leaps to the moment of interest.

// leaping is a Host whose clock a test can set forward.
type leaping struct {
	*Host
	ahead atomic.Int64
}

func (l *leaping) Now() netconf.Moment { return l.Host.Now() + netconf.Moment(l.ahead.Load()) }

// leap sets the client's clock to a moment of its record, and lets it notice.
func (l *lab) leap(what string, to func(netconf.Record) netconf.Moment) {
	l.t.Helper()
	record, ok := l.host.Load(l.near)
	if !ok {
		l.t.Fatalf("leap to %s: there is no record\nlog:\n%s", what, l.log)
	}
	moment := to(record)
	if moment == 0 || moment == netconf.Never {
		l.t.Fatalf("leap to %s: it has no time in %+v", what, record)
	}
	l.log.printf("-- leap to %s", what)
	l.clock.ahead.Store(int64(moment - l.host.Now()))
	l.host.events <- netconf.Synced{} // any event makes Run look at the clock
}

func renew4(r netconf.Record) netconf.Moment   { return r.Lease4.Renew }
func rebind4(r netconf.Record) netconf.Moment  { return r.Lease4.Rebind }
func expires4(r netconf.Record) netconf.Moment { return r.Lease4.Expires }
func renew6(r netconf.Record) netconf.Moment   { return r.Lease6.Renew }
func rebind6(r netconf.Record) netconf.Moment  { return r.Lease6.Rebind }
func expires6(r netconf.Record) netconf.Moment { return r.Lease6.Expires }

// server is a running dnsmasq.
type server struct {
	said *syncBuffer
	stop func()
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

var router6 = netip.MustParsePrefix("2001:db8::1/64")

// dnsmasq starts a server on the far side and waits until it answers.
func (l *lab) dnsmasq(args ...string) *server {
	l.t.Helper()
	t, err := tools.Ensure(l.t.Context(), "../../../.cache", l.t.Logf)
	if err != nil {
		l.t.Skipf("no dnsmasq here: %v", err)
	}
	s := &server{said: &syncBuffer{}}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := t.Command(ctx, "dnsmasq", append([]string{
		"--keep-in-foreground", "--log-facility=-", "--log-dhcp", "--conf-file=/dev/null", "--pid-file=", "--user=root", "--group=root",
		"--port=0", "--interface=far0", "--no-ping", "--dhcp-authoritative", "--dhcp-leasefile=" + filepath.Join(l.t.TempDir(), "leases"),
	}, args...)...)
	cmd.Stderr = s.said
	if err := within(l.server, func() error { return cmd.Start() }); err != nil {
		cancel()
		l.t.Fatal(err)
	}
	var once sync.Once
	s.stop = func() { once.Do(func() { cancel(); _ = cmd.Wait() }) }
	l.t.Cleanup(func() {
		s.stop()
		if l.t.Failed() {
			l.t.Logf("dnsmasq said:\n%s", s.said)
		}
	})
	l.wait("dnsmasq", func() bool { return strings.Contains(s.said.String(), "started") })
	return s
}

// heard waits until dnsmasq has logged a text n times.
func (l *lab) heard(s *server, n int, text string) {
	l.t.Helper()
	l.wait(fmt.Sprintf("dnsmasq's %d. %q", n, text), func() bool { return strings.Count(s.said.String(), text) >= n })
}

// told waits until the client has logged a text n times.
func (l *lab) told(n int, text string) {
	l.t.Helper()
	l.wait(fmt.Sprintf("the client's %d. %q", n, text), func() bool { return strings.Count(l.log.String(), text) >= n })
}

// route6 makes the far side an IPv6 router with an address. It uses its
// addresses unchecked, so that it is there as soon as the client is.
func (l *lab) route6() {
	l.t.Helper()
	err := within(l.server, func() error {
		return os.WriteFile("/proc/sys/net/ipv6/conf/far0/accept_dad", []byte("0"), 0o644)
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.occupy(router6)
}

// occupy gives an address to the far side.
func (l *lab) occupy(p netip.Prefix) {
	l.t.Helper()
	far, err := l.far.LinkByName("far0")
	if err != nil {
		l.t.Fatal(err)
	}
	if err := l.far.AddrAdd(far, &netlink.Addr{IPNet: network(p), Flags: unix.IFA_F_NODAD}); err != nil {
		l.t.Fatal(err)
	}
}

// vacate takes an address from the far side.
func (l *lab) vacate(p netip.Prefix) {
	l.t.Helper()
	far, err := l.far.LinkByName("far0")
	if err != nil {
		l.t.Fatal(err)
	}
	if err := l.far.AddrDel(far, &netlink.Addr{IPNet: network(p)}); err != nil {
		l.t.Fatal(err)
	}
}

// addresses6 are the client's usable global IPv6 addresses.
func (l *lab) addresses6() []netip.Prefix {
	var out []netip.Prefix
	list, _ := l.ctl.AddrList(link(l.near), netlink.FAMILY_V6)
	for _, a := range list {
		addr, ok := netip.AddrFromSlice(a.IP)
		bits, _ := a.Mask.Size()
		if ok && !addr.IsLinkLocalUnicast() && a.Flags&unix.IFA_F_TENTATIVE == 0 {
			out = append(out, netip.PrefixFrom(addr, bits))
		}
	}
	return out
}

// leased6 gives the client's address from DHCPv6, which has no network.
func (l *lab) leased6() (netip.Addr, bool) {
	for _, p := range l.addresses6() {
		if p.Bits() == 128 {
			return p.Addr(), true
		}
	}
	return netip.Addr{}, false
}

func (l *lab) fileHas(name string, wants ...string) {
	l.t.Helper()
	path := filepath.Join(l.dir, name)
	l.wait(fmt.Sprintf("%q in %s", wants, name), func() bool {
		b, _ := os.ReadFile(path)
		for _, want := range wants {
			if !strings.Contains(string(b), want) {
				return false
			}
		}
		return true
	})
}

const (
	resolvConf = "resolv/resolv.conf"
	ntpSources = "run/ntp/dhcp.sources"
	pool4      = "--dhcp-range=192.0.2.50,192.0.2.50,255.255.255.0,2m"
)

func TestDnsmasqGivesALeaseThatIsRenewedReboundAndKeptOverARestart(t *testing.T) {
	l := newLab(t)
	s := l.dnsmasq(pool4, "--dhcp-option=option:dns-server,192.0.2.53", "--dhcp-option=option:ntp-server,192.0.2.123",
		"--dhcp-option=option:domain-search,lab.example", "--dhcp-option=option:router,192.0.2.1")
	l.start()
	l.wait("the address", func() bool { return l.hasAddress(leaseAddr) })
	l.wait("the default route", func() bool { return l.hasDefault(serverAddr) })
	l.fileHas(resolvConf, "nameserver 192.0.2.53\n", "search lab.example\n")
	l.fileHas(ntpSources, "server 192.0.2.123 iburst\n")
	l.heard(s, 1, "client provides name: lab")

	l.leap("renewal", renew4)
	l.heard(s, 2, "DHCPACK(far0)")
	l.told(2, "192.0.2.50/24 for ")

	before := strings.Count(s.said.String(), "DHCPDISCOVER") // two where a busy machine answers late
	l.stop()
	l.start()
	l.heard(s, 3, "DHCPACK(far0)")
	l.told(3, "192.0.2.50/24 for ")
	if n := strings.Count(s.said.String(), "DHCPDISCOVER"); n != before {
		t.Errorf("the server saw %d DISCOVERs after the restart\nlog:\n%s", n-before, l.log)
	}
}

func TestWhenDnsmasqVanishesTheLeaseRunsOutAndWhenItIsBackThereIsAnother(t *testing.T) {
	l := newLab(t)
	s := l.dnsmasq(pool4)
	l.start()
	l.wait("the address", func() bool { return l.hasAddress(leaseAddr) })
	s.stop()
	l.leap("renewal", renew4)
	l.leap("rebinding", rebind4)
	l.told(1, "the DHCP server does not answer; the lease ends in")
	if !l.hasAddress(leaseAddr) {
		t.Error("the address went before its time")
	}
	l.leap("the end", expires4)
	l.told(1, "the lease ran out")
	l.wait("that the address is gone", func() bool { return !l.hasAddress(leaseAddr) })
	l.dnsmasq(pool4)
	l.wait("the address again", func() bool { return l.hasAddress(leaseAddr) })
}

func TestDnsmasqOfAnotherNetworkRefusesTheLease(t *testing.T) {
	l := newLab(t)
	s := l.dnsmasq(pool4)
	l.start()
	l.wait("the address", func() bool { return l.hasAddress(leaseAddr) })
	s.stop()
	s = l.dnsmasq("--dhcp-range=192.0.2.70,192.0.2.70,255.255.255.0,2m")
	l.leap("renewal", renew4)
	l.heard(s, 1, "DHCPNAK(far0)")
	l.told(1, "the DHCP server took the address back")
	l.wait("the new address alone", func() bool {
		return l.hasAddress(netip.MustParseAddr("192.0.2.70")) && !l.hasAddress(leaseAddr)
	})
}

// pool6 is what dnsmasq needs to lease two IPv6 addresses.
func pool6(first, last string) []string {
	return []string{
		"--enable-ra", "--dhcp-range=" + first + "," + last + ",64,2m",
		"--dhcp-option=option6:dns-server,[2001:db8::53]", "--dhcp-option=option6:domain-search,six.example",
		"--dhcp-option=option6:sntp-server,[2001:db8::123]",
	}
}

func TestDnsmasqLeasesAnIPv6AddressThatIsRenewedAndRunsOut(t *testing.T) {
	l := newLab(t)
	l.route6()
	s := l.dnsmasq(pool6("2001:db8::100", "2001:db8::101")...)
	l.start()
	l.wait("the leased address", func() bool { _, ok := l.leased6(); return ok })
	l.fileHas(resolvConf, "nameserver 2001:db8::53\n", "search six.example\n")
	l.fileHas(ntpSources, "server 2001:db8::123 iburst\n")
	if n := len(l.addresses6()); n != 1 {
		t.Errorf("%d addresses: %v", n, l.addresses6())
	}

	l.leap("renewal", renew6)
	l.heard(s, 1, "DHCPRENEW(far0)")
	l.told(2, "from DHCPv6")

	l.stop()
	l.start()
	l.heard(s, 1, "DHCPREBIND(far0)")
	l.told(3, "from DHCPv6")
	if n := strings.Count(s.said.String(), "DHCPSOLICIT"); n != 1 {
		t.Errorf("the server saw %d SOLICITs", n)
	}

	s.stop()
	l.leap("renewal", renew6)
	l.leap("rebinding", rebind6)
	l.leap("the end", expires6)
	l.told(1, "the DHCPv6 lease ran out")
	l.wait("that the address is gone", func() bool { _, ok := l.leased6(); return !ok })
	l.dnsmasq(pool6("2001:db8::100", "2001:db8::101")...)
	l.wait("an address again", func() bool { _, ok := l.leased6(); return ok })
}

func TestAnIPv6LeaseIsConfirmedByAnotherServerAndReplacedOnAnotherNetwork(t *testing.T) {
	l := newLab(t)
	l.route6()
	s := l.dnsmasq(pool6("2001:db8::100", "2001:db8::101")...)
	l.start()
	l.wait("the leased address", func() bool { _, ok := l.leased6(); return ok })
	first, _ := l.leased6()
	s.stop()
	// A server with an identity of its own: it is not the one that renewals name.
	s = l.dnsmasq(pool6("2001:db8::100", "2001:db8::101")...)
	l.leap("renewal", renew6)
	l.leap("rebinding", rebind6)
	l.heard(s, 1, "DHCPREPLY(far0) "+first.String())
	l.told(2, first.String()+" from DHCPv6")
	s.stop()

	l.vacate(router6)
	l.occupy(netip.MustParsePrefix("2001:db8:1::1/64"))
	l.dnsmasq(pool6("2001:db8:1::100", "2001:db8:1::101")...)
	l.leap("renewal", renew6)
	l.leap("rebinding", rebind6)
	l.wait("an address of the new network alone", func() bool {
		list := l.addresses6()
		return len(list) == 1 && netip.MustParsePrefix("2001:db8:1::/64").Contains(list[0].Addr())
	})
}

func TestAnIPv6LeaseOfATakenAddressIsDeclinedAndAnotherTaken(t *testing.T) {
	l := newLab(t)
	l.route6()
	// All of the range but one: which one is offered first depends on a hash.
	for _, taken := range []string{"2001:db8::100/128", "2001:db8::101/128", "2001:db8::102/128"} {
		l.occupy(netip.MustParsePrefix(taken))
	}
	s := l.dnsmasq(pool6("2001:db8::100", "2001:db8::103")...)
	l.start()
	l.wait("the address that is free", func() bool {
		addr, ok := l.leased6()
		return ok && addr == netip.MustParseAddr("2001:db8::103")
	})
	// One DECLINE for each address that was leased and not kept.
	declined, leased := strings.Count(s.said.String(), "DHCPDECLINE(far0)"), strings.Count(l.log.String(), "from DHCPv6\n")
	if declined != leased-1 {
		t.Errorf("%d of %d addresses were declined; the client's log:\n%s", declined, leased, l.log)
	}
}

func TestAnAddressOfAnAdvertisementThatIsTakenIsInTheStatus(t *testing.T) {
	l := newLab(t)
	l.route6()
	near, err := l.ctl.LinkByIndex(l.near)
	if err != nil {
		t.Fatal(err)
	}
	mac := near.Attrs().HardwareAddr
	own := router6.Masked().Addr().As16() // EUI-64, RFC 4291, appendix A
	copy(own[8:], []byte{mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]})
	taken := netip.AddrFrom16(own)
	l.occupy(netip.PrefixFrom(taken, 128))
	l.dnsmasq("--enable-ra", "--dhcp-range=2001:db8::,ra-only")
	l.start()
	l.told(1, taken.String()+" is taken by another host")
}

func TestDnsmasqAdvertisesAPrefixAndIsAskedForTheRest(t *testing.T) {
	l := newLab(t)
	l.route6()
	s := l.dnsmasq("--enable-ra", "--dhcp-range=2001:db8::,ra-stateless", "--dhcp-option=option6:dns-server,[2001:db8::53]",
		"--dhcp-option=option6:sntp-server,[2001:db8::123]")
	l.start()
	l.wait("an address made of the prefix", func() bool {
		list := l.addresses6()
		return len(list) == 1 && list[0].Bits() == 64
	})
	l.heard(s, 1, "DHCPINFORMATION-REQUEST(far0)")
	l.fileHas(resolvConf, "nameserver 2001:db8::53\n")
	l.fileHas(ntpSources, "server 2001:db8::123 iburst\n")
	l.wait("the default route", func() bool {
		routes, _ := l.ctl.RouteList(link(l.near), netlink.FAMILY_V6)
		for _, r := range routes {
			if r.Gw != nil && r.Priority == netconf.Metric(l.near) {
				return true
			}
		}
		return false
	})
	if strings.Contains(s.said.String(), "DHCPSOLICIT") {
		t.Error("an address was asked for, too")
	}
}

func TestGarbageOnTheClientPortsChangesNothing(t *testing.T) {
	l := newLab(t)
	l.route6()
	s := l.dnsmasq(append(pool6("2001:db8::100", "2001:db8::101"), pool4)...)
	l.start()
	l.wait("the IPv4 address", func() bool { return l.hasAddress(leaseAddr) })
	l.wait("the IPv6 address", func() bool { _, ok := l.leased6(); return ok })
	six, _ := l.leased6()
	err := within(l.server, func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		fd6, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd6)
		garbage := make([]byte, 600)
		for i := range 2000 {
			for at := range garbage {
				garbage[at] = byte(i * (at + 7) >> 3)
			}
			// The first bytes are those of an answer, so that parsers go on.
			copy(garbage, []byte{2, 1, 6, 0})
			copy(garbage[236:], []byte{99, 130, 83, 99})
			_ = unix.Sendto(fd, garbage[:i%len(garbage)], 0, &unix.SockaddrInet4{Port: clientPort, Addr: leaseAddr.As4()})
			garbage[0] = 7 // REPLY
			_ = unix.Sendto(fd6, garbage[:i%len(garbage)], 0, &unix.SockaddrInet6{Port: client6Port, Addr: six.As16()})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	l.leap("renewal", renew4)
	l.told(2, "192.0.2.50/24 for ")
	l.leap("renewal of IPv6", renew6)
	l.heard(s, 1, "DHCPRENEW(far0)")
	if now, ok := l.leased6(); !ok || now != six || !l.hasAddress(leaseAddr) {
		t.Errorf("the addresses changed: %v", l.addresses6())
	}
}

func TestTheSecondInterfaceTakesOverWhileTheFirstHasNoCarrier(t *testing.T) {
	l := newLab(t)
	if err := l.pair("td1", "far1", netip.MustParsePrefix("198.51.100.1/24")); err != nil {
		t.Fatal(err)
	}
	l.dnsmasq(pool4, "--interface=far1", "--dhcp-range=198.51.100.50,198.51.100.50,255.255.255.0,2m")
	l.start()
	l.told(1, "192.0.2.50/24 for ")
	l.told(1, "198.51.100.50/24 for ")
	second, err := l.ctl.LinkByName("td1")
	if err != nil {
		t.Fatal(err)
	}
	leads := func(index int) func() bool {
		return func() bool {
			routes, err := l.ctl.RouteGet(net.IPv4(203, 0, 113, 1))
			return err == nil && len(routes) == 1 && routes[0].LinkIndex == index
		}
	}
	far, err := l.far.LinkByName("far0")
	if err != nil {
		t.Fatal(err)
	}
	l.wait("the way out by the first", leads(l.near))
	if err := l.far.LinkSetDown(far); err != nil {
		t.Fatal(err)
	}
	l.wait("the way out by the second", leads(second.Attrs().Index))
	if err := l.far.LinkSetUp(far); err != nil {
		t.Fatal(err)
	}
	l.wait("the way out by the first again", leads(l.near))
}
