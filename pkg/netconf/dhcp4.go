package netconf

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"
)

var broadcast4 = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// State4 is where a DHCPv4 client stands (RFC 2131, figure 5).
type State4 string

const (
	Idle4       State4 = "idle"       // no carrier
	Selecting4  State4 = "selecting"  // DISCOVER sent
	Requesting4 State4 = "requesting" // an offer was taken, REQUEST sent
	Rebooting4  State4 = "rebooting"  // asking whether the lease we hold is still ours
	Bound4      State4 = "bound"
	Renewing4   State4 = "renewing"  // asking the server that gave the lease
	Rebinding4  State4 = "rebinding" // asking any server
)

// Event4 is something that happened to a DHCPv4 client.
type Event4 interface{ event4() }

type (
	Carrier4  struct{ On bool }
	Received4 struct{ Message *dhcpv4.DHCPv4 }
	Tick4     struct{} // Next has come
	// Conflict4: another host has the address of the lease.
	Conflict4 struct{ MAC net.HardwareAddr }
)

func (Carrier4) event4()  {}
func (Received4) event4() {}
func (Tick4) event4()     {}
func (Conflict4) event4() {}

// Action4 is something the client wants done.
type Action4 interface{ action4() }

type (
	// Send4 asks for a message to be sent; a zero To is the broadcast address
	// of a host that may have no address yet.
	Send4 struct {
		Message *dhcpv4.DHCPv4
		To      netip.Addr
	}
	// Use4 puts a lease in force, new or prolonged.
	Use4 struct{ Lease Lease4 }
	// Drop4 takes the lease out of force.
	Drop4 struct{ Reason string }
)

func (Send4) action4() {}
func (Use4) action4()  {}
func (Drop4) action4() {}

// Tries before something else is attempted.
const (
	requestTries = 4 // REQUESTs for one offer before looking for another
	rebootTries  = 3 // REQUESTs for the lease we hold before looking for another
)

// Client4 is the life cycle of one interface's DHCPv4 lease. It does no I/O.
type Client4 struct {
	mac      net.HardwareAddr
	hostname string
	id       []byte // client identifier (option 61)
	random   Random

	state   State4
	next    Moment // when Tick4 is due
	attempt int    // messages sent in this state
	naks    int    // refusals since the last lease
	taken   int    // conflicts since the last carrier
	xid     dhcpv4.TransactionID
	began   Moment // of this exchange, for the seconds field
	sent    Moment // of the first REQUEST of this exchange
	offer   *dhcpv4.DHCPv4
	lease   *Lease4
	problem string // what the last answer had wrong
}

// NewClient4 returns a client that waits for carrier. A lease, when given, is
// one that is in force already (the service was restarted): the client asks
// whether it still holds and keeps it meanwhile.
func NewClient4(mac net.HardwareAddr, hostname string, lease *Lease4, random Random) *Client4 {
	return &Client4{mac: mac, hostname: hostname, random: random, state: Idle4, next: Never, lease: lease,
		id: append([]byte{byte(iana.HWTypeEthernet)}, mac...)}
}

// Identify sets what the server knows the client by, instead of the hardware
// address.
func (c *Client4) Identify(id []byte) { c.id = id }

// duidIdentifier is the client identifier of a host that has a DUID, so that
// servers see one client in both protocols (RFC 4361, 6.1).
func duidIdentifier(mac net.HardwareAddr) []byte {
	c := Client6{mac: mac}
	iaid := c.iaid()
	return slices.Concat([]byte{255}, iaid[:], c.duid().ToBytes())
}

// State is where the client stands.
func (c *Client4) State() State4 { return c.state }

// Lease is the lease in force, or nil.
func (c *Client4) Lease() *Lease4 { return c.lease }

// Next is when the client wants a Tick4.
func (c *Client4) Next() Moment {
	if c.lease != nil {
		return min(c.next, c.lease.Expires)
	}
	return c.next
}

// Handle advances the client.
func (c *Client4) Handle(now Moment, e Event4) []Action4 {
	var actions []Action4
	if c.lease != nil && now >= c.lease.Expires {
		c.lease = nil
		actions = append(actions, Drop4{Reason: "the lease ran out"})
		if c.state != Idle4 && c.state != Selecting4 && c.state != Requesting4 {
			actions = append(actions, c.discover(now)...)
		}
	}
	switch e := e.(type) {
	case Carrier4:
		return append(actions, c.carrier(now, e.On)...)
	case Received4:
		return append(actions, c.received(now, e.Message)...)
	case Conflict4:
		return append(actions, c.decline(now, e.MAC)...)
	case Tick4:
		if now >= c.next {
			return append(actions, c.tick(now)...)
		}
	}
	return actions
}

func (c *Client4) carrier(now Moment, on bool) []Action4 {
	switch {
	case !on:
		// The lease stays: a cable that is back within its time changes nothing
		// for open connections. The kernel ignores routes of a dead link.
		c.enter(Idle4, Never)
		c.taken = 0
		return nil
	case c.state != Idle4:
		return nil
	case c.lease != nil:
		c.begin(now)
		c.enter(Rebooting4, now)
		return c.tick(now)
	default:
		return c.discover(now)
	}
}

// decliningPause is how long a client waits before it asks again after it
// refused an address (RFC 2131, 3.1.5).
const decliningPause = 10 * time.Second

// decline refuses the lease in force: another host has the address.
func (c *Client4) decline(now Moment, mac net.HardwareAddr) []Action4 {
	if c.lease == nil || c.state == Idle4 {
		return nil
	}
	m := c.message(now, dhcpv4.MessageTypeDecline)
	// Only these may be in it (RFC 2131, table 5).
	for _, code := range []dhcpv4.OptionCode{dhcpv4.OptionMaximumDHCPMessageSize, dhcpv4.OptionHostName, dhcpv4.OptionParameterRequestList} {
		m.Options.Del(code)
	}
	m.NumSeconds = 0
	m.UpdateOption(dhcpv4.OptServerIdentifier(c.lease.Server.AsSlice()))
	m.UpdateOption(dhcpv4.OptRequestedIPAddress(c.lease.Address.Addr().AsSlice()))
	c.problem = fmt.Sprintf("%s is taken by another host (%s)", c.lease.Address.Addr(), mac)
	c.lease = nil
	c.taken++
	c.begin(now)
	c.enter(Selecting4, now.Add(max(decliningPause, retryDelay(c.taken, c.random))))
	return []Action4{Send4{Message: m}, Drop4{Reason: c.problem}}
}

// discover starts from nothing, at once: a boot waits for the answer.
func (c *Client4) discover(now Moment) []Action4 {
	c.begin(now)
	c.enter(Selecting4, now)
	return c.tick(now)
}

func (c *Client4) begin(now Moment) {
	binary.BigEndian.PutUint32(c.xid[:], c.random())
	c.began, c.sent, c.offer = now, now, nil
}

func (c *Client4) enter(s State4, next Moment) {
	c.state, c.next, c.attempt = s, next, 0
}

// tick does what is due in the present state.
func (c *Client4) tick(now Moment) []Action4 {
	switch c.state {
	case Selecting4:
		return c.try(now, c.message(now, dhcpv4.MessageTypeDiscover))
	case Requesting4:
		if c.attempt >= requestTries {
			return c.discover(now)
		}
		return c.try(now, c.request(now))
	case Rebooting4:
		if c.attempt >= rebootTries {
			return c.discover(now)
		}
		return c.try(now, c.request(now))
	case Bound4:
		c.begin(now)
		c.enter(Renewing4, now)
		return c.tick(now)
	case Renewing4:
		if now >= c.lease.Rebind {
			c.enter(Rebinding4, now)
			return c.tick(now)
		}
		c.attempt++
		c.next = now.Add(renewDelay(now, c.lease.Rebind))
		return []Action4{Send4{Message: c.request(now), To: c.lease.Server}}
	case Rebinding4:
		c.attempt++
		c.next = now.Add(renewDelay(now, c.lease.Expires))
		return []Action4{Send4{Message: c.request(now)}}
	}
	c.next = Never
	return nil
}

// try broadcasts m and sets when to try again.
func (c *Client4) try(now Moment, m *dhcpv4.DHCPv4) []Action4 {
	c.attempt++
	c.next = now.Add(retryDelay(c.attempt, c.random))
	return []Action4{Send4{Message: m}}
}

// renewDelay is half of what is left, and not less than a minute unless what
// is left is short (RFC 2131, 4.4.5).
func renewDelay(now, until Moment) time.Duration {
	left := until.Until(now)
	return min(max(left/2, time.Minute), max(left, time.Second))
}

func (c *Client4) received(now Moment, m *dhcpv4.DHCPv4) []Action4 {
	if m.OpCode != dhcpv4.OpcodeBootReply || m.TransactionID != c.xid ||
		m.ClientHWAddr.String() != c.mac.String() {
		return nil
	}
	switch m.MessageType() {
	case dhcpv4.MessageTypeOffer:
		return c.offered(now, m)
	case dhcpv4.MessageTypeAck:
		return c.acknowledged(now, m)
	case dhcpv4.MessageTypeNak:
		return c.refused(now, m)
	}
	return nil
}

func (c *Client4) offered(now Moment, m *dhcpv4.DHCPv4) []Action4 {
	if c.state != Selecting4 {
		return nil
	}
	if _, err := lease4(m, now); err != nil {
		c.problem = err.Error()
		return nil
	}
	c.offer, c.sent = m, now
	c.enter(Requesting4, now)
	return c.tick(now)
}

func (c *Client4) acknowledged(now Moment, m *dhcpv4.DHCPv4) []Action4 {
	switch c.state {
	case Requesting4, Rebooting4, Renewing4, Rebinding4:
	default:
		return nil
	}
	lease, err := lease4(m, c.sent)
	if err != nil {
		c.problem = err.Error()
		return nil
	}
	if now >= lease.Expires {
		return nil // the answer came after the time it grants
	}
	c.lease, c.naks, c.problem = &lease, 0, ""
	c.enter(Bound4, max(lease.Renew, now.Add(time.Second)))
	return []Action4{Use4{Lease: lease}}
}

func (c *Client4) refused(now Moment, m *dhcpv4.DHCPv4) []Action4 {
	switch c.state {
	case Requesting4:
		if !c.offer.ServerIdentifier().Equal(m.ServerIdentifier()) {
			return nil // another server tells that it was not chosen
		}
	case Rebooting4, Renewing4, Rebinding4:
	default:
		return nil
	}
	var actions []Action4
	if c.lease != nil {
		c.lease = nil
		actions = append(actions, Drop4{Reason: "the DHCP server took the address back"})
	}
	c.naks++
	c.problem = "the DHCP server refused"
	if c.naks == 1 {
		return append(actions, c.discover(now)...)
	}
	// A server that offers and then refuses would be asked in a tight circle.
	c.begin(now)
	c.enter(Selecting4, now.Add(retryDelay(c.naks-1, c.random)))
	return actions
}

// message builds what all messages of a client have.
func (c *Client4) message(now Moment, t dhcpv4.MessageType) *dhcpv4.DHCPv4 {
	m := &dhcpv4.DHCPv4{
		OpCode:        dhcpv4.OpcodeBootRequest,
		HWType:        iana.HWTypeEthernet,
		TransactionID: c.xid,
		NumSeconds:    uint16(min(time.Duration(now-c.began)/time.Second, 0xffff)),
		ClientHWAddr:  c.mac,
		ClientIPAddr:  net.IPv4zero, YourIPAddr: net.IPv4zero, ServerIPAddr: net.IPv4zero, GatewayIPAddr: net.IPv4zero,
		Options: dhcpv4.Options{},
	}
	m.UpdateOption(dhcpv4.OptMessageType(t))
	m.UpdateOption(dhcpv4.OptClientIdentifier(c.id))
	m.UpdateOption(dhcpv4.OptMaxMessageSize(1472))
	if validDomain(c.hostname) {
		m.UpdateOption(dhcpv4.OptHostName(c.hostname))
	}
	m.UpdateOption(dhcpv4.OptParameterRequestList(
		dhcpv4.OptionSubnetMask,
		dhcpv4.OptionClasslessStaticRoute, // must come before the router option (RFC 3442)
		dhcpv4.OptionRouter,
		dhcpv4.OptionDomainNameServer,
		dhcpv4.OptionDomainName,
		dhcpv4.OptionDNSDomainSearchList,
		dhcpv4.OptionInterfaceMTU,
		dhcpv4.OptionNTPServers,
		dhcpv4.OptionHostName,
	))
	return m
}

// request builds the REQUEST of the present state: which fields name the
// address depends on it (RFC 2131, table 4).
func (c *Client4) request(now Moment) *dhcpv4.DHCPv4 {
	m := c.message(now, dhcpv4.MessageTypeRequest)
	switch c.state {
	case Requesting4:
		m.UpdateOption(dhcpv4.OptServerIdentifier(c.offer.ServerIdentifier()))
		m.UpdateOption(dhcpv4.OptRequestedIPAddress(c.offer.YourIPAddr))
	case Rebooting4:
		m.UpdateOption(dhcpv4.OptRequestedIPAddress(c.lease.Address.Addr().AsSlice()))
	default:
		m.ClientIPAddr = c.lease.Address.Addr().AsSlice()
	}
	return m
}

// Status says in words how it goes, for people.
func (c *Client4) Status(now Moment) string {
	if c.state == Idle4 {
		return "no carrier"
	}
	if c.lease != nil {
		text := c.lease.Address.String() + " from DHCP"
		if gateway := c.lease.Gateway(); gateway.IsValid() {
			text += ", gateway " + gateway.String()
		}
		if c.attempt > 1 || c.state == Rebinding4 {
			text += fmt.Sprintf(" (the DHCP server does not answer; the lease ends in %s)",
				seconds(c.lease.Expires.Until(now)))
		}
		return text
	}
	switch {
	case c.problem != "":
		return fmt.Sprintf("%s, retrying in %s", c.problem, seconds(c.next.Until(now)))
	case c.attempt <= 1:
		return "asking for an address by DHCP"
	default:
		return fmt.Sprintf("no answer to DHCP, retrying in %s (attempt %d)", seconds(c.next.Until(now)), c.attempt)
	}
}

// seconds prints d as people say it; parts of a second do not matter here.
func seconds(d time.Duration) string {
	if d >= time.Duration(Never)/2 {
		return "ever"
	}
	if d >= 2*time.Minute {
		return fmt.Sprintf("%d min", d.Round(time.Minute)/time.Minute)
	}
	return fmt.Sprintf("%d s", d.Round(time.Second)/time.Second)
}
