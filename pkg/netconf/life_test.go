package netconf

import (
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv6"
)

// Whatever comes in whatever order: a client never wants to be called again at
// once (it would ask in a tight circle) and never holds a lease beyond its end.
// Each script is a list of steps, two bytes each: what happens, and how.

func FuzzLifeOfClient4(f *testing.F) {
	f.Add([]byte{1, 0, 3, 2, 3, 5, 0, 0, 0, 0, 3, 6, 2, 0, 1, 0}, uint32(60), uint32(0), uint32(0))
	f.Add([]byte{1, 0, 3, 2, 3, 5, 4, 200, 0, 0, 0, 0, 0, 0}, uint32(3), uint32(9), uint32(1))
	f.Fuzz(func(t *testing.T, script []byte, length, t1, t2 uint32) {
		c := NewClient4(testMAC, "", nil, middle)
		now := Moment(0)
		for ; len(script) >= 2; script = script[2:] {
			var e Event4 = Tick4{}
			switch script[0] % 5 {
			case 0:
				if c.Next() != Never {
					now = max(now, c.Next())
				}
			case 1:
				e = Carrier4{On: true}
			case 2:
				e = Carrier4{On: false}
			case 3:
				e = answer4(c, dhcpv4.MessageType(script[1]%9), dhcpv4.WithLeaseTime(length),
					dhcpv4.WithOption(dhcpv4.OptRenewTimeValue(time.Duration(t1)*time.Second)),
					dhcpv4.WithOption(dhcpv4.OptRebindingTimeValue(time.Duration(t2)*time.Second)))
			case 4:
				now = now.Add(time.Duration(script[1]) * time.Second)
			}
			if actions := c.Handle(now, e); len(actions) > 3 {
				t.Fatalf("one event leads to %s", names4(actions))
			}
			c.Handle(now, Tick4{}) // what was due meanwhile
			if c.Next() <= now {
				t.Fatalf("in state %s at %d the client wants to be called at %d", c.State(), now, c.Next())
			}
			if l := c.Lease(); l != nil && l.Expires <= now {
				t.Fatalf("at %d the lease is %+v", now, l)
			}
			if c.Status(now) == "" {
				t.Fatalf("in state %s there is nothing to say", c.State())
			}
		}
	})
}

func FuzzLifeOfClient6(f *testing.F) {
	f.Add([]byte{1, 2, 3, 2, 3, 7, 0, 0, 0, 0, 3, 7, 5, 0, 0, 0, 1, 0}, uint32(30), uint32(60), uint32(0), uint32(0))
	f.Add([]byte{1, 1, 3, 7, 0, 0, 3, 7, 4, 9, 1, 2, 3, 2, 3, 7}, uint32(5), uint32(5), uint32(9), uint32(1))
	f.Fuzz(func(t *testing.T, script []byte, preferred, valid, t1, t2 uint32) {
		c := NewClient6(testMAC, nil, middle)
		now := Moment(0)
		with := func(m dhcpv6.DHCPv6) {
			ia := &dhcpv6.OptIANA{IaId: c.iaid(), T1: time.Duration(t1) * time.Second, T2: time.Duration(t2) * time.Second}
			ia.Options.Add(&dhcpv6.OptIAAddress{
				IPv6Addr:          []byte{0x20, 1, 0xd, 0xb8, 15: 0x50},
				PreferredLifetime: time.Duration(preferred) * time.Second, ValidLifetime: time.Duration(valid) * time.Second,
			})
			m.AddOption(ia)
		}
		for ; len(script) >= 2; script = script[2:] {
			var e Event6 = Tick6{}
			switch script[0] % 6 {
			case 0:
				if c.Next() != Never {
					now = max(now, c.Next())
				}
			case 1:
				e = Router6{Mode: []Mode6{None6, Other6, Stateful6}[script[1]%3]}
			case 2:
				e = Router6{Mode: None6}
			case 3:
				e = answer6(c, dhcpv6.MessageType(script[1]%14), with)
			case 4:
				now = now.Add(time.Duration(script[1]) * time.Second)
			case 5:
				if l := c.Lease(); l != nil && len(l.Addresses) > 0 {
					e = Taken6{Address: l.Addresses[0].Address}
				}
			}
			if actions := c.Handle(now, e); len(actions) > 3 {
				t.Fatalf("one event leads to %s", names6(actions))
			}
			c.Handle(now, Tick6{}) // what was due meanwhile
			if c.Next() <= now {
				t.Fatalf("in state %s at %d the client wants to be called at %d", c.State(), now, c.Next())
			}
			if l := c.Lease(); l != nil && l.Expires <= now {
				t.Fatalf("at %d the lease is %+v", now, l)
			}
		}
	})
}
