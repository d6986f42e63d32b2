package netconf

import (
	"net"
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv6"

	"github.com/testudo-os/testudo/pkg/netplan"
)

// Event is something the kernel or the wire told. The set is closed.
type Event interface{ event() }

type (
	// LinkSeen comes for every interface at start and on every change.
	LinkSeen struct{ Link }
	// LinkGone: the interface was unplugged.
	LinkGone struct{ Index int }
	// RouterFlags are the M and O flags of the last router advertisement.
	RouterFlags struct {
		Index          int
		Managed, Other bool
	}
	// RouterSaid are DNS options of a router advertisement.
	RouterSaid struct {
		Index int
		DNS   []RouterDNS
	}
	// Address6Seen: a global IPv6 address can be used, or (Gone) cannot, be it
	// because another host has it (Taken).
	Address6Seen struct {
		Index       int
		Prefix      netip.Prefix
		Gone, Taken bool
	}
	// Local6Seen: the link-local address can be used, which DHCPv6 needs, or
	// (Gone) cannot.
	Local6Seen struct {
		Index int
		Gone  bool
	}
	// Gateway6Seen: there is an IPv6 default route, or (Gone) no longer.
	Gateway6Seen struct {
		Index   int
		Gateway netip.Addr
		Gone    bool
	}
	// Packet4 and Packet6 are messages of DHCP servers.
	Packet4 struct {
		Index   int
		Message *dhcpv4.DHCPv4
	}
	Packet6 struct {
		Index   int
		Message *dhcpv6.Message
	}
	// ARPSeen is an ARP packet whose sender has one of our addresses.
	ARPSeen struct {
		Index  int
		MAC    net.HardwareAddr
		Sender netip.Addr
	}
	// Changed: an address, route or rule of the kind that is ours came or went.
	Changed struct{}
	// Configured: these settings count from now on.
	Configured struct{ Settings netplan.Settings }
	// Reached is the outcome of Reach; Error is "" when the target answered.
	Reached struct{ Target, Error string }
	// Synced: everything there is has been told once.
	Synced struct{}
)

func (LinkSeen) event()     {}
func (LinkGone) event()     {}
func (RouterFlags) event()  {}
func (RouterSaid) event()   {}
func (Address6Seen) event() {}
func (Local6Seen) event()   {}
func (Gateway6Seen) event() {}
func (Packet4) event()      {}
func (Packet6) event()      {}
func (ARPSeen) event()      {}
func (Changed) event()      {}
func (Configured) event()   {}
func (Reached) event()      {}
func (Synced) event()       {}
