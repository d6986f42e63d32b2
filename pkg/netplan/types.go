package netplan

import "net/netip"

// Config is the `network` key. Devices are listed by their id: a name of the
// person's own for an interface that is matched, the interface's name for one
// that is made.
type Config struct {
	Version  int    `yaml:"version" json:"version,omitempty"`   // 2; version 1 is translated
	Renderer string `yaml:"renderer" json:"renderer,omitempty"` // taken and without effect: there is one

	Ethernets map[string]*Ethernet `yaml:"ethernets" json:"ethernets,omitempty"`
	Bonds     map[string]*Bond     `yaml:"bonds" json:"bonds,omitempty"`
	Bridges   map[string]*Bridge   `yaml:"bridges" json:"bridges,omitempty"`
	VLANs     map[string]*VLAN     `yaml:"vlans" json:"vlans,omitempty"`
	Tunnels   map[string]*Tunnel   `yaml:"tunnels" json:"tunnels,omitempty"`
	Dummies   map[string]*Dummy    `yaml:"dummy-devices" json:"dummy-devices,omitempty"`
	Veths     map[string]*Veth     `yaml:"virtual-ethernets" json:"virtual-ethernets,omitempty"`
	VRFs      map[string]*VRF      `yaml:"vrfs" json:"vrfs,omitempty"`

	// State is `config: disabled`: the machine's interfaces are left alone.
	State string `yaml:"config" json:"config,omitempty"`
	// Nameservers belong to no device: version 1's entries. Not netplan's.
	Nameservers Nameservers `yaml:"nameservers" json:"nameservers,omitzero"`
}

// Disabled says that the machine's interfaces are left alone.
func (c *Config) Disabled() bool { return c != nil && c.State == "disabled" }

// Device holds the keys of every kind of interface.
type Device struct {
	DHCP4          *bool         `yaml:"dhcp4" json:"dhcp4,omitempty"`                     // absent: no
	DHCP6          *bool         `yaml:"dhcp6" json:"dhcp6,omitempty"`                     // absent: as router advertisements say
	DHCPIdentifier string        `yaml:"dhcp-identifier" json:"dhcp-identifier,omitempty"` // mac (as if absent) or duid
	DHCP4Overrides DHCPOverrides `yaml:"dhcp4-overrides" json:"dhcp4-overrides,omitzero"`
	DHCP6Overrides DHCPOverrides `yaml:"dhcp6-overrides" json:"dhcp6-overrides,omitzero"`
	AcceptRA       *bool         `yaml:"accept-ra" json:"accept-ra,omitempty"` // absent: yes
	IPv6Privacy    *bool         `yaml:"ipv6-privacy" json:"ipv6-privacy,omitempty"`
	IPv6Generation string        `yaml:"ipv6-address-generation" json:"ipv6-address-generation,omitempty"` // eui64 (as if absent), stable-privacy
	IPv6Token      *Addr         `yaml:"ipv6-address-token" json:"ipv6-address-token,omitempty"`
	IPv6MTU        *int          `yaml:"ipv6-mtu" json:"ipv6-mtu,omitempty"`
	LinkLocal      *[]string     `yaml:"link-local" json:"link-local,omitempty"` // of ipv4, ipv6; absent: [ipv6]

	Addresses     []Address     `yaml:"addresses" json:"addresses,omitempty"`
	Gateway4      *Addr         `yaml:"gateway4" json:"gateway4,omitempty"` // deprecated by netplan: a route to default
	Gateway6      *Addr         `yaml:"gateway6" json:"gateway6,omitempty"`
	Nameservers   Nameservers   `yaml:"nameservers" json:"nameservers,omitzero"`
	Routes        []Route       `yaml:"routes" json:"routes,omitempty"`
	RoutingPolicy []RoutingRule `yaml:"routing-policy" json:"routing-policy,omitempty"`

	MAC               *MAC     `yaml:"macaddress" json:"macaddress,omitempty"`
	MTU               *int     `yaml:"mtu" json:"mtu,omitempty"`
	Optional          bool     `yaml:"optional" json:"optional,omitempty"` // being online does not wait for it
	OptionalAddresses []string `yaml:"optional-addresses" json:"optional-addresses,omitempty"`
	IgnoreCarrier     bool     `yaml:"ignore-carrier" json:"ignore-carrier,omitempty"`   // static configuration stands without carrier
	Critical          bool     `yaml:"critical" json:"critical,omitempty"`               // no effect: leases are never given up early here
	ActivationMode    string   `yaml:"activation-mode" json:"activation-mode,omitempty"` // "", manual, off
	Renderer          string   `yaml:"renderer" json:"renderer,omitempty"`               // no effect
	NeighSuppress     *bool    `yaml:"neigh-suppress" json:"neigh-suppress,omitempty"`   // of a bridge's port

	// BridgePort is `testudo-bridge-port`, which netplan has no word for: which
	// VLANs a port of a bridge with VLAN filtering carries.
	BridgePort *PortVLANs `yaml:"testudo-bridge-port" json:"testudo-bridge-port,omitempty"`
}

// DHCPOverrides say what of a lease is used. Absent booleans are yes.
type DHCPOverrides struct {
	UseDNS       *bool  `yaml:"use-dns" json:"use-dns,omitempty"`
	UseNTP       *bool  `yaml:"use-ntp" json:"use-ntp,omitempty"`
	SendHostname *bool  `yaml:"send-hostname" json:"send-hostname,omitempty"`
	UseHostname  *bool  `yaml:"use-hostname" json:"use-hostname,omitempty"` // no effect: a lease never names the machine
	UseMTU       *bool  `yaml:"use-mtu" json:"use-mtu,omitempty"`
	Hostname     string `yaml:"hostname" json:"hostname,omitempty"` // sent instead of the machine's
	UseRoutes    *bool  `yaml:"use-routes" json:"use-routes,omitempty"`
	RouteMetric  *int   `yaml:"route-metric" json:"route-metric,omitempty"`
	UseDomains   Domain `yaml:"use-domains" json:"use-domains,omitempty"` // true (as if absent), false, route (as true)
	// PrefixHint asks DHCPv6 for a prefix to delegate, of this length at best:
	// ::/56, or a prefix that was had before. Not netplan's.
	PrefixHint *Prefix `yaml:"testudo-prefix-hint" json:"testudo-prefix-hint,omitempty"`
}

// Ethernet is a network card that is there, found by what Match says or by
// the name that is its id.
type Ethernet struct {
	Device    `yaml:",inline"`
	Match     *Match `yaml:"match" json:"match,omitempty"`
	SetName   string `yaml:"set-name" json:"set-name,omitempty"`
	WakeOnLAN *bool  `yaml:"wakeonlan" json:"wakeonlan,omitempty"`
	EmitLLDP  bool   `yaml:"emit-lldp" json:"emit-lldp,omitempty"`
	Offloads  `yaml:",inline"`
}

// Offloads are work that a card may do for the kernel. Absent: as it is.
type Offloads struct {
	ReceiveChecksum  *bool `yaml:"receive-checksum-offload" json:"receive-checksum-offload,omitempty"`
	TransmitChecksum *bool `yaml:"transmit-checksum-offload" json:"transmit-checksum-offload,omitempty"`
	TCPSegmentation  *bool `yaml:"tcp-segmentation-offload" json:"tcp-segmentation-offload,omitempty"`
	TCP6Segmentation *bool `yaml:"tcp6-segmentation-offload" json:"tcp6-segmentation-offload,omitempty"`
	Segmentation     *bool `yaml:"generic-segmentation-offload" json:"generic-segmentation-offload,omitempty"`
	Receive          *bool `yaml:"generic-receive-offload" json:"generic-receive-offload,omitempty"`
	LargeReceive     *bool `yaml:"large-receive-offload" json:"large-receive-offload,omitempty"`
}

// Match finds interfaces: all that is said must be true.
type Match struct {
	Name   string    `yaml:"name" json:"name,omitempty"`                 // may hold * ? [a-z]
	MAC    *MAC      `yaml:"macaddress" json:"macaddress,omitempty"`     // the permanent one, where the card knows it
	Driver OneOrMore `yaml:"driver" json:"driver,omitempty"`             // any of them; may hold * ? [a-z]
	Path   string    `yaml:"testudo-path" json:"testudo-path,omitempty"` // as in /dev/disk/by-path: pci-0000:00:03.0; may hold * ? [a-z]
}

// Address is one of an interface, with its network's length.
type Address struct {
	Prefix   netip.Prefix `json:"prefix"`
	Lifetime string       `json:"lifetime,omitempty"` // "" or forever, or 0: never chosen as a source
	Label    string       `json:"label,omitempty"`    // of an IPv4 address
}

// Nameservers are DNS servers and domains to search.
type Nameservers struct {
	Addresses []Addr   `yaml:"addresses" json:"addresses,omitempty"`
	Search    []string `yaml:"search" json:"search,omitempty"`
}

// Empty says whether there is nothing.
func (n Nameservers) Empty() bool { return len(n.Addresses) == 0 && len(n.Search) == 0 }

// Route is one entry of `routes`.
type Route struct {
	To                     *Destination `yaml:"to" json:"to"`
	Via                    *Addr        `yaml:"via" json:"via,omitempty"`
	From                   *Addr        `yaml:"from" json:"from,omitempty"` // source address of what the machine sends
	OnLink                 bool         `yaml:"on-link" json:"on-link,omitempty"`
	Metric                 *int         `yaml:"metric" json:"metric,omitempty"`
	Type                   string       `yaml:"type" json:"type,omitempty"`   // unicast when absent
	Scope                  string       `yaml:"scope" json:"scope,omitempty"` // global, link, host; absent: what fits
	Table                  *int         `yaml:"table" json:"table,omitempty"` // absent: main, or the VRF's
	MTU                    *int         `yaml:"mtu" json:"mtu,omitempty"`
	CongestionWindow       *int         `yaml:"congestion-window" json:"congestion-window,omitempty"`
	AdvertisedReceive      *int         `yaml:"advertised-receive-window" json:"advertised-receive-window,omitempty"`
	AdvertisedMaximumSegmt *int         `yaml:"advertised-mss" json:"advertised-mss,omitempty"`
}

// RoutingRule is one entry of `routing-policy`.
type RoutingRule struct {
	From     *Destination `yaml:"from" json:"from,omitempty"`
	To       *Destination `yaml:"to" json:"to,omitempty"`
	Table    *int         `yaml:"table" json:"table,omitempty"`
	Priority *int         `yaml:"priority" json:"priority,omitempty"`
	Mark     *int         `yaml:"mark" json:"mark,omitempty"`
	TOS      *int         `yaml:"type-of-service" json:"type-of-service,omitempty"`
}

// PortVLANs are the VLANs of one port of a bridge.
type PortVLANs struct {
	PVID     int   `yaml:"pvid" json:"pvid,omitempty"`         // untagged frames belong to it; 0: none
	Untagged []int `yaml:"untagged" json:"untagged,omitempty"` // sent without a tag
	Tagged   []int `yaml:"tagged" json:"tagged,omitempty"`
}

// Bond puts several interfaces together as one.
type Bond struct {
	Device     `yaml:",inline"`
	Interfaces []string       `yaml:"interfaces" json:"interfaces,omitempty"` // ids
	Parameters BondParameters `yaml:"parameters" json:"parameters,omitzero"`
}

// BondParameters are the kernel's (Documentation/networking/bonding.rst).
// Intervals are milliseconds, or have a unit: 100, 100ms, 1s.
type BondParameters struct {
	Mode                  string       `yaml:"mode" json:"mode,omitempty"` // absent: balance-rr
	LACPRate              string       `yaml:"lacp-rate" json:"lacp-rate,omitempty"`
	MIIMonitorInterval    Milliseconds `yaml:"mii-monitor-interval" json:"mii-monitor-interval,omitempty"`
	MinLinks              *int         `yaml:"min-links" json:"min-links,omitempty"`
	TransmitHashPolicy    string       `yaml:"transmit-hash-policy" json:"transmit-hash-policy,omitempty"`
	ADSelect              string       `yaml:"ad-select" json:"ad-select,omitempty"`
	AllMembersActive      *bool        `yaml:"all-members-active" json:"all-members-active,omitempty"`
	AllSlavesActive       *bool        `yaml:"all-slaves-active" json:"all-slaves-active,omitempty"`
	ARPInterval           Milliseconds `yaml:"arp-interval" json:"arp-interval,omitempty"`
	ARPIPTargets          []Addr       `yaml:"arp-ip-targets" json:"arp-ip-targets,omitempty"`
	ARPValidate           string       `yaml:"arp-validate" json:"arp-validate,omitempty"`
	ARPAllTargets         string       `yaml:"arp-all-targets" json:"arp-all-targets,omitempty"`
	UpDelay               Milliseconds `yaml:"up-delay" json:"up-delay,omitempty"`
	DownDelay             Milliseconds `yaml:"down-delay" json:"down-delay,omitempty"`
	FailOverMACPolicy     string       `yaml:"fail-over-mac-policy" json:"fail-over-mac-policy,omitempty"`
	GratuitousARP         *int         `yaml:"gratuitous-arp" json:"gratuitous-arp,omitempty"`
	GratuitiousARP        *int         `yaml:"gratuitious-arp" json:"gratuitious-arp,omitempty"` // netplan's own spelling of old
	PacketsPerMember      *int         `yaml:"packets-per-member" json:"packets-per-member,omitempty"`
	PacketsPerSlave       *int         `yaml:"packets-per-slave" json:"packets-per-slave,omitempty"`
	PrimaryReselectPolicy string       `yaml:"primary-reselect-policy" json:"primary-reselect-policy,omitempty"`
	ResendIGMP            *int         `yaml:"resend-igmp" json:"resend-igmp,omitempty"`
	LearnPacketInterval   Seconds      `yaml:"learn-packet-interval" json:"learn-packet-interval,omitempty"`
	Primary               string       `yaml:"primary" json:"primary,omitempty"` // id of a member
}

// Bridge is an Ethernet switch in software.
type Bridge struct {
	Device     `yaml:",inline"`
	Interfaces []string         `yaml:"interfaces" json:"interfaces,omitempty"` // ids
	Parameters BridgeParameters `yaml:"parameters" json:"parameters,omitzero"`
}

// BridgeParameters: times are seconds, or have a unit.
type BridgeParameters struct {
	AgeingTime   Seconds        `yaml:"ageing-time" json:"ageing-time,omitempty"`
	AgingTime    Seconds        `yaml:"aging-time" json:"aging-time,omitempty"` // the same, as netplan spells it besides
	Priority     *int           `yaml:"priority" json:"priority,omitempty"`
	PortPriority map[string]int `yaml:"port-priority" json:"port-priority,omitempty"` // by id
	ForwardDelay Seconds        `yaml:"forward-delay" json:"forward-delay,omitempty"`
	HelloTime    Seconds        `yaml:"hello-time" json:"hello-time,omitempty"`
	MaxAge       Seconds        `yaml:"max-age" json:"max-age,omitempty"`
	PathCost     map[string]int `yaml:"path-cost" json:"path-cost,omitempty"` // by id
	STP          *bool          `yaml:"stp" json:"stp,omitempty"`             // absent: yes, as netplan
	// Not netplan's: VLAN filtering, and the VLAN of untagged frames.
	VLANFiltering *bool `yaml:"testudo-vlan-filtering" json:"testudo-vlan-filtering,omitempty"`
	DefaultPVID   *int  `yaml:"testudo-default-pvid" json:"testudo-default-pvid,omitempty"`
}

// VLAN is one 802.1Q network on another interface.
type VLAN struct {
	Device `yaml:",inline"`
	ID     *int   `yaml:"id" json:"id"`     // 0 to 4094
	Link   string `yaml:"link" json:"link"` // id of the interface below
}

// Tunnel is a network within a network.
type Tunnel struct {
	Device `yaml:",inline"`
	Mode   string     `yaml:"mode" json:"mode"`
	Local  *Addr      `yaml:"local" json:"local,omitempty"`
	Remote *Addr      `yaml:"remote" json:"remote,omitempty"`
	TTL    *int       `yaml:"ttl" json:"ttl,omitempty"`
	Key    TunnelKey  `yaml:"key" json:"key,omitzero"`
	Keys   TunnelKeys `yaml:"keys" json:"keys,omitzero"`

	// VXLAN.
	ID            *int     `yaml:"id" json:"id,omitempty"`
	Link          string   `yaml:"link" json:"link,omitempty"`
	Port          *int     `yaml:"port" json:"port,omitempty"` // WireGuard: the one to listen at
	TypeOfService *int     `yaml:"type-of-service" json:"type-of-service,omitempty"`
	MACLearning   *bool    `yaml:"mac-learning" json:"mac-learning,omitempty"`
	Ageing        Seconds  `yaml:"ageing" json:"ageing,omitempty"`
	Aging         Seconds  `yaml:"aging" json:"aging,omitempty"`
	Limit         *int     `yaml:"limit" json:"limit,omitempty"`
	ARPProxy      *bool    `yaml:"arp-proxy" json:"arp-proxy,omitempty"`
	Notifications []string `yaml:"notifications" json:"notifications,omitempty"` // l2-miss, l3-miss
	ShortCircuit  *bool    `yaml:"short-circuit" json:"short-circuit,omitempty"`
	Checksums     []string `yaml:"checksums" json:"checksums,omitempty"` // udp, zero-udp6-tx, zero-udp6-rx
	PortRange     []int    `yaml:"port-range" json:"port-range,omitempty"`
	FlowLabel     *int     `yaml:"flow-label" json:"flow-label,omitempty"`
	DoNotFragment *bool    `yaml:"do-not-fragment" json:"do-not-fragment,omitempty"`

	// WireGuard.
	Mark  *int            `yaml:"mark" json:"mark,omitempty"`
	Peers []WireGuardPeer `yaml:"peers" json:"peers,omitempty"`
}

// TunnelKeys tell tunnels between the same two hosts apart, or are
// WireGuard's own keys.
type TunnelKeys struct {
	Input   TunnelKey `yaml:"input" json:"input,omitzero"`
	Output  TunnelKey `yaml:"output" json:"output,omitzero"`
	Private Key       `yaml:"private" json:"private,omitempty"`
}

// WireGuardPeer is one other end.
type WireGuardPeer struct {
	Endpoint   string   `yaml:"endpoint" json:"endpoint,omitempty"` // HOST:PORT
	AllowedIPs []Prefix `yaml:"allowed-ips" json:"allowed-ips,omitempty"`
	KeepAlive  int      `yaml:"keepalive" json:"keepalive,omitempty"` // seconds; 0: none
	Keys       PeerKeys `yaml:"keys" json:"keys"`
}

// PeerKeys are those of a peer.
type PeerKeys struct {
	Public Key `yaml:"public" json:"public,omitempty"`
	Shared Key `yaml:"shared" json:"shared,omitempty"`
}

// Dummy is an interface that leads nowhere: a home for addresses.
type Dummy struct {
	Device `yaml:",inline"`
}

// Veth is one end of a virtual cable; the other is defined beside it.
type Veth struct {
	Device `yaml:",inline"`
	Peer   string `yaml:"peer" json:"peer"`
}

// VRF is a routing table of its own for some interfaces.
type VRF struct {
	Device     `yaml:",inline"`
	Table      *int     `yaml:"table" json:"table"`
	Interfaces []string `yaml:"interfaces" json:"interfaces,omitempty"`
}
