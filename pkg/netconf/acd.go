package netconf

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"time"
)

// Address conflict detection for IPv4 (RFC 5227). An address is used at once
// and looked for meanwhile: a boot does not wait the seven seconds that the
// RFC's order of things takes, and a conflict is known about as soon.
const (
	probes        = 3
	probeInterval = time.Second
	announcements = 2
	announceEvery = 2 * time.Second
	defendEvery   = 10 * time.Second // DEFEND_INTERVAL
)

// SendARP asks for an ARP request: a probe when Sender is the zero address, an
// announcement when it is Target.
type SendARP struct{ Sender, Target netip.Addr }

// Conflict is an address that another host has.
type Conflict struct {
	Address netip.Addr
	MAC     net.HardwareAddr
}

// Detector looks after the IPv4 addresses of one interface.
type Detector struct {
	mac     net.HardwareAddr
	watched []*watch
}

type watch struct {
	addr      netip.Addr
	sent      int // probes and announcements
	next      Moment
	defended  Moment
	conflict  net.HardwareAddr
	defending bool
}

// Watch sets the addresses to look after. New ones are probed, those that are
// no longer there forgotten.
func (d *Detector) Watch(now Moment, mac net.HardwareAddr, addrs []netip.Addr) {
	d.mac = mac
	d.watched = slices.DeleteFunc(d.watched, func(w *watch) bool { return !slices.Contains(addrs, w.addr) })
	for _, a := range addrs {
		if !slices.ContainsFunc(d.watched, func(w *watch) bool { return w.addr == a }) {
			d.watched = append(d.watched, &watch{addr: a, next: now})
		}
	}
}

// Again probes all addresses anew: the interface may be on another network.
func (d *Detector) Again(now Moment) {
	for _, w := range d.watched {
		*w = watch{addr: w.addr, next: now}
	}
}

// Addresses are those looked after.
func (d *Detector) Addresses() []netip.Addr {
	var out []netip.Addr
	for _, w := range d.watched {
		out = append(out, w.addr)
	}
	return out
}

// Taken are addresses that another host turned out to have.
func (d *Detector) Taken() []Conflict {
	var out []Conflict
	for _, w := range d.watched {
		if w.conflict != nil {
			out = append(out, Conflict{w.addr, w.conflict})
		}
	}
	return out
}

// Next is when Tick is due.
func (d *Detector) Next() Moment {
	next := Never
	for _, w := range d.watched {
		next = min(next, w.next)
	}
	return next
}

// Tick sends what is due.
func (d *Detector) Tick(now Moment) []SendARP {
	var out []SendARP
	for _, w := range d.watched {
		if now < w.next {
			continue
		}
		w.sent++
		switch {
		case w.sent <= probes:
			out = append(out, SendARP{netip.IPv4Unspecified(), w.addr})
			w.next = now.Add(probeInterval)
		case w.sent <= probes+announcements:
			out = append(out, SendARP{w.addr, w.addr})
			w.next = now.Add(announceEvery)
		default:
			w.next = Never
		}
	}
	return out
}

// Heard takes in an ARP packet that names one of the addresses as its
// sender's. own are the machine's hardware addresses: another card of this
// machine on the same network answers for all its addresses. It gives a
// conflict when that is news, and what to send: an address that was in use for
// a while is defended, once in ten seconds.
func (d *Detector) Heard(now Moment, mac net.HardwareAddr, sender netip.Addr, own []net.HardwareAddr) (*Conflict, []SendARP) {
	i := slices.IndexFunc(d.watched, func(w *watch) bool { return w.addr == sender })
	if i < 0 || slices.ContainsFunc(own, func(o net.HardwareAddr) bool { return bytes.Equal(o, mac) }) {
		return nil, nil
	}
	w := d.watched[i]
	news := w.conflict == nil
	w.conflict = mac
	if w.sent > probes && (!w.defending || w.defended.Add(defendEvery) <= now) {
		w.defending, w.defended = true, now
		if news {
			return &Conflict{sender, mac}, []SendARP{{sender, sender}}
		}
		return nil, []SendARP{{sender, sender}}
	}
	w.next = Never
	if !news {
		return nil, nil
	}
	return &Conflict{sender, mac}, nil
}

// Probing says whether an address is still being looked for.
func (d *Detector) Probing(a netip.Addr) bool {
	return slices.ContainsFunc(d.watched, func(w *watch) bool { return w.addr == a && w.sent <= probes })
}

// localAddress4 gives the attempt'th link-local address of a card: the same
// one on every boot (RFC 3927, 2.1).
func localAddress4(mac net.HardwareAddr, attempt int) netip.Addr {
	seed := uint32(2166136261) // FNV-1a
	for _, b := range append(slices.Clone(mac), byte(attempt)) {
		seed = (seed ^ uint32(b)) * 16777619
	}
	n := seed % (254 * 256) // 169.254.1.0 to 169.254.254.255
	return netip.AddrFrom4([4]byte{169, 254, byte(1 + n>>8), byte(n)})
}
