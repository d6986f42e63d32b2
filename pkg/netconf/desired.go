package netconf

import (
	"net/netip"
	"slices"
)

// Address is an address on an interface until its end.
type Address struct {
	Prefix    netip.Prefix `json:"prefix"`
	Preferred Moment       `json:"preferred"`
	Valid     Moment       `json:"valid"`
}

// Desired is what this service puts on one interface. What the kernel learns
// from router advertisements, and what people add by hand, is not in it.
type Desired struct {
	Addresses []Address `json:"addresses,omitempty"`
	Routes    []Route   `json:"routes,omitempty"`
	MTU       int       `json:"mtu,omitempty"` // 0: the link's own
}

// desired puts the leases of an interface together.
func desired(four *Lease4, six *Lease6) Desired {
	var d Desired
	if four != nil {
		d.Addresses = append(d.Addresses, Address{Prefix: four.Address, Preferred: four.Expires, Valid: four.Expires})
		d.MTU = four.MTU
		d.Routes = routesOf(four)
	}
	if six != nil {
		for _, a := range six.Addresses {
			d.Addresses = append(d.Addresses, Address{
				Prefix: netip.PrefixFrom(a.Address, 128), Preferred: a.Preferred, Valid: a.Valid,
			})
		}
	}
	return d
}

// routesOf gives the subnet's route first (our address comes without one, so
// that it carries the interface's metric), then a route to each gateway that
// is outside the subnet, then the rest: the kernel refuses a route through a
// gateway it has no route to.
func routesOf(l *Lease4) []Route {
	subnet := l.Address.Masked()
	var onLink, via []Route
	if subnet.Bits() < 32 {
		onLink = append(onLink, Route{To: subnet})
	}
	for _, r := range l.Routes {
		if !r.Gateway.IsValid() {
			onLink = append(onLink, r)
		}
	}
	for _, r := range l.Routes {
		if !r.Gateway.IsValid() {
			continue
		}
		reached := slices.ContainsFunc(onLink, func(o Route) bool { return o.To.Contains(r.Gateway) })
		if !reached {
			onLink = append(onLink, Route{To: netip.PrefixFrom(r.Gateway, 32)})
		}
		via = append(via, r)
	}
	return dedupe(append(onLink, via...))
}

func dedupe(routes []Route) []Route {
	var out []Route
	for _, r := range routes {
		if !slices.ContainsFunc(out, func(o Route) bool { return o.To == r.To }) {
			out = append(out, r)
		}
	}
	return out
}

// Stale is what is in old and no longer in d, to be removed after d is in
// force. An address is the same whatever its lifetimes.
func (d Desired) Stale(old Desired) Desired {
	var stale Desired
	for _, a := range old.Addresses {
		if !slices.ContainsFunc(d.Addresses, func(b Address) bool { return a.Prefix == b.Prefix }) {
			stale.Addresses = append(stale.Addresses, a)
		}
	}
	for _, r := range old.Routes {
		if !slices.ContainsFunc(d.Routes, func(o Route) bool { return o.To == r.To }) {
			stale.Routes = append(stale.Routes, r)
		}
	}
	return stale
}
