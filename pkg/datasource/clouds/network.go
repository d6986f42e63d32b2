package clouds

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
)

// netplan is a network configuration, version 2, as far as clouds describe
// machines. Interfaces are matched by address: their names are the kernel's.
type netplan struct {
	Version   int                  `json:"version"`
	Ethernets map[string]*ethernet `json:"ethernets,omitempty"`
	VLANs     map[string]*ethernet `json:"vlans,omitempty"`
	Bonds     map[string]*ethernet `json:"bonds,omitempty"`
}

type ethernet struct {
	Match       *match         `json:"match,omitempty"`
	Interfaces  []string       `json:"interfaces,omitempty"`
	Parameters  map[string]any `json:"parameters,omitempty"`
	ID          int            `json:"id,omitempty"`
	Link        string         `json:"link,omitempty"`
	MAC         string         `json:"macaddress,omitempty"`
	MTU         int            `json:"mtu,omitempty"`
	DHCP4       bool           `json:"dhcp4"`
	DHCP6       bool           `json:"dhcp6,omitempty"`
	AcceptRA    *bool          `json:"accept-ra,omitempty"`
	Addresses   []string       `json:"addresses,omitempty"`
	Routes      []route        `json:"routes,omitempty"`
	Nameservers *nameservers   `json:"nameservers,omitempty"`
}

type match struct {
	MAC string `json:"macaddress"`
}

type route struct {
	To  string `json:"to"`
	Via string `json:"via"`
}

type nameservers struct {
	Addresses []string `json:"addresses,omitempty"`
}

// number reads a number, or 0 where there is none.
func (t tree) number(keys ...string) int {
	var n int
	if _, err := fmt.Sscanf(t.text(keys...), "%d", &n); err != nil {
		return 0
	}
	return n
}

// prefix joins an address with a mask, which may be a length or written out.
func prefix(address, mask string) (string, error) {
	if p, err := netip.ParsePrefix(address); err == nil {
		return p.String(), nil
	}
	a, err := netip.ParseAddr(strings.TrimSpace(address))
	if err != nil {
		return "", fmt.Errorf("%.60q is not an address", address)
	}
	var bits int
	if _, err := fmt.Sscanf(mask, "%d", &bits); err != nil || strings.ContainsAny(mask, ".:") {
		m, err := netip.ParseAddr(mask)
		if err != nil || m.BitLen() != a.BitLen() {
			return "", fmt.Errorf("%.60q is not a mask of %s", mask, a)
		}
		bits = 0
		for _, b := range m.AsSlice() {
			for ; b&0x80 != 0; b <<= 1 {
				bits++
			}
			if b != 0 {
				return "", fmt.Errorf("%.60q is not a mask of %s", mask, a)
			}
		}
	}
	p := netip.PrefixFrom(a, bits)
	if !p.IsValid() {
		return "", fmt.Errorf("%.60q is not a mask of %s", mask, a)
	}
	return p.String(), nil
}

// dropletNetwork translates DigitalOcean's description.
func dropletNetwork(t tree) ([]byte, error) {
	if !t.at("interfaces").isObject() {
		return nil, nil
	}
	plan := netplan{Version: 2, Ethernets: map[string]*ethernet{}}
	for _, kind := range []string{"public", "private"} {
		for i, nic := range t.list("interfaces", kind) {
			e := &ethernet{Match: &match{strings.ToLower(nic.text("mac"))}}
			for _, family := range []string{"ipv4", "ipv6", "anchor_ipv4"} {
				a := nic.at(family)
				if !a.isObject() {
					continue
				}
				mask := a.text("netmask")
				if mask == "" {
					mask = a.text("cidr")
				}
				p, err := prefix(a.text("ip_address"), mask)
				if err != nil {
					return nil, fmt.Errorf("interfaces.%s[%d].%s: %w", kind, i, family, err)
				}
				e.Addresses = append(e.Addresses, p)
				// The anchor's gateway is for reserved addresses alone, the
				// private network's is none at all.
				if gateway := a.text("gateway"); gateway != "" && kind == "public" && family != "anchor_ipv4" {
					to := "0.0.0.0/0"
					if family == "ipv6" {
						to = "::/0"
					}
					e.Routes = append(e.Routes, route{to, gateway})
				}
			}
			if kind == "public" {
				if servers := t.lines("dns", "nameservers"); len(servers) > 0 {
					e.Nameservers = &nameservers{servers}
				}
			}
			plan.Ethernets[fmt.Sprintf("%s%d", kind, i)] = e
		}
	}
	return json.Marshal(plan)
}

// openStackNetwork translates network_data.json (nova's
// doc/api_schemas/network_data.json).
func openStackNetwork(body []byte) ([]byte, error) {
	if len(strings.TrimSpace(string(body))) == 0 {
		return nil, nil
	}
	t, err := parseObject("network_data.json", body)
	if err != nil {
		return nil, err
	}
	plan := netplan{Version: 2, Ethernets: map[string]*ethernet{}, VLANs: map[string]*ethernet{}, Bonds: map[string]*ethernet{}}
	byID := map[string]*ethernet{}
	for i, l := range t.list("links") {
		id, mac := l.text("id"), strings.ToLower(l.text("ethernet_mac_address"))
		if id == "" {
			return nil, fmt.Errorf("network_data.json: links[%d] has no id", i)
		}
		e := &ethernet{MTU: l.number("mtu")}
		switch l.text("type") {
		case "bond":
			e.Interfaces, e.MAC = l.lines("bond_links"), mac
			e.Parameters = map[string]any{"mode": l.text("bond_mode")}
			plan.Bonds[id] = e
		case "vlan":
			e.ID, e.Link, e.MAC = l.number("vlan_id"), l.text("vlan_link"), strings.ToLower(l.text("vlan_mac_address"))
			plan.VLANs[id] = e
		default:
			if mac == "" {
				return nil, fmt.Errorf("network_data.json: link %q has no ethernet_mac_address", id)
			}
			e.Match = &match{mac}
			plan.Ethernets[id] = e
		}
		byID[id] = e
	}
	common := dnsOf(t)
	for i, n := range t.list("networks") {
		e := byID[n.text("link")]
		if e == nil {
			return nil, fmt.Errorf("network_data.json: networks[%d]: there is no link %q", i, n.text("link"))
		}
		if err := e.network(n); err != nil {
			return nil, fmt.Errorf("network_data.json: networks[%d]: %w", i, err)
		}
		if servers := append(dnsOf(n), common...); len(servers) > 0 {
			if e.Nameservers == nil {
				e.Nameservers = &nameservers{}
			}
			for _, s := range servers {
				if !contains(e.Nameservers.Addresses, s) {
					e.Nameservers.Addresses = append(e.Nameservers.Addresses, s)
				}
			}
		}
	}
	return json.Marshal(plan)
}

// network puts one of a link's networks in place.
func (e *ethernet) network(n tree) error {
	switch kind := n.text("type"); kind {
	case "ipv4_dhcp":
		e.DHCP4 = true
	case "ipv6_dhcp", "ipv6_dhcpv6-stateful":
		e.DHCP6 = true
	case "ipv6_slaac", "ipv6_dhcpv6-stateless":
		yes := true
		e.AcceptRA = &yes
	case "ipv4", "ipv6", "static", "static6":
		p, err := prefix(n.text("ip_address"), n.text("netmask"))
		if err != nil {
			return err
		}
		e.Addresses = append(e.Addresses, p)
		for _, r := range n.list("routes") {
			to, err := prefix(r.text("network"), r.text("netmask"))
			if err != nil {
				return err
			}
			e.Routes = append(e.Routes, route{to, r.text("gateway")})
		}
		if gateway := n.text("gateway"); gateway != "" {
			to := "0.0.0.0/0"
			if strings.Contains(gateway, ":") {
				to = "::/0"
			}
			e.Routes = append(e.Routes, route{to, gateway})
		}
	default:
		return fmt.Errorf("type %.40q is not known", kind)
	}
	return nil
}

func dnsOf(t tree) []string {
	var out []string
	for _, s := range t.list("services") {
		if s.text("type") == "dns" && s.text("address") != "" {
			out = append(out, s.text("address"))
		}
	}
	return out
}

func contains(list []string, s string) bool {
	for _, have := range list {
		if have == s {
			return true
		}
	}
	return false
}
