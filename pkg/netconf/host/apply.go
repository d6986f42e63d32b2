package host

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/netconf"
)

// Apply removes what is stale and puts want in force. Stale addresses go
// first: had a new one of the same subnet come beside the old, the kernel
// would count it as secondary and remove it together with the old one.
func (h *Host) Apply(index int, want, stale netconf.Desired) error {
	now := h.Now()
	var errs []error
	for _, r := range stale.Routes {
		errs = append(errs, ignore(h.handle.RouteDel(h.route(index, r, netip.Addr{})), unix.ESRCH, unix.ENODEV))
	}
	for _, a := range stale.Addresses {
		errs = append(errs, ignore(h.handle.AddrDel(link(index), address(a, now)), unix.EADDRNOTAVAIL, unix.ENODEV))
	}
	errs = append(errs, h.setMTU(index, want.MTU))
	var source netip.Addr
	for _, a := range want.Addresses {
		if a.Prefix.Addr().Is4() {
			source = a.Prefix.Addr()
		}
		if err := h.handle.AddrReplace(link(index), address(a, now)); err != nil {
			errs = append(errs, fmt.Errorf("add address %s: %w", a.Prefix, err))
		}
	}
	for _, r := range want.Routes {
		if err := h.handle.RouteReplace(h.route(index, r, source)); err != nil {
			errs = append(errs, fmt.Errorf("add route to %s: %w", r.To, err))
		}
	}
	return errors.Join(errs...)
}

func (h *Host) setMTU(index, mtu int) error {
	l, err := h.handle.LinkByIndex(index)
	if err != nil || mtu == 0 || l.Attrs().MTU == mtu {
		return nil // an interface that is gone has no MTU to set
	}
	if err := h.handle.LinkSetMTU(l, mtu); err != nil {
		return fmt.Errorf("set MTU %d: %w", mtu, err)
	}
	return nil
}

func address(a netconf.Address, now netconf.Moment) *netlink.Addr {
	return &netlink.Addr{
		IPNet: network(a.Prefix),
		// Its route is ours to add, with this interface's metric.
		Flags:       unix.IFA_F_NOPREFIXROUTE,
		PreferedLft: lifetime(a.Preferred, now),
		// The kernel drops the address if this service is not there to do so.
		ValidLft: max(lifetime(a.Valid, now), 1),
	}
}

func (h *Host) route(index int, r netconf.Route, source netip.Addr) *netlink.Route {
	route := &netlink.Route{
		LinkIndex: index,
		Dst:       network(r.To),
		Protocol:  unix.RTPROT_DHCP,
		Priority:  netconf.Metric(index),
		Scope:     unix.RT_SCOPE_LINK,
	}
	if source.IsValid() {
		route.Src = source.AsSlice()
	}
	if r.Gateway.IsValid() {
		route.Gw, route.Scope = r.Gateway.AsSlice(), unix.RT_SCOPE_UNIVERSE
	}
	return route
}

func network(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// ignore turns errors that mean "already as wanted" into none.
func ignore(err error, targets ...error) error {
	for _, t := range targets {
		if errors.Is(err, t) {
			return nil
		}
	}
	return err
}
