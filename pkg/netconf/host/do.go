package host

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/netconf"
	"github.com/testudo-os/testudo/pkg/netconf/linkopt"
)

// Do changes the kernel's state. What is already as wanted is no error.
func (h *Host) Do(a netconf.Action) error {
	switch a := a.(type) {
	case netconf.CreateLink:
		return h.createLink(a)
	case netconf.DeleteLink:
		return ignore(h.handle.LinkDel(link(a.Index)), unix.ENODEV)
	case netconf.ChangeLink:
		return h.changeLink(a.Index, unix.IFLA_INFO_KIND, unix.IFLA_INFO_DATA, a.Kind, a.Kind, a.Options)
	case netconf.SetPort:
		return h.changeLink(a.Index, unix.IFLA_INFO_SLAVE_KIND, unix.IFLA_INFO_SLAVE_DATA, a.Kind, linkopt.PortKind(a.Kind), a.Options)
	case netconf.RenameLink:
		return h.offAndOn(a.Index, func() error { return h.handle.LinkSetName(link(a.Index), a.To) })
	case netconf.SetMAC:
		return h.offAndOn(a.Index, func() error { return h.handle.LinkSetHardwareAddr(link(a.Index), a.MAC) })
	case netconf.SetMTU:
		return h.handle.LinkSetMTU(link(a.Index), a.MTU)
	case netconf.SetMaster:
		return h.setMaster(a)
	case netconf.SetVLANs:
		return h.setVLANs(a)
	case netconf.SetUp:
		if a.On {
			return h.handle.LinkSetUp(link(a.Index))
		}
		return h.handle.LinkSetDown(link(a.Index))
	case netconf.SetTunnel:
		return h.setTunnel(a)
	case netconf.AddAddress:
		return h.handle.AddrReplace(link(a.Index), address(a.Address, h.Now()))
	case netconf.DeleteAddress:
		return ignore(h.handle.AddrDel(link(a.Index), address(a.Address, h.Now())), unix.EADDRNOTAVAIL, unix.ENODEV)
	case netconf.AddRoute:
		return h.addRoute(a.RouteEntry)
	case netconf.DeleteRoute:
		return ignore(h.handle.RouteDel(route(a.RouteEntry)), unix.ESRCH, unix.ENODEV)
	case netconf.AddRule:
		return ignore(h.handle.RuleAdd(rule(a.Rule)), unix.EEXIST)
	case netconf.DeleteRule:
		return ignore(h.handle.RuleDel(rule(a.Rule)), unix.ENOENT)
	}
	return fmt.Errorf("unknown action %T", a)
}

// infoData nests a kind's options as rtnetlink has them.
func infoData(kindAttr, dataAttr int, kind, table string, options linkopt.Options) (*nl.RtAttr, error) {
	attrs, err := linkopt.Encode(table, options)
	if err != nil {
		return nil, err
	}
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(kindAttr, nl.NonZeroTerminated(kind))
	if len(attrs) > 0 {
		data := info.AddRtAttr(dataAttr, nil)
		for _, a := range attrs {
			data.AddRtAttr(int(a.Type), a.Data)
		}
	}
	return info, nil
}

// vethPeer is VETH_INFO_PEER (linux/veth.h).
const vethPeer = 1

func (h *Host) createLink(a netconf.CreateLink) error {
	req := nl.NewNetlinkRequest(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL|unix.NLM_F_ACK)
	req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	req.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(a.Name)))
	if a.Lower != 0 {
		req.AddData(nl.NewRtAttr(unix.IFLA_LINK, nl.Uint32Attr(uint32(a.Lower))))
	}
	if a.MTU != 0 {
		req.AddData(nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(a.MTU))))
	}
	if a.MAC != nil {
		req.AddData(nl.NewRtAttr(unix.IFLA_ADDRESS, a.MAC))
	}
	info, err := infoData(unix.IFLA_INFO_KIND, unix.IFLA_INFO_DATA, a.Kind, a.Kind, a.Options)
	if err != nil {
		return err
	}
	if a.Peer != "" {
		peer := info.AddRtAttr(unix.IFLA_INFO_DATA, nil).AddRtAttr(vethPeer, nil)
		nl.NewIfInfomsgChild(peer, unix.AF_UNSPEC)
		peer.AddRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(a.Peer))
	}
	req.AddData(info)
	if _, err := h.request(req, 0); err != nil {
		if errors.Is(err, unix.EOPNOTSUPP) {
			return fmt.Errorf("%w: this kernel has no interfaces of kind %s", err, a.Kind)
		}
		return err
	}
	return nil
}

func (h *Host) changeLink(index, kindAttr, dataAttr int, kind, table string, options linkopt.Options) error {
	info, err := infoData(kindAttr, dataAttr, kind, table, options)
	if err != nil {
		return err
	}
	req := nl.NewNetlinkRequest(unix.RTM_NEWLINK, unix.NLM_F_ACK)
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	req.AddData(msg)
	req.AddData(info)
	_, err = h.request(req, 0)
	return err
}

// offAndOn does what some drivers do only while an interface is off.
func (h *Host) offAndOn(index int, f func() error) error {
	err := f()
	if !errors.Is(err, unix.EBUSY) {
		return err
	}
	if err := h.handle.LinkSetDown(link(index)); err != nil {
		return err
	}
	return errors.Join(f(), h.handle.LinkSetUp(link(index)))
}

func (h *Host) setMaster(a netconf.SetMaster) error {
	if a.Down { // a bond switches its ports on by itself
		if err := h.handle.LinkSetDown(link(a.Index)); err != nil {
			return err
		}
	}
	return h.handle.LinkSetMasterByIndex(link(a.Index), a.Master)
}

func (h *Host) setVLANs(a netconf.SetVLANs) error {
	var errs []error
	for _, v := range a.Remove {
		errs = append(errs, h.handle.BridgeVlanDel(link(a.Index), uint16(v.ID), false, false, a.Self, !a.Self))
	}
	for _, v := range a.Add {
		errs = append(errs, h.handle.BridgeVlanAdd(link(a.Index), uint16(v.ID), v.PVID, v.Untagged, a.Self, !a.Self))
	}
	return errors.Join(errs...)
}

func address(a netconf.Address, now netconf.Moment) *netlink.Addr {
	out := &netlink.Addr{
		IPNet:       network(a.Prefix),
		Label:       a.Label,
		PreferedLft: lifetime(a.Preferred, now),
		// The kernel drops the address if this service is not there to do so.
		ValidLft: max(lifetime(a.Valid, now), 1),
	}
	if a.Prefix.Addr().Is4() || a.Prefix.Bits() == 128 {
		// Its route is the service's to add, with the interface's metric.
		out.Flags = unix.IFA_F_NOPREFIXROUTE
	}
	return out
}

// addRoute replaces what IPv4 has under that network and metric. IPv6 would
// add a next hop to it: there the old one goes first, if it is another.
func (h *Host) addRoute(e netconf.RouteEntry) error {
	r := route(e)
	if e.To.Addr().Is4() {
		return h.handle.RouteReplace(r)
	}
	err := h.handle.RouteAdd(r)
	if errors.Is(err, unix.EEXIST) {
		return errors.Join(ignore(h.handle.RouteDel(r), unix.ESRCH), h.handle.RouteAdd(r))
	}
	return err
}

func route(e netconf.RouteEntry) *netlink.Route {
	r := &netlink.Route{
		LinkIndex: e.Index, Dst: network(e.To), Priority: e.Metric, Table: e.Table, Protocol: netlink.RouteProtocol(e.Protocol),
		Type: routeTypes[e.Type], Scope: scopes[e.Scope], MTU: e.MTU, InitCwnd: e.Window, InitRwnd: e.Receive, AdvMSS: e.MSS,
		Family: netlink.FAMILY_V4,
	}
	if e.To.Addr().Is6() {
		r.Family = netlink.FAMILY_V6
	}
	if e.OnLink {
		r.Flags = unix.RTNH_F_ONLINK
	}
	if e.Gateway.IsValid() {
		r.Gw = e.Gateway.AsSlice()
	}
	if e.Source.IsValid() {
		r.Src = e.Source.AsSlice()
	}
	return r
}

func rule(r netconf.Rule) *netlink.Rule {
	out := netlink.NewRule()
	out.Priority, out.Table, out.Mark, out.Tos = r.Priority, r.Table, uint32(r.Mark), uint(r.TOS)
	out.Family = netlink.FAMILY_V4
	if r.Six {
		out.Family = netlink.FAMILY_V6
	}
	if r.From.IsValid() {
		out.Src = network(r.From)
	}
	if r.To.IsValid() {
		out.Dst = network(r.To)
	}
	return out
}
