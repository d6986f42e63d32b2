package netconf

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"
)

// Mode6 is what routers told hosts to ask of DHCPv6.
type Mode6 string

const (
	None6     Mode6 = "none"     // nothing: addresses come from advertisements alone
	Other6    Mode6 = "other"    // O flag: DNS and the like
	Stateful6 Mode6 = "stateful" // M flag: addresses too
)

// mode6 reads the flags of a router advertisement.
func mode6(managed, other bool) Mode6 {
	switch {
	case managed:
		return Stateful6
	case other:
		return Other6
	}
	return None6
}

// State6 is where a DHCPv6 client stands (RFC 8415, 18.2).
type State6 string

const (
	Idle6       State6 = "idle"
	Informing6  State6 = "informing" // INFORMATION-REQUEST sent
	Soliciting6 State6 = "soliciting"
	Requesting6 State6 = "requesting"
	Bound6      State6 = "bound"
	Renewing6   State6 = "renewing"
	Rebinding6  State6 = "rebinding"
)

// Event6 is something that happened to a DHCPv6 client.
type Event6 interface{ event6() }

type (
	Router6   struct{ Mode Mode6 } // what the last advertisement wants; None6 without carrier
	Received6 struct{ Message *dhcpv6.Message }
	Taken6    struct{ Address netip.Addr } // another host has the address, by the kernel's check
	Tick6     struct{}
)

func (Router6) event6()   {}
func (Received6) event6() {}
func (Taken6) event6()    {}
func (Tick6) event6()     {}

// Action6 is something the client wants done.
type Action6 interface{ action6() }

type (
	Send6 struct{ Message *dhcpv6.Message } // to all servers on the link
	Use6  struct{ Lease Lease6 }
	Drop6 struct{ Reason string }
)

func (Send6) action6() {}
func (Use6) action6()  {}
func (Drop6) action6() {}

const requestTries6 = 5

// Client6 is the life cycle of one interface's DHCPv6 lease. It does no I/O.
type Client6 struct {
	mac    net.HardwareAddr
	random Random

	mode    Mode6
	state   State6
	next    Moment
	attempt int
	xid     dhcpv6.TransactionID
	began   Moment
	server  dhcpv6.DUID
	hint    netip.Prefix // to be delegated; invalid: none
	lease   *Lease6
	problem string

	declined int // addresses, since the last change of mode
}

// NewClient6 returns a client that waits for a router's word. A lease, when
// given, is in force already.
func NewClient6(mac net.HardwareAddr, lease *Lease6, random Random) *Client6 {
	return &Client6{mac: mac, random: random, mode: None6, state: Idle6, next: Never, lease: lease}
}

// Delegate has the client ask for a prefix as well, best one like hint.
func (c *Client6) Delegate(hint netip.Prefix) { c.hint = hint }

// State is where the client stands.
func (c *Client6) State() State6 { return c.state }

// Lease is what is in force, or nil.
func (c *Client6) Lease() *Lease6 { return c.lease }

// Next is when the client wants a Tick6.
func (c *Client6) Next() Moment {
	if c.lease != nil {
		return min(c.next, c.lease.Expires)
	}
	return c.next
}

// Handle advances the client.
func (c *Client6) Handle(now Moment, e Event6) []Action6 {
	var actions []Action6
	if c.lease != nil && now >= c.lease.Expires {
		c.lease = nil
		actions = append(actions, Drop6{Reason: "the DHCPv6 lease ran out"})
		if c.state == Bound6 || c.state == Renewing6 || c.state == Rebinding6 {
			actions = append(actions, c.start(now)...)
		}
	}
	switch e := e.(type) {
	case Router6:
		return append(actions, c.router(now, e.Mode)...)
	case Received6:
		return append(actions, c.received(now, e.Message)...)
	case Taken6:
		return append(actions, c.decline(now, e.Address)...)
	case Tick6:
		if now >= c.next {
			return append(actions, c.tick(now)...)
		}
	}
	return actions
}

// decline gives back a lease whose address another host has (RFC 8415,
// 18.2.8), and asks for another after a pause: a server that offers the same
// one again must not be asked in a tight circle.
func (c *Client6) decline(now Moment, taken netip.Addr) []Action6 {
	if c.mode != Stateful6 || c.lease == nil || !slices.ContainsFunc(c.lease.Addresses, func(a Address6) bool { return a.Address == taken }) {
		return nil
	}
	c.begin(now)
	m := c.message(now, dhcpv6.MessageTypeDecline)
	c.lease = nil
	c.problem = taken.String() + " is taken by another host"
	c.begin(now)
	c.declined++
	c.enter(Soliciting6, now.Add(retryDelay(c.declined, c.random)))
	return []Action6{Send6{Message: m}, Drop6{Reason: c.problem}}
}

func (c *Client6) router(now Moment, mode Mode6) []Action6 {
	if mode == c.mode {
		return nil
	}
	c.mode, c.declined = mode, 0
	if mode == None6 {
		// As with IPv4 a lease outlives the router's silence until its time.
		c.enter(Idle6, Never)
		return nil
	}
	return c.start(now)
}

// start asks from the beginning, or on with a lease that is in force.
func (c *Client6) start(now Moment) []Action6 {
	c.begin(now)
	switch {
	case c.mode == Other6:
		c.enter(Informing6, now)
	case c.mode == Stateful6 && c.lease != nil && len(c.lease.Addresses) > 0:
		c.enter(Rebinding6, now) // any server may confirm: the link may be another
	case c.mode == Stateful6:
		c.enter(Soliciting6, now)
	default:
		c.enter(Idle6, Never)
		return nil
	}
	return c.tick(now)
}

func (c *Client6) begin(now Moment) {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], c.random())
	copy(c.xid[:], b[:3])
	c.began = now
}

func (c *Client6) enter(s State6, next Moment) {
	c.state, c.next, c.attempt = s, next, 0
}

func (c *Client6) tick(now Moment) []Action6 {
	switch c.state {
	case Informing6:
		return c.try(now, c.message(now, dhcpv6.MessageTypeInformationRequest))
	case Soliciting6:
		return c.try(now, c.message(now, dhcpv6.MessageTypeSolicit))
	case Requesting6:
		if c.attempt >= requestTries6 {
			return c.start(now)
		}
		return c.try(now, c.message(now, dhcpv6.MessageTypeRequest))
	case Bound6:
		if c.mode != Stateful6 {
			return c.start(now) // the information is to be refreshed
		}
		c.begin(now)
		c.enter(Renewing6, now)
		return c.tick(now)
	case Renewing6:
		if now >= c.lease.Rebind {
			c.begin(now)
			c.enter(Rebinding6, now)
			return c.tick(now)
		}
		return c.tryUntil(now, c.message(now, dhcpv6.MessageTypeRenew), c.lease.Rebind)
	case Rebinding6:
		return c.tryUntil(now, c.message(now, dhcpv6.MessageTypeRebind), c.lease.Expires)
	}
	c.next = Never
	return nil
}

func (c *Client6) try(now Moment, m *dhcpv6.Message) []Action6 {
	c.attempt++
	c.next = now.Add(retryDelay(c.attempt, c.random))
	return []Action6{Send6{Message: m}}
}

// tryUntil spaces tries as RFC 8415, 15 does for Renew and Rebind: 10 s,
// doubling, at most 10 min, and never past the moment things change anyway.
func (c *Client6) tryUntil(now Moment, m *dhcpv6.Message, until Moment) []Action6 {
	c.attempt++
	delay := min(10*time.Second<<min(c.attempt-1, 6), 10*time.Minute)
	if c.attempt == 1 {
		delay = time.Second // a lease re-adopted at start is worth a quick second try
	}
	c.next = min(now.Add(jitter(delay, c.random)), max(until, now.Add(time.Second)))
	return []Action6{Send6{Message: m}}
}

func (c *Client6) received(now Moment, m *dhcpv6.Message) []Action6 {
	if m.TransactionID != c.xid {
		return nil
	}
	if id := m.Options.ClientID(); id == nil || !id.Equal(c.duid()) {
		return nil
	}
	switch {
	case m.MessageType == dhcpv6.MessageTypeAdvertise && c.state == Soliciting6:
		return c.advertised(now, m)
	case m.MessageType == dhcpv6.MessageTypeReply && c.state == Informing6:
		lease, err := other6(m, now)
		if err != nil {
			c.problem = err.Error()
			return nil
		}
		return c.use(lease)
	case m.MessageType == dhcpv6.MessageTypeReply:
		return c.replied(now, m)
	}
	return nil
}

func (c *Client6) advertised(now Moment, m *dhcpv6.Message) []Action6 {
	if _, err := lease6(m, c.iaid(), now); err != nil {
		c.problem = err.Error()
		return nil
	}
	c.server = m.Options.ServerID()
	c.begin(now)
	c.enter(Requesting6, now)
	return c.tick(now)
}

func (c *Client6) replied(now Moment, m *dhcpv6.Message) []Action6 {
	switch c.state {
	case Requesting6, Renewing6, Rebinding6:
	default:
		return nil
	}
	lease, err := lease6(m, c.iaid(), now)
	if err == nil {
		return c.use(lease)
	}
	c.problem = err.Error()
	if c.state != Requesting6 && c.lease != nil {
		// The server knows nothing of our addresses, or they do not fit here.
		c.lease = nil
		return append([]Action6{Drop6{Reason: c.problem}}, c.start(now)...)
	}
	return nil // tried again, then from the beginning
}

func (c *Client6) use(lease Lease6) []Action6 {
	c.lease, c.problem = &lease, ""
	c.enter(Bound6, lease.Renew)
	return []Action6{Use6{Lease: lease}}
}

func (c *Client6) message(now Moment, t dhcpv6.MessageType) *dhcpv6.Message {
	m := &dhcpv6.Message{MessageType: t, TransactionID: c.xid}
	m.AddOption(dhcpv6.OptClientID(c.duid()))
	elapsed := min(time.Duration(now-c.began), 0xffff*10*time.Millisecond)
	m.AddOption(dhcpv6.OptElapsedTime(elapsed))
	m.AddOption(dhcpv6.OptRequestedOption(
		dhcpv6.OptionDNSRecursiveNameServer,
		dhcpv6.OptionDomainSearchList,
		dhcpv6.OptionNTPServer,
		dhcpv6.OptionSNTPServerList,
		dhcpv6.OptionInformationRefreshTime,
	))
	if t == dhcpv6.MessageTypeInformationRequest {
		return m
	}
	ia := &dhcpv6.OptIANA{IaId: c.iaid()}
	if c.lease != nil && t != dhcpv6.MessageTypeSolicit && t != dhcpv6.MessageTypeRequest {
		for _, a := range c.lease.Addresses {
			ia.Options.Add(&dhcpv6.OptIAAddress{IPv6Addr: a.Address.AsSlice()})
		}
	}
	m.AddOption(ia)
	if c.hint.IsValid() && t != dhcpv6.MessageTypeDecline {
		m.AddOption(c.delegation(t))
	}
	switch {
	case t == dhcpv6.MessageTypeRequest && c.server != nil:
		m.AddOption(dhcpv6.OptServerID(c.server))
	case (t == dhcpv6.MessageTypeRenew || t == dhcpv6.MessageTypeDecline) && c.lease != nil:
		if id, err := dhcpv6.DUIDFromBytes(c.lease.ServerID); err == nil {
			m.AddOption(dhcpv6.OptServerID(id))
		}
	}
	return m
}

// delegation asks for a prefix (RFC 8415, 18.2.4 and 21.22): with lifetimes of
// zero, which leaves them to the server.
func (c *Client6) delegation(t dhcpv6.MessageType) *dhcpv6.OptIAPD {
	pd := &dhcpv6.OptIAPD{IaId: c.iaid()}
	prefixes := []netip.Prefix{c.hint}
	if c.lease != nil && len(c.lease.Prefixes) > 0 && t != dhcpv6.MessageTypeSolicit && t != dhcpv6.MessageTypeRequest {
		prefixes = c.lease.Prefixes
	}
	for _, p := range prefixes {
		pd.Options.Add(&dhcpv6.OptIAPrefix{Prefix: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), 128)}})
	}
	return pd
}

// duid is built of the hardware address alone: the same on every boot, with or
// without a disk, so that the server gives the same address again.
func (c *Client6) duid() dhcpv6.DUID {
	return &dhcpv6.DUIDLL{HWType: iana.HWTypeEthernet, LinkLayerAddr: c.mac}
}

func (c *Client6) iaid() [4]byte {
	var id [4]byte
	if n := len(c.mac); n >= 4 {
		copy(id[:], c.mac[n-4:])
	}
	return id
}

// Status says in words how it goes; empty when there is nothing to say.
func (c *Client6) Status(now Moment) string {
	if c.state == Idle6 || c.lease != nil {
		return ""
	}
	switch {
	case c.problem != "":
		return fmt.Sprintf("%s, retrying in %s", c.problem, seconds(c.next.Until(now)))
	case c.attempt > 1:
		return fmt.Sprintf("no answer to DHCPv6, retrying in %s (attempt %d)", seconds(c.next.Until(now)), c.attempt)
	}
	return ""
}
