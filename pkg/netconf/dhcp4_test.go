package netconf

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

var (
	testMAC  = net.HardwareAddr{0x52, 0x54, 0, 0x12, 0x34, 0x56}
	serverIP = net.IPv4(10, 0, 2, 2)
	otherIP  = net.IPv4(10, 0, 2, 3)
	hostIP   = net.IPv4(10, 0, 2, 15)
)

// middle makes jitter nothing: delays are what the tables say.
func middle() uint32 { return 1 << 31 }

func at(s float64) Moment { return Moment(s * float64(time.Second)) }

// answer4 builds a server's answer to what the client sent last.
func answer4(c *Client4, t dhcpv4.MessageType, with ...dhcpv4.Modifier) Received4 {
	m, err := dhcpv4.New(
		dhcpv4.WithTransactionID(c.xid), dhcpv4.WithHwAddr(testMAC), dhcpv4.WithMessageType(t),
		dhcpv4.WithYourIP(hostIP), dhcpv4.WithNetmask(net.CIDRMask(24, 32)),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(serverIP)),
		dhcpv4.WithOption(dhcpv4.OptRouter(serverIP)), dhcpv4.WithLeaseTime(1000),
	)
	if err != nil {
		panic(err)
	}
	m.OpCode = dhcpv4.OpcodeBootReply
	for _, w := range with {
		w(m)
	}
	return Received4{Message: m}
}

// names says in short what the actions are, for tables.
func names4(actions []Action4) string {
	out := ""
	for _, a := range actions {
		switch a := a.(type) {
		case Send4:
			to := ""
			if a.To.IsValid() {
				to = " to " + a.To.String()
			}
			out += "[" + a.Message.MessageType().String() + to + "]"
		case Use4:
			out += "[use " + a.Lease.Address.String() + "]"
		case Drop4:
			out += "[drop]"
		}
	}
	return out
}

func TestTheLifeOfAnIPv4Lease(t *testing.T) {
	offer, ack, nak := dhcpv4.MessageTypeOffer, dhcpv4.MessageTypeAck, dhcpv4.MessageTypeNak
	type step struct {
		at      float64
		event   func(*Client4) Event4
		actions string
		state   State4
		next    float64 // -1: never
	}
	on := func(*Client4) Event4 { return Carrier4{On: true} }
	off := func(*Client4) Event4 { return Carrier4{On: false} }
	tick := func(*Client4) Event4 { return Tick4{} }
	says := func(m dhcpv4.MessageType, with ...dhcpv4.Modifier) func(*Client4) Event4 {
		return func(c *Client4) Event4 { return answer4(c, m, with...) }
	}
	bound := []step{
		{0, on, "[DISCOVER]", Selecting4, 1},
		{0.01, says(offer), "[REQUEST]", Requesting4, 1.01},
		{0.02, says(ack), "[use 10.0.2.15/24]", Bound4, 500.01},
	}
	for _, tt := range []struct {
		name  string
		lease *Lease4
		steps []step
	}{
		{"asks at once, takes the offer, renews at half of the time and is renewed", nil, append(bound[:3:3],
			step{500.01, tick, "[REQUEST to 10.0.2.2]", Renewing4, 687.51},
			step{500.02, says(ack), "[use 10.0.2.15/24]", Bound4, 1000.01},
		)},
		{"nobody answers: tries again after 1, 2, 4 s and so on up to 64 s", nil, []step{
			{0, on, "[DISCOVER]", Selecting4, 1}, {1, tick, "[DISCOVER]", Selecting4, 3}, {3, tick, "[DISCOVER]", Selecting4, 7},
			{7, tick, "[DISCOVER]", Selecting4, 15}, {15, tick, "[DISCOVER]", Selecting4, 31}, {31, tick, "[DISCOVER]", Selecting4, 63},
			{63, tick, "[DISCOVER]", Selecting4, 127}, {127, tick, "[DISCOVER]", Selecting4, 191},
		}},
		{"an offer whose server then is silent is given up after four requests", nil, []step{
			{0, on, "[DISCOVER]", Selecting4, 1}, {0, says(offer), "[REQUEST]", Requesting4, 1}, {1, tick, "[REQUEST]", Requesting4, 3},
			{3, tick, "[REQUEST]", Requesting4, 7}, {7, tick, "[REQUEST]", Requesting4, 15}, {15, tick, "[DISCOVER]", Selecting4, 16},
		}},
		{"a server that does not renew: any server is asked at seven eighths, then it starts anew", nil, append(bound[:3:3],
			step{500.01, tick, "[REQUEST to 10.0.2.2]", Renewing4, 687.51}, step{687.51, tick, "[REQUEST to 10.0.2.2]", Renewing4, 781.26},
			step{875.01, tick, "[REQUEST]", Rebinding4, 937.51}, step{1000.01, tick, "[drop][DISCOVER]", Selecting4, 1001.01},
		)},
		{"another server renews while rebinding", nil, append(bound[:3:3],
			step{500.01, tick, "[REQUEST to 10.0.2.2]", Renewing4, 687.51}, step{875.01, tick, "[REQUEST]", Rebinding4, 937.51},
			step{875.02, says(ack, dhcpv4.WithOption(dhcpv4.OptServerIdentifier(otherIP))), "[use 10.0.2.15/24]", Bound4, 1000.01},
		)},
		{"a refused renewal takes the address away at once", nil, append(bound[:3:3],
			step{500.01, tick, "[REQUEST to 10.0.2.2]", Renewing4, 687.51}, step{500.02, says(nak), "[drop][DISCOVER]", Selecting4, 501.02},
		)},
		{"a server that offers and refuses in a circle is asked more and more slowly", nil, []step{
			{0, on, "[DISCOVER]", Selecting4, 1}, {0, says(offer), "[REQUEST]", Requesting4, 1}, {0, says(nak), "[DISCOVER]", Selecting4, 1},
			{0, says(offer), "[REQUEST]", Requesting4, 1}, {0, says(nak), "", Selecting4, 1},
			{1, tick, "[DISCOVER]", Selecting4, 2}, {1, says(offer), "[REQUEST]", Requesting4, 2}, {1, says(nak), "", Selecting4, 3},
		}},
		{"a refusal by a server that was not chosen is not meant for us", nil, []step{
			{0, on, "[DISCOVER]", Selecting4, 1}, {0, says(offer), "[REQUEST]", Requesting4, 1},
			{0, says(nak, dhcpv4.WithOption(dhcpv4.OptServerIdentifier(otherIP))), "", Requesting4, 1},
		}},
		{"carrier loss keeps the lease; its return asks for the same address", nil, append(bound[:3:3],
			step{100, off, "", Idle4, 1000.01}, step{110, on, "[REQUEST]", Rebooting4, 111}, step{110.1, says(ack), "[use 10.0.2.15/24]", Bound4, 610},
		)},
		{"carrier returns after the lease ran out", nil, append(bound[:3:3],
			step{100, off, "", Idle4, 1000.01}, step{1000.01, tick, "[drop]", Idle4, -1}, step{2000, on, "[DISCOVER]", Selecting4, 2001},
		)},
		{"carrier returns on a network whose server is silent: looks for another, keeps the address until its end", nil, append(bound[:3:3],
			step{100, off, "", Idle4, 1000.01}, step{990, on, "[REQUEST]", Rebooting4, 991}, step{991, tick, "[REQUEST]", Rebooting4, 993},
			step{993, tick, "[REQUEST]", Rebooting4, 997}, step{997, tick, "[DISCOVER]", Selecting4, 998}, step{998, tick, "[DISCOVER]", Selecting4, 1000},
			step{1000.01, tick, "[drop][DISCOVER]", Selecting4, 1004.01},
		)},
		{"an answer to an older question is not heard", nil, []step{
			{0, on, "[DISCOVER]", Selecting4, 1},
			{0, says(offer, dhcpv4.WithTransactionID(dhcpv4.TransactionID{1, 2, 3, 4})), "", Selecting4, 1},
			{0, says(offer, dhcpv4.WithHwAddr(net.HardwareAddr{2, 0, 0, 0, 0, 1})), "", Selecting4, 1},
			{0, says(ack), "", Selecting4, 1},
		}},
		{"an offer without an address or a server is not taken", nil, []step{
			{0, on, "[DISCOVER]", Selecting4, 1},
			{0, says(offer, dhcpv4.WithYourIP(net.IPv4zero)), "", Selecting4, 1},
			{0, says(offer, dhcpv4.WithoutOption(dhcpv4.OptionServerIdentifier)), "", Selecting4, 1},
		}},
		{"a lease for ever is never renewed", nil, []step{
			{0, on, "[DISCOVER]", Selecting4, 1}, {0, says(offer), "[REQUEST]", Requesting4, 1},
			{0, says(ack, dhcpv4.WithLeaseTime(0xffffffff)), "[use 10.0.2.15/24]", Bound4, -1},
		}},
		{"a restarted service asks whether its lease holds and keeps it meanwhile",
			&Lease4{Address: netip.MustParsePrefix("10.0.2.15/24"), Expires: at(300)}, []step{
				{0, on, "[REQUEST]", Rebooting4, 1}, {0, says(nak), "[drop][DISCOVER]", Selecting4, 1},
			}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := NewClient4(testMAC, "box", tt.lease, middle)
			for i, s := range tt.steps {
				actions := names4(c.Handle(at(s.at), s.event(c)))
				next := Never
				if s.next >= 0 {
					next = at(s.next)
				}
				if actions != s.actions || c.State() != s.state || (c.Next()-next).abs() > Moment(time.Millisecond) {
					t.Fatalf("step %d at %v: got %q, %s, next %v; want %q, %s, next %v",
						i, s.at, actions, c.State(), time.Duration(c.Next()), s.actions, s.state, time.Duration(next))
				}
			}
		})
	}
}

func (m Moment) abs() Moment { return max(m, -m) }

func TestRequestsNameTheAddressWhereTheirStateSaysSo(t *testing.T) {
	c := NewClient4(testMAC, "box", nil, middle)
	send := func(actions []Action4) *dhcpv4.DHCPv4 {
		t.Helper()
		if len(actions) == 0 {
			t.Fatal("nothing was sent")
		}
		s, ok := actions[0].(Send4)
		if !ok {
			t.Fatalf("%T, want a message", actions[0])
		}
		return s.Message
	}
	discover := send(c.Handle(0, Carrier4{On: true}))
	if discover.HostName() != "box" || !discover.ClientIPAddr.IsUnspecified() || discover.IsBroadcast() {
		t.Errorf("discover: %s", discover.Summary())
	}
	selecting := send(c.Handle(0, answer4(c, dhcpv4.MessageTypeOffer)))
	if !selecting.RequestedIPAddress().Equal(hostIP) || !selecting.ServerIdentifier().Equal(serverIP) {
		t.Errorf("request for an offer: %s", selecting.Summary())
	}
	c.Handle(0, answer4(c, dhcpv4.MessageTypeAck))
	renewing := send(c.Handle(at(500), Tick4{}))
	if renewing.RequestedIPAddress() != nil || renewing.ServerIdentifier() != nil || !renewing.ClientIPAddr.Equal(hostIP) {
		t.Errorf("renewal: %s", renewing.Summary())
	}
	c.Handle(at(600), Carrier4{On: false})
	rebooting := send(c.Handle(at(601), Carrier4{On: true}))
	if !rebooting.RequestedIPAddress().Equal(hostIP) || rebooting.ServerIdentifier() != nil || !rebooting.ClientIPAddr.IsUnspecified() {
		t.Errorf("request after carrier loss: %s", rebooting.Summary())
	}
}

func TestStatusSaysWhatAPersonWantsToKnow(t *testing.T) {
	c := NewClient4(testMAC, "", nil, middle)
	expect := func(now float64, want string) {
		t.Helper()
		if got := c.Status(at(now)); got != want {
			t.Errorf("at %v: got %q, want %q", now, got, want)
		}
	}
	expect(0, "no carrier")
	c.Handle(0, Carrier4{On: true})
	expect(0, "asking for an address by DHCP")
	for _, s := range []float64{1, 3, 7} {
		c.Handle(at(s), Tick4{})
	}
	expect(7, "no answer to DHCP, retrying in 8 s (attempt 4)")
	c.Handle(at(8), answer4(c, dhcpv4.MessageTypeOffer))
	c.Handle(at(8), answer4(c, dhcpv4.MessageTypeAck))
	expect(8, "10.0.2.15/24 from DHCP, gateway 10.0.2.2")
	c.Handle(at(508), Tick4{})
	c.Handle(at(696), Tick4{})
	expect(696, "10.0.2.15/24 from DHCP, gateway 10.0.2.2 (the DHCP server does not answer; the lease ends in 5 min)")
}
