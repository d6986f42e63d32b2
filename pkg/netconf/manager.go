package netconf

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Manager configures all managed interfaces of a machine. It is not safe for
// use by several goroutines: Run is the one that uses it.
type Manager struct {
	System   System
	Hostname string // sent to DHCP servers; may be empty
	Random   Random
	Log      func(format string, args ...any)

	ifaces    map[int]*iface
	synced    bool
	online    bool   // was, once
	reported  report // last
	published [2]string
}

type report struct {
	status string
	online bool
}

// Run handles events until ctx ends or events is closed. Addresses, routes and
// the resolver file stay as they are: a restart of this service must disturb
// no connection.
func (m *Manager) Run(ctx context.Context, events <-chan Event) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-events:
			if !ok {
				return nil
			}
			m.Handle(e)
		case <-timer.C:
			m.Tick()
		}
		if next := m.Next(); next == Never {
			timer.Stop()
		} else {
			timer.Reset(next.Until(m.System.Now()))
		}
	}
}

// Next is when Tick is due.
func (m *Manager) Next() Moment {
	next := Never
	for _, i := range m.ifaces {
		next = min(next, i.next())
	}
	return next
}

// Tick does what is due.
func (m *Manager) Tick() {
	now := m.System.Now()
	for _, i := range m.sorted() {
		if i.next() > now {
			continue
		}
		m.do4(i, i.four.Handle(now, Tick4{}))
		m.do6(i, i.six.Handle(now, Tick6{}))
		i.learned.Forget(now)
		m.settle(i)
	}
	m.tell()
}

// Handle takes in one event.
func (m *Manager) Handle(e Event) {
	now := m.System.Now()
	switch e := e.(type) {
	case LinkSeen:
		m.linkSeen(now, e.Link)
	case LinkGone:
		m.linkGone(e.Index)
	case Synced:
		m.synced = true
	case RouterFlags:
		m.with(e.Index, func(i *iface) {
			i.mode6 = mode6(e.Managed, e.Other)
			m.mode6(now, i)
		})
	case Local6Seen:
		m.with(e.Index, func(i *iface) {
			i.local = !e.Gone
			m.mode6(now, i)
		})
	case RouterSaid:
		m.with(e.Index, func(i *iface) {
			for _, dns := range e.DNS {
				i.learned.Add(now, dns)
			}
		})
	case Address6Seen:
		m.with(e.Index, func(i *iface) {
			i.sawAddress(e)
			if e.Taken {
				m.do6(i, i.six.Handle(now, Taken6{Address: e.Prefix.Addr()}))
			}
		})
	case Gateway6Seen:
		m.with(e.Index, func(i *iface) { i.sawGateway(e) })
	case Packet4:
		m.with(e.Index, func(i *iface) { m.do4(i, i.four.Handle(now, Received4{Message: e.Message})) })
	case Packet6:
		m.with(e.Index, func(i *iface) { m.do6(i, i.six.Handle(now, Received6{Message: e.Message})) })
	}
	m.tell()
}

// with runs f on a managed interface and puts in force what changed.
func (m *Manager) with(index int, f func(*iface)) {
	if i := m.ifaces[index]; i != nil {
		f(i)
		m.settle(i)
	}
}

func (m *Manager) linkSeen(now Moment, l Link) {
	i := m.ifaces[l.Index]
	switch {
	case i == nil && l.Managed:
		i = m.adopt(now, l)
	case i == nil:
		return
	case !l.Managed:
		m.giveUp(i)
		return
	}
	m.carrier(now, i, l)
	m.settle(i)
}

// adopt takes a new interface on.
func (m *Manager) adopt(now Moment, l Link) *iface {
	rec, _ := m.System.Load(l.Index)
	i := newIface(l, m.Hostname, rec, now, m.Random)
	i.link.Carrier = false // so that carrier sees an edge
	if m.ifaces == nil {
		m.ifaces = map[int]*iface{}
	}
	m.ifaces[l.Index] = i
	if err := m.System.Adopt(l); err != nil {
		m.trouble(i, err)
	}
	if !l.Up {
		if err := m.System.SwitchOn(l.Index); err != nil {
			m.trouble(i, err)
		}
	}
	return i
}

// carrier takes in the link's new state.
func (m *Manager) carrier(now Moment, i *iface, l Link) {
	had := i.link.Carrier
	i.link = l
	if had == l.Carrier {
		return
	}
	if !l.Carrier {
		m.Log("%s: carrier lost", l.Name)
		m.do4(i, i.four.Handle(now, Carrier4{On: false}))
		m.mode6(now, i)
		return
	}
	m.Log("%s: carrier", l.Name)
	if i.four.Lease() != nil || i.six.Lease() != nil {
		m.put(i) // switching an interface off and on loses its routes
	}
	m.do4(i, i.four.Handle(now, Carrier4{On: true}))
	m.mode6(now, i)
	// The kernel asks routers only when an interface is switched on. Where it
	// does so at this very moment there is no address to ask from, which is
	// the error ignored here.
	_ = m.System.SolicitRouters(l.Index)
}

// mode6 has DHCPv6 do what routers want as long as it can.
func (m *Manager) mode6(now Moment, i *iface) {
	mode := None6
	if i.link.Carrier && i.local {
		mode = i.mode6
	}
	m.do6(i, i.six.Handle(now, Router6{Mode: mode}))
}

func (m *Manager) linkGone(index int) {
	i := m.ifaces[index]
	if i == nil {
		return
	}
	m.Log("%s: unplugged", i.link.Name)
	m.System.Release(index)
	m.System.Discard(index)
	delete(m.ifaces, index)
}

// giveUp leaves an interface to someone else (it became part of a bridge).
func (m *Manager) giveUp(i *iface) {
	m.Log("%s: left to others", i.link.Name)
	if err := m.System.Apply(i.link.Index, Desired{MTU: i.own}, i.applied); err != nil {
		m.Log("%s: %v", i.link.Name, err)
	}
	m.System.Release(i.link.Index)
	m.System.Discard(i.link.Index)
	delete(m.ifaces, i.link.Index)
}

func (m *Manager) do4(i *iface, actions []Action4) {
	for _, a := range actions {
		switch a := a.(type) {
		case Send4:
			if err := m.System.Send4(i.link.Index, a.Message, a.To); err != nil {
				m.Log("%s: %v", i.link.Name, err)
			}
		case Use4:
			m.Log("%s: %s for %s, from DHCP server %s", i.link.Name, a.Lease.Address,
				seconds(a.Lease.Expires.Until(m.System.Now())), a.Lease.Server)
			m.put(i)
		case Drop4:
			m.Log("%s: %s", i.link.Name, a.Reason)
			m.put(i)
		}
	}
}

func (m *Manager) do6(i *iface, actions []Action6) {
	for _, a := range actions {
		switch a := a.(type) {
		case Send6:
			if err := m.System.Send6(i.link.Index, a.Message); err != nil {
				m.Log("%s: %v", i.link.Name, err)
			}
		case Use6:
			for _, addr := range a.Lease.Addresses {
				m.Log("%s: %s from DHCPv6", i.link.Name, addr.Address)
			}
			m.put(i)
		case Drop6:
			m.Log("%s: %s", i.link.Name, a.Reason)
			m.put(i)
		}
	}
}

// put brings the kernel to what the leases say.
func (m *Manager) put(i *iface) {
	want := i.desired()
	if err := m.System.Apply(i.link.Index, want, want.Stale(i.applied)); err != nil {
		m.trouble(i, err)
	} else {
		i.problem = ""
	}
	i.applied = want
}

// settle saves what must survive a restart, and first takes away what an
// earlier run left that no lease covers any more.
func (m *Manager) settle(i *iface) {
	if m.ifaces[i.link.Index] != i {
		return
	}
	if len(i.desired().Stale(i.applied).Addresses) > 0 {
		m.put(i)
	}
	if err := m.System.Save(i.link.Index, i.record()); err != nil {
		m.Log("%s: %v", i.link.Name, err)
	}
}

func (m *Manager) trouble(i *iface, err error) {
	i.problem = err.Error()
	m.Log("%s: %v", i.link.Name, err)
}

// tell publishes names and status when they changed.
func (m *Manager) tell() {
	if !m.synced {
		return // half a picture would take DNS servers away for a moment
	}
	now := m.System.Now()
	var names []Names
	var ntp []netip.Addr
	var lines []string
	for _, i := range m.sorted() {
		if i.link.Carrier {
			names = append(names, i.names())
			ntp = append(ntp, i.ntp()...)
		}
		m.online = m.online || i.online()
		lines = append(lines, i.status(now))
	}
	files := [2]string{ResolvConf(names), ChronySources(ntp)}
	if files != m.published {
		if err := m.System.Publish(files[0], files[1]); err != nil {
			m.Log("%v", err)
		} else {
			m.published = files
		}
	}
	status := strings.Join(lines, "; ")
	if len(lines) == 0 {
		status = "no network interface"
	}
	if r := (report{status, m.online}); r != m.reported {
		m.reported = r
		m.System.Report(r.status, r.online)
	}
}

func (m *Manager) sorted() []*iface {
	out := make([]*iface, 0, len(m.ifaces))
	for _, i := range m.ifaces {
		out = append(out, i)
	}
	slices.SortFunc(out, func(a, b *iface) int { return a.link.Index - b.link.Index })
	return out
}
