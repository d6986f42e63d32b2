package netconf

import (
	"net/netip"
	"slices"
)

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
