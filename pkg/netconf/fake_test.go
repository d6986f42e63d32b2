package netconf

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv6"

	"github.com/testudo-os/testudo/pkg/netconf/linkopt"
	"github.com/testudo-os/testudo/pkg/netplan"
)

// fake is a machine whose kernel behaves as Linux does where it matters to the
// order of things, and that remembers what was done.
type fake struct {
	now     Moment
	records map[int]Record
	owned   *Owned
	state   State
	index   int // of the last interface
	did     []string
	refuse  func(Action) error
	resolv  string
	status  string
	ready   bool
	picture Picture
	asked   []string // targets
	watched map[int][]netip.Addr
}

func newFake() *fake {
	return &fake{records: map[int]Record{}, watched: map[int][]netip.Addr{}, index: 1}
}

func (f *fake) note(format string, args ...any) { f.did = append(f.did, fmt.Sprintf(format, args...)) }

// since gives what was done since the last call.
func (f *fake) since() string {
	out := strings.Join(f.did, "; ")
	f.did = nil
	return out
}

func (f *fake) Now() Moment             { return f.now }
func (f *fake) Adopt(l Link) error      { f.note("adopt %s", l.Name); return nil }
func (f *fake) Release(index int)       { f.note("release %d", index) }
func (f *fake) Tune(Link, Tuning) error { return nil }
func (f *fake) Send4(index int, m *dhcpv4.DHCPv4, _ netip.Addr) error {
	f.note("send %s on %d", m.MessageType(), index)
	return nil
}
func (f *fake) Send6(index int, m *dhcpv6.Message) error {
	f.note("send %s on %d", m.MessageType, index)
	return nil
}
func (f *fake) SendARP(int, SendARP) error             { return nil }
func (f *fake) Watch4(index int, a []netip.Addr) error { f.watched[index] = a; return nil }
func (f *fake) SolicitRouters(int) error               { return nil }
func (f *fake) Reach(target string)                    { f.asked = append(f.asked, target) }
func (f *fake) Filter(netplan.Firewall) error          { return nil }
func (f *fake) Load(index int) (Record, bool)          { r, ok := f.records[index]; return r, ok }
func (f *fake) Save(index int, r Record) error         { f.records[index] = r; return nil }
func (f *fake) Discard(index int)                      { delete(f.records, index) }
func (f *fake) Publish(resolv, _ string) error         { f.resolv = resolv; return nil }
func (f *fake) Tell(p Picture) error                   { f.picture = p; return nil }
func (f *fake) Report(status string, ready bool)       { f.status, f.ready = status, ready }
func (f *fake) SaveOwned(o Owned) error                { f.owned = &o; return nil }
func (f *fake) LoadOwned() (Owned, bool) {
	if f.owned == nil {
		return Owned{}, false
	}
	return *f.owned, true
}

func (f *fake) Observe() (*State, error) {
	s := State{Links: slices.Clone(f.state.Links), Addresses: slices.Clone(f.state.Addresses), Routes: slices.Clone(f.state.Routes), Rules: slices.Clone(f.state.Rules)}
	for i := range s.Links {
		s.Links[i].Options = maps.Clone(s.Links[i].Options)
		s.Links[i].Port = maps.Clone(s.Links[i].Port)
		s.Links[i].VLANs = slices.Clone(s.Links[i].VLANs)
	}
	return &s, nil
}

// card plugs a network card in; it is off and its cable is connected.
func (f *fake) card(name string) *Link {
	f.index++
	mac := net.HardwareAddr{0x52, 0x54, 0, 0, 0, byte(f.index)}
	f.state.Links = append(f.state.Links, Link{Index: f.index, Name: name, MAC: mac, PermMAC: mac, MTU: 1500, Physical: true, Ethernet: true})
	return f.link(f.index)
}

func (f *fake) link(index int) *Link    { return f.state.link(index) }
func (f *fake) named(name string) *Link { return f.state.named(name) }

var (
	errExists  = errors.New("file exists")
	errNoSuch  = errors.New("no such device")
	errDown    = errors.New("network is down")
	errNoRoute = errors.New("network is unreachable")
	errBusy    = errors.New("device or resource busy")
)

func (f *fake) Do(a Action) error {
	if f.refuse != nil {
		if err := f.refuse(a); err != nil {
			return err
		}
	}
	if err := f.apply(a); err != nil {
		return err
	}
	f.note("%s", a)
	return nil
}

func (f *fake) apply(a Action) error {
	switch a := a.(type) {
	case CreateLink:
		return f.create(a)
	case DeleteLink:
		return f.delete(a.Index)
	case AddAddress:
		l := f.link(a.Index)
		if l == nil {
			return errNoSuch
		}
		f.state.Addresses = slices.DeleteFunc(f.state.Addresses, a.LinkAddress.is)
		f.state.Addresses = append(f.state.Addresses, a.LinkAddress)
		return nil
	case DeleteAddress:
		f.state.Addresses = slices.DeleteFunc(f.state.Addresses, a.LinkAddress.is)
		return nil
	case AddRoute:
		return f.addRoute(a.RouteEntry)
	case DeleteRoute:
		f.state.Routes = slices.DeleteFunc(f.state.Routes, a.RouteEntry.same)
		return nil
	case AddRule:
		f.state.Rules = append(f.state.Rules, a.Rule)
		return nil
	case DeleteRule:
		f.state.Rules = slices.DeleteFunc(f.state.Rules, func(r Rule) bool { return r == a.Rule })
		return nil
	}
	return f.change(a)
}

func (f *fake) create(a CreateLink) error {
	for _, name := range []string{a.Name, a.Peer} {
		if name != "" && f.named(name) != nil {
			return errExists
		}
	}
	add := func(name string) int {
		f.index++
		mac := a.MAC
		if mac == nil {
			mac = net.HardwareAddr{2, 0, 0, 0, 0, byte(f.index)}
		}
		mtu := a.MTU
		if mtu == 0 {
			mtu = 1500
		}
		f.state.Links = append(f.state.Links, Link{Index: f.index, Name: name, Kind: a.Kind, Lower: a.Lower, Options: maps.Clone(a.Options), MAC: mac, MTU: mtu, Ethernet: true})
		return f.index
	}
	first := add(a.Name)
	if a.Peer != "" {
		second := add(a.Peer)
		f.link(first).Lower, f.link(second).Lower = second, first
	}
	return nil
}

func (f *fake) delete(index int) error {
	l := f.link(index)
	if l == nil {
		return errNoSuch
	}
	kind, lower := l.Kind, l.Lower
	f.state.Links = slices.DeleteFunc(f.state.Links, func(l Link) bool { return l.Index == index })
	f.state.Addresses = slices.DeleteFunc(f.state.Addresses, func(a LinkAddress) bool { return a.Index == index })
	f.state.Routes = slices.DeleteFunc(f.state.Routes, func(r RouteEntry) bool { return r.Index == index })
	for _, other := range slices.Clone(f.state.Links) {
		if other.Master == index {
			f.link(other.Index).Master = 0
		}
		if other.Lower == index || kind == "veth" && other.Index == lower {
			_ = f.delete(other.Index)
		}
	}
	return nil
}

func (f *fake) addRoute(r RouteEntry) error {
	if l := f.link(r.Index); r.Index != 0 && (l == nil || !l.Up) {
		return errDown
	}
	reached := r.OnLink || !r.Gateway.IsValid() || r.Gateway.IsLinkLocalUnicast()
	for _, o := range f.state.Routes {
		reached = reached || o.Index == r.Index && !o.Gateway.IsValid() && o.To.Contains(r.Gateway)
	}
	for _, a := range f.state.Addresses { // IPv6 addresses bring their networks
		reached = reached || a.Index == r.Index && a.Prefix.Addr().Is6() && a.Prefix.Contains(r.Gateway)
	}
	if !reached {
		return errNoRoute
	}
	f.state.Routes = append(slices.DeleteFunc(f.state.Routes, r.same), r)
	return nil
}

// change is about an interface that is there.
func (f *fake) change(a Action) error {
	v := map[string]int{}
	switch a := a.(type) {
	case ChangeLink:
		v["index"] = a.Index
	case RenameLink:
		v["index"] = a.Index
	case SetMAC:
		v["index"] = a.Index
	case SetMTU:
		v["index"] = a.Index
	case SetMaster:
		v["index"] = a.Index
	case SetPort:
		v["index"] = a.Index
	case SetVLANs:
		v["index"] = a.Index
	case SetUp:
		v["index"] = a.Index
	case SetTunnel:
		v["index"] = a.Index
	}
	l := f.link(v["index"])
	if l == nil {
		return errNoSuch
	}
	merge := func(into *linkopt.Options, o linkopt.Options) {
		if *into == nil {
			*into = linkopt.Options{}
		}
		maps.Copy(*into, o)
	}
	switch a := a.(type) {
	case ChangeLink:
		merge(&l.Options, a.Options)
	case RenameLink:
		if f.named(a.To) != nil {
			return errExists
		}
		l.Name = a.To
	case SetMAC:
		l.MAC = a.MAC
	case SetMTU:
		l.MTU = a.MTU
	case SetMaster:
		master := f.link(a.Master)
		if a.Master != 0 && master == nil {
			return errNoSuch
		}
		if master != nil && master.Kind == "bond" && l.Up && !a.Down {
			return errBusy
		}
		l.Master, l.Port, l.VLANs = a.Master, nil, nil
		if master != nil && master.Kind == "bond" {
			l.Up, l.Carrier, l.MAC = true, true, master.MAC
		}
	case SetPort:
		merge(&l.Port, a.Options)
	case SetVLANs:
		for _, r := range append(a.Remove, a.Add...) {
			l.VLANs = slices.DeleteFunc(l.VLANs, func(o PortVLAN) bool { return o.ID == r.ID })
		}
		l.VLANs = append(l.VLANs, a.Add...)
		slices.SortFunc(l.VLANs, func(a, b PortVLAN) int { return a.ID - b.ID })
	case SetUp:
		l.Up, l.Carrier = a.On, a.On
		if !a.On {
			f.state.Routes = slices.DeleteFunc(f.state.Routes, func(r RouteEntry) bool { return r.Index == a.Index })
			f.state.Addresses = slices.DeleteFunc(f.state.Addresses, func(o LinkAddress) bool { return o.Index == a.Index && o.Prefix.Addr().Is6() })
		}
	case SetTunnel:
		copied := *a.Tunnel
		l.Tunnel = &copied
	}
	return nil
}

func newManager() (*Manager, *fake) {
	f := newFake()
	return &Manager{System: f, Hostname: "box", Random: middle, Log: func(string, ...any) {}}, f
}

// restarted is the service after it was ended and started again on f.
func restarted(f *fake) *Manager {
	f.did = nil
	return &Manager{System: f, Hostname: "box", Random: middle, Log: func(string, ...any) {}}
}
