package netconf

import (
	"bytes"
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/testudo-os/testudo/pkg/netconf/linkopt"
)

// Want is the state that the configuration and the leases ask for.
type Want struct {
	Links     []LinkWant
	Addresses []LinkAddress
	Routes    []RouteEntry
	Rules     []Rule
	Problems  []Problem
}

// Problem is something that keeps a definition from being in force.
type Problem struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

// LinkWant is how one interface is to be.
type LinkWant struct {
	ID    string // in the configuration
	Name  string
	Index int    // of the one that is there; 0: to be made
	Make  bool   // the service makes it
	Kind  string // of one that it makes

	Lower   int  // for kinds that run on another interface
	Master  *int // nil: not for the service to say; 0: none
	Options linkopt.Options
	Port    linkopt.Options
	VLANs   []PortVLAN // nil: as they are
	Peer    string     // name of a virtual cable's other end
	MAC     net.HardwareAddr
	MTU     int  // 0: as it is
	Up      bool // to be switched on
	Down    bool // to be switched off
	Tunnel  *WireGuard

	depth int // how many interfaces are below it
}

// Action is one change of the kernel's state. The set is closed.
type Action interface {
	fmt.Stringer
	link() string // which interface it is about, for the status
}

type (
	// CreateLink makes an interface.
	CreateLink struct {
		Name, Kind, Peer string
		Lower            int
		Options          linkopt.Options
		MAC              net.HardwareAddr
		MTU              int
	}
	// DeleteLink removes one.
	DeleteLink struct {
		Index int
		Name  string
	}
	// ChangeLink sets options of its kind.
	ChangeLink struct {
		Index      int
		Name, Kind string
		Options    linkopt.Options
	}
	// RenameLink gives it another name.
	RenameLink struct {
		Index int
		Name  string // that it has
		To    string
	}
	// SetMAC gives it another hardware address.
	SetMAC struct {
		Index int
		Name  string
		MAC   net.HardwareAddr
	}
	// SetMTU sets how many bytes a packet may have.
	SetMTU struct {
		Index int
		Name  string
		MTU   int
	}
	// SetMaster makes it a port of a bridge or bond or puts it into a VRF; 0
	// takes it out.
	SetMaster struct {
		Index  int
		Name   string
		Master int
		Down   bool // it must be off meanwhile
	}
	// SetPort sets its options as a port.
	SetPort struct {
		Index   int
		Name    string
		Kind    string // of the master
		Options linkopt.Options
	}
	// SetVLANs adds and removes VLANs of a bridge's port.
	SetVLANs struct {
		Index       int
		Name        string
		Self        bool // it is the bridge itself
		Add, Remove []PortVLAN
	}
	// SetUp switches it on or off.
	SetUp struct {
		Index int
		Name  string
		On    bool
	}
	// SetTunnel configures WireGuard.
	SetTunnel struct {
		Index  int
		Name   string
		Tunnel *WireGuard
	}
	// AddAddress adds an address or sets its lifetimes anew.
	AddAddress struct {
		LinkAddress
		Name string
	}
	// DeleteAddress removes one.
	DeleteAddress struct {
		LinkAddress
		Name string
	}
	// AddRoute adds or replaces a route.
	AddRoute struct {
		RouteEntry
		Name string
	}
	// DeleteRoute removes one.
	DeleteRoute struct {
		RouteEntry
		Name string
	}
	// AddRule and DeleteRule are about rules.
	AddRule    struct{ Rule }
	DeleteRule struct{ Rule }
)

func (a CreateLink) link() string    { return a.Name }
func (a DeleteLink) link() string    { return a.Name }
func (a ChangeLink) link() string    { return a.Name }
func (a RenameLink) link() string    { return a.Name }
func (a SetMAC) link() string        { return a.Name }
func (a SetMTU) link() string        { return a.Name }
func (a SetMaster) link() string     { return a.Name }
func (a SetPort) link() string       { return a.Name }
func (a SetVLANs) link() string      { return a.Name }
func (a SetUp) link() string         { return a.Name }
func (a SetTunnel) link() string     { return a.Name }
func (a AddAddress) link() string    { return a.Name }
func (a DeleteAddress) link() string { return a.Name }
func (a AddRoute) link() string      { return a.Name }
func (a DeleteRoute) link() string   { return a.Name }
func (a AddRule) link() string       { return "" }
func (a DeleteRule) link() string    { return "" }

func (a CreateLink) String() string { return fmt.Sprintf("make %s (%s)", a.Name, a.Kind) }
func (a DeleteLink) String() string { return "remove " + a.Name }
func (a ChangeLink) String() string { return fmt.Sprintf("change %s of %s", list(a.Options), a.Name) }
func (a RenameLink) String() string { return fmt.Sprintf("rename %s to %s", a.Name, a.To) }
func (a SetMAC) String() string     { return fmt.Sprintf("set hardware address %s of %s", a.MAC, a.Name) }
func (a SetMTU) String() string     { return fmt.Sprintf("set MTU %d of %s", a.MTU, a.Name) }
func (a SetMaster) String() string {
	if a.Master == 0 {
		return "take " + a.Name + " out"
	}
	return fmt.Sprintf("put %s into interface %d", a.Name, a.Master)
}
func (a SetPort) String() string {
	return fmt.Sprintf("change %s of port %s", list(a.Options), a.Name)
}
func (a SetVLANs) String() string {
	var words []string
	for _, v := range a.Remove {
		words = append(words, fmt.Sprintf("-%d", v.ID))
	}
	for _, v := range a.Add {
		words = append(words, fmt.Sprintf("+%d", v.ID))
	}
	return fmt.Sprintf("VLANs %s of %s", strings.Join(words, " "), a.Name)
}
func (a SetUp) String() string {
	return map[bool]string{true: "switch on ", false: "switch off "}[a.On] + a.Name
}
func (a SetTunnel) String() string { return "set keys and peers of " + a.Name }
func (a AddAddress) String() string {
	return fmt.Sprintf("add address %s to %s", a.Prefix, a.Name)
}
func (a DeleteAddress) String() string {
	return fmt.Sprintf("remove address %s from %s", a.Prefix, a.Name)
}
func (a AddRoute) String() string { return fmt.Sprintf("add route %s on %s", a.RouteEntry, a.Name) }
func (a DeleteRoute) String() string {
	return fmt.Sprintf("remove route %s on %s", a.RouteEntry, a.Name)
}
func (a AddRule) String() string    { return "add rule " + a.Rule.String() }
func (a DeleteRule) String() string { return "remove rule " + a.Rule.String() }

func list(o linkopt.Options) string {
	var words []string
	for name, value := range o {
		words = append(words, name+"="+value)
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// Plan gives the smallest list of actions that leads from what there is
// towards what is wanted, in an order that the kernel takes. Some of it can
// only be planned once interfaces that the list makes are there: it is called
// again until there is nothing to do.
func Plan(want *Want, have *State, owned *Owned, now Moment) []Action {
	p := &planner{want: want, have: have, owned: owned, now: now}
	p.removeRules()
	p.removeRoutes()
	p.removeAddresses()
	p.removeLinks()
	p.rename()
	p.links()
	p.addAddresses()
	p.addRoutes()
	p.addRules()
	return p.actions
}

type planner struct {
	want    *Want
	have    *State
	owned   *Owned
	now     Moment
	actions []Action
	gone    map[int]bool // links that the list removes
}

func (p *planner) do(a Action) { p.actions = append(p.actions, a) }

func (p *planner) name(index int) string {
	if l := p.have.link(index); l != nil {
		return l.Name
	}
	return ""
}

func (p *planner) removeRules() {
	for _, r := range p.have.Rules {
		if slices.Contains(p.owned.Rules, r) && !slices.Contains(p.want.Rules, r) {
			p.do(DeleteRule{r})
		}
	}
}

func (p *planner) addRules() {
	for _, r := range p.want.Rules {
		if !slices.Contains(p.have.Rules, r) {
			p.do(AddRule{r})
		}
	}
}

// removeRoutes takes away the service's routes that are no longer wanted. One
// that another of the same network and metric replaces is left to that.
func (p *planner) removeRoutes() {
	for _, r := range p.have.Routes {
		if !p.owned.route(r) || slices.ContainsFunc(p.want.Routes, r.same) {
			continue
		}
		p.do(DeleteRoute{r, p.name(r.Index)})
	}
}

func (p *planner) addRoutes() {
	for _, r := range p.want.Routes {
		if l := p.have.link(r.Index); r.Index != 0 && (l == nil || !l.Up || p.gone[r.Index]) {
			continue // the kernel takes routes of interfaces that are on
		}
		if i := slices.IndexFunc(p.have.Routes, r.same); i < 0 || !r.equal(p.have.Routes[i]) {
			p.do(AddRoute{r, p.name(r.Index)})
		}
	}
}

// equal compares what the kernel gives back. A scope that was not said is the
// kernel's to choose, and IPv6 has none.
func (r RouteEntry) equal(o RouteEntry) bool {
	if r.To.Addr().Is6() {
		r.Scope, o.Scope = "", ""
		if !r.Source.IsValid() {
			o.Source = r.Source
		}
		if r.Type != "" {
			r.Index, o.Index = 0, 0 // routes to nowhere stand on lo
		}
	}
	return r == o
}

// removeAddresses goes before anything is added: had a new address of the same
// subnet come beside the old, the kernel would count it as secondary and
// remove it together with the old one.
func (p *planner) removeAddresses() {
	for _, a := range p.have.Addresses {
		if p.owned.address(a) && !slices.ContainsFunc(p.want.Addresses, a.is) {
			p.do(DeleteAddress{a, p.name(a.Index)})
		}
	}
}

func (a LinkAddress) is(o LinkAddress) bool { return a.Index == o.Index && a.Prefix == o.Prefix }

// late is how far lifetimes may be off before they are set anew: the kernel
// counts whole seconds.
const late = 3 * time.Second

func (p *planner) addAddresses() {
	for _, a := range p.want.Addresses {
		l := p.have.link(a.Index)
		if l == nil || p.gone[a.Index] || a.Prefix.Addr().Is6() && !l.Up {
			continue // the kernel drops IPv6 addresses of interfaces that are off
		}
		if i := slices.IndexFunc(p.have.Addresses, a.is); i >= 0 {
			h := p.have.Addresses[i]
			if near(a.Preferred, h.Preferred, p.now) && near(a.Valid, h.Valid, p.now) && (a.Label == "" || a.Label == h.Label) {
				continue
			}
			if a.Label != "" && a.Label != h.Label {
				p.do(DeleteAddress{h, l.Name}) // a label cannot be changed
			}
		}
		p.do(AddAddress{a, l.Name})
	}
}

func near(want, have, now Moment) bool {
	if want == Never || have == Never {
		return want == have
	}
	d := time.Duration(max(want, now) - max(have, now))
	return d < late && d > -late
}

// removeLinks takes out ports that are to leave, and removes interfaces of the
// service that are no longer wanted or that must be made anew.
func (p *planner) removeLinks() {
	p.gone = map[int]bool{}
	remove := func(l Link) {
		p.gone[l.Index] = true
		p.do(DeleteLink{l.Index, l.Name})
	}
	// Those on top first: they were made last.
	links := slices.SortedFunc(slices.Values(p.have.Links), func(a, b Link) int { return b.Index - a.Index })
	for _, l := range links {
		if !p.owned.link(l) {
			continue
		}
		w := p.wanted(l)
		switch {
		case w == nil:
			if l.Kind == "veth" && p.gone[l.Lower] {
				p.gone[l.Index] = true // goes with its other end
				continue
			}
			remove(l)
		case w.Kind != l.Kind, hasLower(w.Kind) && w.Lower != 0 && w.Lower != l.Lower,
			!linkopt.Live(w.Kind, linkopt.Changed(w.Options, l.Options)):
			remove(l)
		}
	}
}

func hasLower(kind string) bool { return kind == "vlan" || kind == "macvlan" }

func (p *planner) wanted(l Link) *LinkWant {
	i := slices.IndexFunc(p.want.Links, func(w LinkWant) bool { return w.Index == l.Index && l.Index != 0 || w.Make && w.Name == l.Name })
	if i < 0 {
		return nil
	}
	return &p.want.Links[i]
}

// rename gives names, in circles if need be: an interface whose name another
// one is to get goes out of the way first.
func (p *planner) rename() {
	moved := map[int]string{}
	nameOf := func(l Link) string {
		if name, ok := moved[l.Index]; ok {
			return name
		}
		return l.Name
	}
	for _, w := range p.want.Links {
		l := p.have.link(w.Index)
		if l == nil || p.gone[w.Index] || nameOf(*l) == w.Name {
			continue
		}
		for _, other := range p.have.Links {
			if other.Index == w.Index || nameOf(other) != w.Name || p.gone[other.Index] {
				continue
			}
			if o := p.wanted(other); o == nil || o.Name == w.Name || o.Make {
				continue // it stays: the kernel will refuse, and the status says so
			}
			away := fmt.Sprintf("tmp%d", other.Index)
			p.do(RenameLink{other.Index, nameOf(other), away})
			moved[other.Index] = away
		}
		p.do(RenameLink{w.Index, nameOf(*l), w.Name})
		moved[w.Index] = w.Name
	}
}

// links makes interfaces and sets what is not as wanted, from the ground up.
func (p *planner) links() {
	sorted := slices.Clone(p.want.Links)
	slices.SortStableFunc(sorted, func(a, b LinkWant) int { return cmp.Compare(a.depth, b.depth) })
	// Cards that belong to nothing go first, and are switched on before anything
	// is made: they can ask for addresses meanwhile.
	card := func(w LinkWant) bool { return w.Kind == "" && (w.Master == nil || *w.Master == 0) }
	for _, w := range sorted {
		if l := p.have.link(w.Index); l != nil && card(w) && !p.gone[l.Index] {
			p.adjust(w, *l)
		}
	}
	p.switches(sorted, card)
	made := map[string]bool{}
	for _, w := range sorted {
		if card(w) {
			continue
		}
		l := p.have.link(w.Index)
		switch {
		case l != nil && !p.gone[l.Index]:
			p.adjust(w, *l)
		case !w.Make || hasLower(w.Kind) && (w.Lower == 0 || p.gone[w.Lower]), made[w.Name]:
			// It is not there, what it stands on is not yet, or the other end
			// of its cable makes it.
		default:
			p.do(CreateLink{Name: w.Name, Kind: w.Kind, Peer: w.Peer, Lower: w.Lower, Options: creation(w), MAC: w.MAC, MTU: w.MTU})
			if w.Peer != "" {
				made[w.Peer] = true
			}
		}
	}
	// Once all ports are there: a bond without one has no carrier.
	p.switches(sorted, func(w LinkWant) bool { return !card(w) })
}

// switches switches interfaces on and off.
func (p *planner) switches(list []LinkWant, which func(LinkWant) bool) {
	for _, w := range list {
		if l := p.have.link(w.Index); l != nil && !p.gone[l.Index] && which(w) {
			switch {
			case w.Down && l.Up:
				p.do(SetUp{l.Index, w.Name, false})
			case w.Up && !l.Up && !w.Down:
				p.do(SetUp{l.Index, w.Name, true})
			}
		}
	}
}

// creation leaves out what only counts once there are ports.
func creation(w LinkWant) linkopt.Options {
	out := linkopt.Options{}
	for name, value := range w.Options {
		if w.Kind != "bond" || name != "primary" {
			out[name] = value
		}
	}
	return out
}

func (p *planner) adjust(w LinkWant, l Link) {
	if w.MAC != nil && !bytes.Equal(w.MAC, l.MAC) && (l.Master == 0 || !p.isBond(l.Master)) {
		p.do(SetMAC{l.Index, w.Name, w.MAC})
	}
	if w.MTU != 0 && w.MTU != l.MTU {
		p.do(SetMTU{l.Index, w.Name, w.MTU})
	}
	if changed := linkopt.Changed(w.Options, l.Options); w.Make && len(changed) > 0 {
		if index, ok := changed["primary"]; ok && !p.isPort(index, l.Index) {
			delete(changed, "primary") // taken once it is a port
		}
		if len(changed) > 0 {
			p.do(ChangeLink{l.Index, w.Name, w.Kind, changed})
		}
	}
	if w.Master != nil && *w.Master != l.Master && !p.gone[*w.Master] && (*w.Master != 0 || !p.gone[l.Master]) {
		p.do(SetMaster{l.Index, w.Name, *w.Master, l.Up && p.isBond(*w.Master)})
	}
	if w.Master != nil && *w.Master != 0 && *w.Master == l.Master {
		master := p.have.link(l.Master)
		if changed := linkopt.Changed(w.Port, l.Port); master != nil && len(changed) > 0 {
			p.do(SetPort{l.Index, w.Name, master.Kind, changed})
		}
	}
	if w.VLANs != nil && (w.Kind == "bridge" || w.Master != nil && *w.Master == l.Master) {
		a := SetVLANs{Index: l.Index, Name: w.Name, Self: w.Kind == "bridge"}
		for _, v := range w.VLANs {
			if !slices.Contains(l.VLANs, v) {
				a.Add = append(a.Add, v)
			}
		}
		for _, v := range l.VLANs {
			if !slices.ContainsFunc(w.VLANs, func(o PortVLAN) bool { return o.ID == v.ID }) {
				a.Remove = append(a.Remove, v)
			}
		}
		if len(a.Add)+len(a.Remove) > 0 {
			p.do(a)
		}
	}
	if w.Tunnel != nil && (!w.Tunnel.alike(l.Tunnel) || p.owned.Tunnels[l.Index] != w.Tunnel.hash()) {
		p.do(SetTunnel{l.Index, w.Name, w.Tunnel})
	}
}

func (p *planner) isBond(index int) bool {
	l := p.have.link(index)
	return l != nil && l.Kind == "bond"
}

func (p *planner) isPort(index string, master int) bool {
	return slices.ContainsFunc(p.have.Links, func(l Link) bool { return fmt.Sprint(l.Index) == index && l.Master == master })
}
