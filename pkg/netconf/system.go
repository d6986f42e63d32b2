package netconf

import (
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv6"

	"github.com/testudo-os/testudo/pkg/netplan"
	"github.com/testudo-os/testudo/pkg/netstatus"
)

// System is what Manager needs of the machine. All calls come from the one
// goroutine that runs Manager and must not block on the network.
type System interface {
	Now() Moment

	// Observe reads what there is, and Do changes it.
	Observe() (*State, error)
	Do(a Action) error

	// Adopt opens the sockets of an interface, Release closes them.
	Adopt(l Link) error
	Release(index int)
	// Tune sets the kernel's settings of an interface, before it is switched
	// on. Repeating it changes nothing.
	Tune(l Link, t Tuning) error
	// Watch4 says whose ARP packets are to be told of.
	Watch4(index int, addrs []netip.Addr) error

	Send4(index int, m *dhcpv4.DHCPv4, to netip.Addr) error
	Send6(index int, m *dhcpv6.Message) error
	SendARP(index int, a SendARP) error
	// SolicitRouters asks routers to advertise now.
	SolicitRouters(index int) error
	// Reach tries to connect to HOST:PORT and tells of the outcome by Reached.
	Reach(target string)

	// Filter puts the firewall in force; repeating it changes nothing.
	Filter(f netplan.Firewall) error

	// Load, Save and Discard keep an interface's record for as long as the
	// boot, LoadOwned and SaveOwned what the service has made.
	Load(index int) (Record, bool)
	Save(index int, r Record) error
	Discard(index int)
	LoadOwned() (Owned, bool)
	SaveOwned(o Owned) error

	// Publish hands out what name and time services need.
	Publish(resolvConf, chronySources string) error
	// Tell hands out the state of the network for people. The times in it are
	// moments of this package until then.
	Tell(s Picture) error
	// Report tells the service manager how things stand.
	Report(status string, ready bool)
}

// Picture is a netstatus.Network whose times still are moments.
type Picture struct {
	netstatus.Network
	// Until is by "INDEX ADDRESS", Renew and Expires by "INDEX PROTOCOL".
	Until, Renew, Expires map[string]Moment
}

// Record is what of an interface survives a restart of the service.
type Record struct {
	MAC     string  `json:"mac"`
	Lease4  *Lease4 `json:"lease4,omitempty"`
	Lease6  *Lease6 `json:"lease6,omitempty"`
	Learned Learned `json:"learned"`
}

// Tuning is what decides how the kernel treats an interface.
type Tuning struct {
	AcceptRA   bool
	Metric     int    // of a router's default route
	Generation string // of IPv6 addresses: eui64, stable-privacy, none
	Privacy    bool   // temporary addresses for what goes out
	Token      netip.Addr
	MTU6       int // 0: the interface's
	WakeOnLAN  *bool
	Offloads   netplan.Offloads
}
