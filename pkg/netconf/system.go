package netconf

import (
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv6"
)

// System is what Manager needs of the machine. All calls come from the one
// goroutine that runs Manager and must not block on the network.
type System interface {
	Now() Moment

	// Adopt prepares an interface before it is switched on: kernel settings
	// and sockets. Release undoes the sockets.
	Adopt(l Link) error
	Release(index int)
	SwitchOn(index int) error

	Send4(index int, m *dhcpv4.DHCPv4, to netip.Addr) error
	Send6(index int, m *dhcpv6.Message) error
	// SolicitRouters asks routers to advertise now.
	SolicitRouters(index int) error

	// Apply removes stale and then puts want in force. Repeating it changes nothing.
	Apply(index int, want, stale Desired) error

	// Load, Save and Discard keep an interface's record for as long as the boot.
	Load(index int) (Record, bool)
	Save(index int, r Record) error
	Discard(index int)

	// Publish hands out what name and time services need.
	Publish(resolvConf, chronySources string) error
	// Report tells the service manager how things stand.
	Report(status string, online bool)
}

// Record is what survives a restart of the service.
type Record struct {
	MAC     string  `json:"mac"`
	OwnMTU  int     `json:"own_mtu"` // before any lease changed it
	Applied Desired `json:"applied"`
	Lease4  *Lease4 `json:"lease4,omitempty"`
	Lease6  *Lease6 `json:"lease6,omitempty"`
	Learned Learned `json:"learned"`
}

// Metric is the priority of an interface's routes: lower wins. Every interface
// has its own, so that two gateways are never equal.
func Metric(index int) int { return 1024 + index }
