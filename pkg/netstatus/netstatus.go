// Package netstatus is what the network service tells of itself: the file
// layout.NetworkStatus, which rosd hands to `ros network`. Types only; the
// service writes them, the API and ros read them.
package netstatus

import "time"

// Network is the state of the machine's network.
type Network struct {
	Time   time.Time `json:"time"`   // when it was written
	Online bool      `json:"online"` // as testudo.network.online says, now
	Ready  bool      `json:"ready"`  // was online once, or the bound has passed
	// Why says what being online waits for; "" when it is.
	Why    string         `json:"why,omitempty"`
	Checks []NetworkCheck `json:"checks"` // what being online takes, step by step
	Links  []NetworkLink  `json:"links"`
	DNS    NetworkNames   `json:"dns"`
	// Problems concern no interface that is there.
	Problems []string `json:"problems,omitempty"`
	Firewall bool     `json:"firewall"`
}

// NetworkCheck is one step on the way to being online.
type NetworkCheck struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}

// NetworkLink is one interface that the service looks after.
type NetworkLink struct {
	Name      string           `json:"name"`
	Index     int              `json:"index,omitempty"` // 0: it is not there
	ID        string           `json:"id,omitempty"`    // in the configuration
	Kind      string           `json:"kind"`            // card, bridge, bond, ...
	State     string           `json:"state"`           // absent, off, no carrier, configuring, port, up
	MAC       string           `json:"mac,omitempty"`
	MTU       int              `json:"mtu,omitempty"`
	Driver    string           `json:"driver,omitempty"`
	Path      string           `json:"path,omitempty"`
	Master    string           `json:"master,omitempty"`
	Text      string           `json:"text"` // for people: what is, and what it waits for
	Addresses []NetworkAddress `json:"addresses,omitempty"`
	Routes    []NetworkRoute   `json:"routes,omitempty"`
	Leases    []NetworkLease   `json:"leases,omitempty"`
	DNS       NetworkNames     `json:"dns,omitzero"`
	Problems  []string         `json:"problems,omitempty"`
}

// NetworkAddress is one of an interface.
type NetworkAddress struct {
	Address string `json:"address"` // with its network's length
	From    string `json:"from"`    // static, dhcp4, dhcp6, ra, link-local
	// Until is when it ends; nil: never.
	Until *time.Time `json:"until,omitempty"`
	// Note is dns, tentative or "taken by another host".
	Note string `json:"note,omitempty"`
}

// NetworkRoute is one that the service made, or a router's default route.
type NetworkRoute struct {
	To      string `json:"to"`
	Gateway string `json:"gateway,omitempty"`
	Metric  int    `json:"metric"`
	Table   int    `json:"table,omitempty"` // when not main
	Type    string `json:"type,omitempty"`
	From    string `json:"from"` // static, dhcp4, ra
}

// NetworkLease is what a server granted.
type NetworkLease struct {
	Protocol string     `json:"protocol"` // dhcp4, dhcp6
	State    string     `json:"state"`    // bound, renewing, ...
	Server   string     `json:"server,omitempty"`
	Address  string     `json:"address,omitempty"`
	Renew    *time.Time `json:"renew,omitempty"`
	Expires  *time.Time `json:"expires,omitempty"`
	Prefixes []string   `json:"prefixes,omitempty"` // delegated
}

// NetworkNames is servers and domains in the order in which they are used.
type NetworkNames struct {
	Servers []string `json:"servers,omitempty"`
	Search  []string `json:"search,omitempty"`
}
