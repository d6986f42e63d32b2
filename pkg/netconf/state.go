package netconf

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/testudo-os/testudo/pkg/netconf/linkopt"
)

// Link is what the kernel says of one interface.
type Link struct {
	Index    int
	Name     string
	MAC      net.HardwareAddr // nil where the kind has none
	MTU      int
	Up       bool // switched on
	Carrier  bool // and something is at the other end
	Changes  int  // how often carrier came or went so far: tells old news from new
	Physical bool // a device is behind it, or the service was told to take it for such
	Ethernet bool
	Loopback bool

	Kind    string           // bridge, bond, vlan, ...; "" for a card
	Master  int              // index of the bridge, bond or VRF it belongs to
	Lower   int              // index of the interface it runs on (IFLA_LINK)
	PermMAC net.HardwareAddr // that the card was made with
	Driver  string
	Path    string          // as in /dev/disk/by-path: pci-0000:00:03.0
	Options linkopt.Options // of its kind
	Port    linkopt.Options // as a port of its master
	VLANs   []PortVLAN      // of a bridge's port, when it filters
	Tunnel  *WireGuard      // of kind wireguard

	// What the last router advertisement said of DHCPv6.
	RouterManaged, RouterOther bool
}

// hasMAC says whether the interface speaks Ethernet, which DHCP needs.
func (l Link) hasMAC() bool { return len(l.MAC) == 6 && !l.Loopback }

// hash tells two configurations apart.
func (g *WireGuard) hash() string {
	sum := sha256.Sum256(fmt.Append(nil, *g))
	return hex.EncodeToString(sum[:])
}

// alike compares all but where peers are, and a port that was not stated.
func (g *WireGuard) alike(have *WireGuard) bool {
	if have == nil || g.Private != have.Private || g.Port != 0 && g.Port != have.Port || g.Mark != have.Mark || len(g.Peers) != len(have.Peers) {
		return false
	}
	for i, p := range g.Peers {
		h := have.Peers[i]
		if p.Public != h.Public || p.Shared != h.Shared || p.KeepAlive != h.KeepAlive || !slices.Equal(p.Allowed, h.Allowed) {
			return false
		}
	}
	return true
}

// PortVLAN is one VLAN of a bridge's port.
type PortVLAN struct {
	ID       int  `json:"id"`
	PVID     bool `json:"pvid,omitempty"`     // untagged frames that come in belong to it
	Untagged bool `json:"untagged,omitempty"` // its frames go out without a tag
}

// WireGuard is the configuration of a tunnel, peers sorted by key.
type WireGuard struct {
	Private [32]byte
	Port    int // 0: any
	Mark    int
	Peers   []WireGuardPeer
}

// WireGuardPeer is one other end.
type WireGuardPeer struct {
	Public, Shared [32]byte
	Endpoint       netip.AddrPort // invalid: it calls us
	KeepAlive      int            // seconds
	Allowed        []netip.Prefix // sorted
}

// LinkAddress is an address on an interface.
type LinkAddress struct {
	Index int `json:"index"`
	Address
}

// Address is an address until its end.
type Address struct {
	Prefix    netip.Prefix `json:"prefix"`
	Preferred Moment       `json:"preferred"`
	Valid     Moment       `json:"valid"`
	Label     string       `json:"label,omitempty"`
	// Tentative and Failed are the kernel's check for another host (IPv6).
	Tentative bool `json:"-"`
	Failed    bool `json:"-"`
}

// RouteEntry is a route of the kernel's tables.
type RouteEntry struct {
	Index    int          `json:"index,omitempty"` // interface; 0 where it leads nowhere
	To       netip.Prefix `json:"to"`
	Gateway  netip.Addr   `json:"gateway,omitzero"`
	Source   netip.Addr   `json:"source,omitzero"`
	Metric   int          `json:"metric"`
	Table    int          `json:"table"`
	Type     string       `json:"type,omitempty"`  // "": unicast
	Scope    string       `json:"scope,omitempty"` // "": global; link, host
	MTU      int          `json:"mtu,omitempty"`
	Window   int          `json:"window,omitempty"`         // initial congestion window
	Receive  int          `json:"receive_window,omitempty"` // initial advertised window
	MSS      int          `json:"mss,omitempty"`
	OnLink   bool         `json:"on_link,omitempty"`
	Protocol int          `json:"protocol"` // RTPROT_DHCP or RTPROT_STATIC
}

// Who made a route (linux/rtnetlink.h).
const (
	ProtocolStatic = 4
	ProtocolDHCP   = 16
)

// MainTable is the table of routes without another one.
const MainTable = 254

// same says whether two entries are about the same thing: one replaces the other.
func (r RouteEntry) same(o RouteEntry) bool {
	if r.To != o.To || r.Table != o.Table || r.Metric != o.Metric {
		return false
	}
	// IPv6 keeps routes of one metric side by side, as next hops.
	return r.To.Addr().Is4() || r.Index == o.Index && r.Gateway == o.Gateway
}

// String is the route as ip-route(8) would write it.
func (r RouteEntry) String() string {
	text := r.To.String()
	if r.To.Bits() == 0 {
		text = "default"
		if r.To.Addr().Is6() {
			text = "default (IPv6)"
		}
	}
	if r.Type != "" {
		text = r.Type + " " + text
	}
	if r.Gateway.IsValid() {
		text += " via " + r.Gateway.String()
	}
	text += fmt.Sprintf(" metric %d", r.Metric)
	if r.Table != MainTable {
		text += fmt.Sprintf(" table %d", r.Table)
	}
	return text
}

// Rule says which packets look at which table.
type Rule struct {
	Priority int          `json:"priority"`
	Six      bool         `json:"six,omitempty"` // IPv6
	From     netip.Prefix `json:"from,omitzero"`
	To       netip.Prefix `json:"to,omitzero"`
	Table    int          `json:"table"`
	Mark     int          `json:"mark,omitempty"`
	TOS      int          `json:"tos,omitempty"`
}

// String is the rule as ip-rule(8) would write it.
func (r Rule) String() string {
	text := fmt.Sprintf("%d:", r.Priority)
	if r.From.IsValid() {
		text += " from " + r.From.String()
	}
	if r.To.IsValid() {
		text += " to " + r.To.String()
	}
	if r.Mark != 0 {
		text += fmt.Sprintf(" mark %#x", r.Mark)
	}
	if r.TOS != 0 {
		text += fmt.Sprintf(" tos %#x", r.TOS)
	}
	return fmt.Sprintf("%s table %d", text, r.Table)
}

// State is what there is in the kernel: all links, addresses and rules, and
// the routes that programs of this service's kind made.
type State struct {
	Links     []Link
	Addresses []LinkAddress
	Routes    []RouteEntry
	Rules     []Rule
	Gateways  []RouteEntry // IPv6 default routes that the kernel has learned
}

func (s *State) link(index int) *Link {
	i := slices.IndexFunc(s.Links, func(l Link) bool { return l.Index == index })
	if i < 0 || index == 0 {
		return nil
	}
	return &s.Links[i]
}

func (s *State) named(name string) *Link {
	i := slices.IndexFunc(s.Links, func(l Link) bool { return l.Name == name })
	if i < 0 {
		return nil
	}
	return &s.Links[i]
}

// Owned is what this service has made or changed. Nothing else is ever taken
// away. It is kept for as long as the boot.
type Owned struct {
	Links     []OwnedLink      `json:"links,omitempty"`
	Addresses []OwnedAddress   `json:"addresses,omitempty"`
	Routes    []RouteEntry     `json:"routes,omitempty"`
	Rules     []Rule           `json:"rules,omitempty"`
	Originals map[int]Original `json:"originals,omitempty"` // by index
	// Tunnels holds what WireGuard's tunnels were last set to, hashed: peers
	// that move change their endpoints by themselves.
	Tunnels map[int]string `json:"tunnels,omitempty"`
}

// OwnedLink is an interface that the service made.
type OwnedLink struct {
	Index int    `json:"index"`
	Name  string `json:"name"`
	Kind  string `json:"kind"`
}

// OwnedAddress is an address that it put there.
type OwnedAddress struct {
	Index  int          `json:"index"`
	Prefix netip.Prefix `json:"prefix"`
}

// Original is what the service changed of an interface, as it was before.
type Original struct {
	Name string `json:"name,omitempty"`
	MAC  string `json:"mac,omitempty"`
	MTU  int    `json:"mtu,omitempty"`
	// Master says that the interface was put into a bridge, bond or VRF of ours.
	Master bool `json:"master,omitempty"`
}

func (o *Owned) link(l Link) bool {
	return slices.ContainsFunc(o.Links, func(own OwnedLink) bool {
		return own.Kind == l.Kind && (own.Index == l.Index || own.Index == 0 && own.Name == l.Name)
	})
}

func (o *Owned) address(a LinkAddress) bool {
	return slices.Contains(o.Addresses, OwnedAddress{a.Index, a.Prefix})
}

func (o *Owned) route(r RouteEntry) bool {
	return slices.ContainsFunc(o.Routes, func(own RouteEntry) bool { return own.same(r) && own.Index == r.Index })
}

// Next is what is owned once want has been tried: all that is wanted, and of
// the old what is still there. It is saved before anything is done, so that a
// crash leaves nothing behind that nobody knows.
func (o *Owned) Next(want *Want, have *State) Owned {
	next := Owned{Originals: o.Originals, Tunnels: o.Tunnels}
	for _, own := range o.Links {
		if slices.ContainsFunc(have.Links, func(l Link) bool { return (&Owned{Links: []OwnedLink{own}}).link(l) }) {
			next.Links = append(next.Links, own)
		}
	}
	for _, w := range want.Links {
		made := OwnedLink{Name: w.Name, Kind: w.Kind}
		if w.Make && have.named(w.Name) == nil && !slices.Contains(next.Links, made) {
			next.Links = append(next.Links, made)
		}
	}
	for i := range next.Links { // one that was made since
		if l := have.named(next.Links[i].Name); next.Links[i].Index == 0 && l != nil {
			next.Links[i].Index = l.Index
		}
	}
	for _, a := range have.Addresses {
		if o.address(a) {
			next.Addresses = append(next.Addresses, OwnedAddress{a.Index, a.Prefix})
		}
	}
	for _, a := range want.Addresses {
		if own := (OwnedAddress{a.Index, a.Prefix}); !slices.Contains(next.Addresses, own) {
			next.Addresses = append(next.Addresses, own)
		}
	}
	for _, r := range have.Routes {
		if o.route(r) {
			next.Routes = append(next.Routes, r)
		}
	}
	for _, r := range want.Routes {
		if !next.route(r) {
			next.Routes = append(next.Routes, r)
		}
	}
	for _, r := range have.Rules {
		if slices.Contains(o.Rules, r) {
			next.Rules = append(next.Rules, r)
		}
	}
	for _, r := range want.Rules {
		if !slices.Contains(next.Rules, r) {
			next.Rules = append(next.Rules, r)
		}
	}
	return next
}
