package netconf

import (
	"cmp"
	"context"
	"maps"
	"net"
	"reflect"
	"slices"
	"time"

	"github.com/testudo-os/testudo/pkg/netplan"
)

// Manager configures a machine's network. It is not safe for use by several
// goroutines: Run is the one that uses it.
//
// Events from the kernel and the wire drive the DHCP clients; these and the
// configuration say what is wanted; reconcile compares that with what there is
// and does the difference. Nothing else changes the kernel's state.
type Manager struct {
	System   System
	Settings netplan.Settings
	Hostname string // sent to DHCP servers; may be empty
	Random   Random
	Log      func(format string, args ...any)

	ifaces   map[int]*iface
	claims   []claim
	want     *Want
	state    *State
	owned    Owned
	saved    Owned
	loaded   bool
	problems map[string]string // what the kernel refused, by interface
	dirty    bool              // reconcile is due
	retry    Moment            // and when it is in any case; 0: not
	failures int               // rounds in a row in which the kernel refused something
	switches switches
	tuned    map[int]Tuning
	watched  map[int][]string
	synced   bool

	online    online
	reported  report // last
	published [2]string
	told      Picture
}

type report struct {
	status string
	ready  bool
}

// maxRounds bounds how often the plan is made anew until nothing is left to
// do: interfaces on interfaces on interfaces take one each.
const maxRounds = 24

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
			m.take(e)
			for range len(events) { // what has come together is looked at once
				m.take(<-events)
			}
			m.settle()
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
	next := m.online.next()
	if m.retry != 0 {
		next = min(next, m.retry)
	}
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
		m.arp(i, i.acd.Tick(now))
	}
	m.settle()
}

// Handle takes in one event and does what follows.
func (m *Manager) Handle(e Event) {
	m.take(e)
	m.settle()
}

// take takes in one event.
func (m *Manager) take(e Event) {
	now := m.System.Now()
	switch e := e.(type) {
	case LinkSeen:
		if i := m.ifaces[e.Index]; i != nil {
			m.carrier(now, i, e.Link)
		}
		m.switches.see(e.Index, e.Up)
		m.dirty = true
	case LinkGone:
		m.linkGone(e.Index)
		m.dirty = true
	case Changed:
		m.dirty = true
	case Configured:
		if reflect.DeepEqual(e.Settings, m.Settings) {
			return
		}
		m.Log("new configuration")
		m.Settings = e.Settings
		m.online.reset()
		m.dirty = true
	case Synced:
		m.synced = true
	case Reached:
		m.online.reached(now, e)
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
		m.dirty = m.dirty || e.Gone
	case Gateway6Seen:
		m.with(e.Index, func(i *iface) { i.sawGateway(e) })
	case ARPSeen:
		m.with(e.Index, func(i *iface) { m.heard(now, i, e) })
	case Packet4:
		m.with(e.Index, func(i *iface) { m.do4(i, i.four.Handle(now, Received4{Message: e.Message})) })
	case Packet6:
		m.with(e.Index, func(i *iface) { m.do6(i, i.six.Handle(now, Received6{Message: e.Message})) })
	}
}

func (m *Manager) with(index int, f func(*iface)) {
	if i := m.ifaces[index]; i != nil {
		f(i)
	}
}

// settle puts in force what follows from what was taken in, saves what must
// survive a restart, and tells how things stand.
func (m *Manager) settle() {
	now := m.System.Now()
	if m.dirty || m.retry != 0 && now >= m.retry {
		m.save() // before it is in force: a crash must not forget a lease
		m.reconcile(now)
	}
	m.save()
	m.tell()
}

// save keeps leases for the next run.
func (m *Manager) save() {
	for _, i := range m.sorted() {
		if err := m.System.Save(i.link.Index, i.record()); err != nil {
			m.Log("%s: %v", i.link.Name, err)
		}
	}
}

func (m *Manager) config() *netplan.Config {
	if m.Settings.Network == nil {
		return everyCard()
	}
	return m.Settings.Network
}

func (m *Manager) leases() map[int]Leases {
	out := map[int]Leases{}
	for index, i := range m.ifaces {
		out[index] = i.leases()
	}
	return out
}

// reconcile does the difference between what there is and what is wanted.
func (m *Manager) reconcile(now Moment) {
	m.dirty, m.retry = false, 0
	if !m.loaded {
		m.owned, _ = m.System.LoadOwned()
		m.saved, m.loaded = m.owned, true
	}
	problems := map[string]string{}
	// Before there are addresses to reach the machine at.
	refused := m.System.Filter(m.Settings.Testudo.Firewall)
	for range maxRounds {
		state, err := m.System.Observe()
		if err != nil {
			problems[""] = err.Error()
			break
		}
		m.state = state
		m.want, m.claims = wanted(m.config(), state, &m.owned, m.leases())
		if m.adoptAll(now) {
			m.want, m.claims = wanted(m.config(), state, &m.owned, m.leases())
		}
		m.switches.apply(m.want, state)
		actions := Plan(m.want, state, &m.owned, now)
		if len(actions) == 0 {
			m.own(m.owned.Next(m.want, state))
			break
		}
		m.remember(actions, state)
		m.own(m.owned.Next(m.want, state))
		if !m.carryOut(actions, problems) {
			break
		}
	}
	if refused != nil {
		problems[""] = refused.Error()
	}
	m.note(now, problems)
	for _, i := range m.ifaces {
		m.watch(now, i)
	}
}

// carryOut does the actions and says whether it got anywhere.
func (m *Manager) carryOut(actions []Action, problems map[string]string) bool {
	done := 0
	clear(problems)
	for i, a := range actions {
		if err := m.System.Do(a); err != nil {
			problems[a.link()] = a.String() + ": " + err.Error()
			continue
		}
		done++
		m.Log("%s", a)
		m.restored(a)
		if t, ok := a.(SetTunnel); ok {
			if m.owned.Tunnels == nil {
				m.owned.Tunnels = map[int]string{}
			}
			m.owned.Tunnels[t.Index] = t.Tunnel.hash()
		}
		if s, ok := a.(SetUp); ok {
			m.switches.did(s.Index, s.On)
			if i+1 < len(actions) && !isSetUp(actions[i+1]) {
				return true // what is on can begin to ask; the rest is planned anew
			}
		}
	}
	return done > 0
}

func isSetUp(a Action) bool {
	_, ok := a.(SetUp)
	return ok
}

// note keeps what the kernel refused, and tries again later: what was in the
// way may go without an event.
func (m *Manager) note(now Moment, problems map[string]string) {
	for name, text := range problems {
		if m.problems[name] != text {
			m.Log("%s", text)
		}
	}
	m.problems = problems
	if len(problems) == 0 {
		m.failures = 0
		return
	}
	m.failures++
	m.retry = now.Add(retryDelay(m.failures, m.Random))
}

// own saves what is owned, before it is made.
func (m *Manager) own(next Owned) {
	m.owned = next
	if reflect.DeepEqual(next, m.saved) {
		return
	}
	if err := m.System.SaveOwned(next); err != nil {
		m.Log("%v", err)
		return
	}
	m.saved = next
	m.saved.Originals = maps.Clone(next.Originals)
	m.saved.Tunnels = maps.Clone(next.Tunnels)
}

// remember keeps how interfaces were before they are changed.
func (m *Manager) remember(actions []Action, state *State) {
	change := func(index int, f func(*Original, Link)) {
		l := state.link(index)
		if l == nil || m.owned.link(*l) {
			return
		}
		if m.owned.Originals == nil {
			m.owned.Originals = map[int]Original{}
		}
		was := m.owned.Originals[index]
		f(&was, *l)
		m.owned.Originals[index] = was
	}
	for _, a := range actions {
		switch a := a.(type) {
		case RenameLink:
			change(a.Index, func(was *Original, l Link) { was.Name = cmp.Or(was.Name, l.Name) })
		case SetMAC:
			change(a.Index, func(was *Original, l Link) { was.MAC = cmp.Or(was.MAC, l.MAC.String()) })
		case SetMTU:
			change(a.Index, func(was *Original, l Link) { was.MTU = cmp.Or(was.MTU, l.MTU) })
		case SetMaster:
			if a.Master != 0 { // a bond gives its ports its own address and MTU
				change(a.Index, func(was *Original, l Link) {
					was.MAC, was.MTU, was.Master = cmp.Or(was.MAC, l.MAC.String()), cmp.Or(was.MTU, l.MTU), true
				})
			}
		}
	}
	// An interface that is gone takes its history along.
	maps.DeleteFunc(m.owned.Originals, func(index int, _ Original) bool { return state.link(index) == nil })
}

// restored forgets what an interface has got back: from then on it is nobody's
// business who changes that.
func (m *Manager) restored(a Action) {
	index := 0
	var f func(*Original)
	switch a := a.(type) {
	case RenameLink:
		index, f = a.Index, func(was *Original) {
			if was.Name == a.To {
				was.Name = ""
			}
		}
	case SetMAC:
		index, f = a.Index, func(was *Original) {
			if was.MAC == a.MAC.String() {
				was.MAC = ""
			}
		}
	case SetMTU:
		index, f = a.Index, func(was *Original) {
			if was.MTU == a.MTU {
				was.MTU = 0
			}
		}
	case SetMaster:
		index, f = a.Index, func(was *Original) { was.Master = a.Master != 0 }
	}
	was, ok := m.owned.Originals[index]
	if !ok {
		return
	}
	f(&was)
	if m.owned.Originals[index] = was; was == (Original{}) {
		delete(m.owned.Originals, index)
	}
}

// adoptAll takes on the interfaces that are claimed and lets go of others. It
// says whether leases have changed by that.
func (m *Manager) adoptAll(now Moment) bool {
	wanted := map[int]claim{}
	w := &wanter{c: m.config()}
	w.members()
	for _, cl := range m.claims {
		if cl.link == nil {
			continue
		}
		m.tune(cl, w)
		if cl.link.hasMAC() && !w.isPort(cl.id) {
			wanted[cl.link.Index] = cl
		}
	}
	changed := false
	for _, i := range m.sorted() {
		cl, ok := wanted[i.link.Index]
		switch {
		case m.state.link(i.link.Index) == nil:
			m.linkGone(i.link.Index)
			changed = true
		case !ok:
			m.giveUp(i)
			changed = true
		case i.link.MAC.String() != cl.link.MAC.String():
			m.Log("%s: another hardware address", cl.link.Name)
			m.letGo(i)
			changed = true
		case i.link.Name != cl.link.Name:
			m.System.Release(i.link.Index)
			i.link.Name = cl.link.Name
			if err := m.System.Adopt(*cl.link); err != nil {
				i.problem = err.Error()
			}
			delete(m.watched, i.link.Index)
		}
	}
	for _, index := range slices.Sorted(maps.Keys(wanted)) {
		cl := wanted[index]
		i := m.ifaces[index]
		if i == nil {
			m.adopt(now, cl)
			changed = true
			continue
		}
		m.reclaim(now, i, cl)
		m.carrier(now, i, *cl.link)
		i.link = *cl.link
	}
	return changed
}

// tune sets what the kernel is to do by itself on an interface.
func (m *Manager) tune(cl claim, w *wanter) {
	if cl.link.Loopback {
		return
	}
	t := tuning(cl, w.isPort(cl.id))
	if have, ok := m.tuned[cl.link.Index]; ok && reflect.DeepEqual(have, t) {
		return
	}
	if err := m.System.Tune(*cl.link, t); err != nil {
		m.Log("%s: %v", cl.link.Name, err)
	}
	if m.tuned == nil {
		m.tuned = map[int]Tuning{}
	}
	m.tuned[cl.link.Index] = t
}

func tuning(cl claim, port bool) Tuning {
	t := Tuning{AcceptRA: use(cl.dev.AcceptRA) && !port, Metric: Metric(cl.link.Index), Generation: "eui64"}
	if m := cl.dev.DHCP6Overrides.RouteMetric; m != nil {
		t.Metric = *m
	}
	if cl.dev.IPv6Generation != "" {
		t.Generation = cl.dev.IPv6Generation
	}
	if l := cl.dev.LinkLocal; port || l != nil && !slices.Contains(*l, "ipv6") {
		t.Generation = "none"
	}
	t.Privacy = cl.dev.IPv6Privacy != nil && *cl.dev.IPv6Privacy
	if a := cl.dev.IPv6Token; a != nil {
		t.Token = a.Addr
	}
	if mtu := cl.dev.IPv6MTU; mtu != nil {
		t.MTU6 = *mtu
	}
	if cl.eth != nil {
		t.WakeOnLAN, t.Offloads = cl.eth.WakeOnLAN, cl.eth.Offloads
	}
	return t
}

// reclaim takes in a definition that may have changed.
func (m *Manager) reclaim(now Moment, i *iface, cl claim) {
	old := i.claim
	i.claim = cl
	if reflect.DeepEqual(old.dev, cl.dev) {
		return
	}
	rec := i.record()
	if !i.asks4() {
		rec.Lease4 = nil
	}
	if !i.asks6() {
		rec.Lease6 = nil
	}
	same := old.dev.DHCPIdentifier == cl.dev.DHCPIdentifier && reflect.DeepEqual(old.dev.LinkLocal, cl.dev.LinkLocal) &&
		reflect.DeepEqual(old.dev.DHCP4, cl.dev.DHCP4) && reflect.DeepEqual(old.dev.DHCP6, cl.dev.DHCP6) &&
		reflect.DeepEqual(old.dev.AcceptRA, cl.dev.AcceptRA) &&
		old.dev.DHCP4Overrides.Hostname == cl.dev.DHCP4Overrides.Hostname && use(old.dev.DHCP4Overrides.SendHostname) == use(cl.dev.DHCP4Overrides.SendHostname) &&
		reflect.DeepEqual(old.dev.DHCP6Overrides.PrefixHint, cl.dev.DHCP6Overrides.PrefixHint)
	if same {
		return
	}
	i.clients(m.Hostname, rec, m.Random)
	if i.link.Carrier {
		m.ask(now, i)
	}
}

// adopt takes a new interface on.
func (m *Manager) adopt(now Moment, cl claim) *iface {
	rec, _ := m.System.Load(cl.link.Index)
	i := newIface(cl, m.Hostname, rec, now, m.Random)
	i.seed(m.state)
	if m.ifaces == nil {
		m.ifaces = map[int]*iface{}
	}
	m.ifaces[cl.link.Index] = i
	if err := m.System.Adopt(*cl.link); err != nil {
		i.problem = err.Error()
		m.Log("%s: %v", cl.link.Name, err)
	}
	i.link.Carrier = false // so that carrier sees an edge
	m.carrier(now, i, *cl.link)
	return i
}

// carrier takes in the link's new state. Messages may be older than what
// Observe has read since; and what it read may have changed twice meanwhile.
func (m *Manager) carrier(now Moment, i *iface, l Link) {
	if l.Changes < i.link.Changes {
		return
	}
	had, flapped := i.link.Carrier, l.Changes > i.link.Changes+1
	i.link.Up, i.link.Carrier, i.link.Changes = l.Up, l.Carrier, l.Changes
	if had == l.Carrier && !(had && flapped) {
		return
	}
	if had {
		m.Log("%s: carrier lost", i.link.Name)
		i.link.Carrier = false
		m.do4(i, i.four.Handle(now, Carrier4{On: false}))
		m.mode6(now, i)
		i.link.Carrier = l.Carrier
	}
	if !l.Carrier {
		return
	}
	m.Log("%s: carrier", i.link.Name)
	i.acd.Again(now)
	m.ask(now, i)
	if !use(i.claim.dev.AcceptRA) {
		return
	}
	// The kernel asks routers only when an interface is switched on. Where it
	// does so at this very moment there is no address to ask from, which is
	// the error ignored here.
	_ = m.System.SolicitRouters(i.link.Index)
}

// ask starts the protocols on an interface that has carrier.
func (m *Manager) ask(now Moment, i *iface) {
	if i.asks4() {
		m.do4(i, i.four.Handle(now, Carrier4{On: true}))
	}
	m.mode6(now, i)
}

// mode6 has DHCPv6 do what routers want as long as it can.
func (m *Manager) mode6(now Moment, i *iface) {
	m.do6(i, i.six.Handle(now, Router6{Mode: i.wants6()}))
}

// watch says whose ARP packets an interface listens for, and begins to look
// for other hosts that have its addresses.
func (m *Manager) watch(now Moment, i *iface) {
	addrs := i.addresses4()
	i.acd.Watch(now, i.link.MAC, addrs)
	var texts []string
	for _, a := range addrs {
		texts = append(texts, a.String())
	}
	if slices.Equal(texts, m.watched[i.link.Index]) {
		if i.link.Carrier && i.acd.Next() <= now {
			m.arp(i, i.acd.Tick(now))
		}
		return
	}
	if m.watched == nil {
		m.watched = map[int][]string{}
	}
	m.watched[i.link.Index] = texts
	if err := m.System.Watch4(i.link.Index, addrs); err != nil {
		m.Log("%s: %v", i.link.Name, err)
	}
	m.arp(i, i.acd.Tick(now))
}

func (m *Manager) arp(i *iface, list []SendARP) {
	for _, a := range list {
		if !i.link.Carrier {
			continue
		}
		if err := m.System.SendARP(i.link.Index, a); err != nil {
			m.Log("%s: %v", i.link.Name, err)
		}
	}
}

// heard is an ARP packet from a host with one of our addresses, or from us.
func (m *Manager) heard(now Moment, i *iface, e ARPSeen) {
	var own []net.HardwareAddr
	if m.state != nil {
		for _, l := range m.state.Links {
			own = append(own, l.MAC)
		}
	}
	probing := i.acd.Probing(e.Sender)
	conflict, send := i.acd.Heard(now, e.MAC, e.Sender, own)
	if conflict == nil {
		m.arp(i, send)
		return
	}
	m.Log("%s: %s is also used by another host (%s)", i.link.Name, conflict.Address, conflict.MAC)
	leases := i.leases()
	switch {
	case probing && leases.Four != nil && leases.Four.Address.Addr() == conflict.Address:
		m.do4(i, i.four.Handle(now, Conflict4{MAC: conflict.MAC}))
	case probing && leases.Local4 == conflict.Address:
		i.local4++
		m.dirty = true
	default:
		m.arp(i, send)
	}
}

func (m *Manager) linkGone(index int) {
	delete(m.tuned, index)
	delete(m.watched, index)
	m.switches.forget(index)
	i := m.ifaces[index]
	if i == nil {
		return
	}
	m.Log("%s: unplugged", i.link.Name)
	m.letGo(i)
	m.System.Discard(index)
}

// letGo closes an interface's sockets.
func (m *Manager) letGo(i *iface) {
	m.System.Release(i.link.Index)
	delete(m.ifaces, i.link.Index)
	delete(m.watched, i.link.Index)
}

// giveUp leaves an interface to someone else (it became part of a bridge).
func (m *Manager) giveUp(i *iface) {
	m.Log("%s: left to others", i.link.Name)
	m.letGo(i)
	m.System.Discard(i.link.Index)
	delete(m.tuned, i.link.Index)
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
			m.dirty = true
		case Drop4:
			m.Log("%s: %s", i.link.Name, a.Reason)
			m.dirty = true
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
			for _, p := range a.Lease.Prefixes {
				m.Log("%s: the prefix %s is delegated by DHCPv6", i.link.Name, p)
			}
			m.dirty = true
		case Drop6:
			m.Log("%s: %s", i.link.Name, a.Reason)
			m.dirty = true
		}
	}
}

func (m *Manager) sorted() []*iface {
	out := slices.Collect(maps.Values(m.ifaces))
	slices.SortFunc(out, func(a, b *iface) int { return a.link.Index - b.link.Index })
	return out
}

// switches knows which interfaces a person has switched off: these stay off.
type switches struct{ on, off map[int]bool }

func (s *switches) init() {
	if s.on == nil {
		s.on, s.off = map[int]bool{}, map[int]bool{}
	}
}

// see takes in whether an interface is on.
func (s *switches) see(index int, up bool) {
	s.init()
	if up {
		s.on[index] = true
		delete(s.off, index)
	} else if s.on[index] {
		s.off[index] = true
	}
}

// did takes in what the service itself did.
func (s *switches) did(index int, on bool) {
	s.init()
	delete(s.off, index)
	delete(s.on, index)
	if on {
		s.on[index] = true
	}
}

func (s *switches) forget(index int) {
	delete(s.on, index)
	delete(s.off, index)
}

// apply leaves alone what a person switched off.
func (s *switches) apply(w *Want, have *State) {
	for _, l := range have.Links {
		s.see(l.Index, l.Up)
	}
	for i := range w.Links {
		if s.off[w.Links[i].Index] {
			w.Links[i].Up = false
		}
	}
}
