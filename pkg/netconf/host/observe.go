package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/netconf"
)

// mostLooks bounds how often the kernel is asked again when something changed
// while it answered, which a busy container engine makes likely.
const mostLooks = 10

// Observe reads links, addresses, rules and the routes that this kind of
// program makes.
func (h *Host) Observe() (s *netconf.State, err error) {
	for range mostLooks {
		if s, err = h.look(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	return s, err
}

func (h *Host) look() (*netconf.State, error) {
	s := &netconf.State{}
	if err := h.observeLinks(s); err != nil {
		return nil, err
	}
	addrs, err := h.handle.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("read addresses: %w", err)
	}
	now := h.Now()
	for _, a := range addrs {
		p, ok := prefixOf(a.IPNet)
		if !ok {
			continue
		}
		s.Addresses = append(s.Addresses, netconf.LinkAddress{Index: a.LinkIndex, Address: netconf.Address{
			Prefix: p, Preferred: moment(a.PreferedLft, now), Valid: moment(a.ValidLft, now), Label: a.Label,
			Tentative: a.Flags&unix.IFA_F_TENTATIVE != 0, Failed: a.Flags&unix.IFA_F_DADFAILED != 0,
		}})
	}
	if err := h.observeRoutes(s); err != nil {
		return nil, err
	}
	return s, h.observeRules(s)
}

// moment turns the kernel's seconds from now into a moment.
func moment(seconds int, now netconf.Moment) netconf.Moment {
	if uint32(seconds) == 0xffffffff || seconds < 0 {
		return netconf.Never
	}
	return now + netconf.Moment(seconds)*1e9
}

func prefixOf(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	addr, ok := netip.AddrFromSlice(n.IP)
	bits, size := n.Mask.Size()
	if size == 32 {
		addr = addr.Unmap()
	}
	return netip.PrefixFrom(addr, bits), ok && size != 0
}

// routeTypes are the kernel's (rtnetlink.h), by name.
var routeTypes = map[string]int{
	"": unix.RTN_UNICAST, "local": unix.RTN_LOCAL, "broadcast": unix.RTN_BROADCAST, "anycast": unix.RTN_ANYCAST,
	"multicast": unix.RTN_MULTICAST, "blackhole": unix.RTN_BLACKHOLE, "unreachable": unix.RTN_UNREACHABLE,
	"prohibit": unix.RTN_PROHIBIT, "throw": unix.RTN_THROW,
}

var scopes = map[string]netlink.Scope{"": unix.RT_SCOPE_UNIVERSE, "link": unix.RT_SCOPE_LINK, "host": unix.RT_SCOPE_HOST}

func nameOf[V comparable](names map[string]V, value V) string {
	for name, v := range names {
		if v == value {
			return name
		}
	}
	return ""
}

func (h *Host) observeRoutes(s *netconf.State) error {
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		// A table of zero is all of them.
		list, err := h.handle.RouteListFiltered(family, &netlink.Route{}, netlink.RT_FILTER_TABLE)
		if err != nil {
			return fmt.Errorf("read routes: %w", err)
		}
		for _, r := range list {
			e, ok := entry(r, family)
			switch {
			case !ok:
			case r.Protocol == netconf.ProtocolDHCP || r.Protocol == netconf.ProtocolStatic:
				s.Routes = append(s.Routes, e)
			case r.Protocol == unix.RTPROT_RA && e.To.Bits() == 0 && e.Gateway.IsValid() && e.Table == netconf.MainTable:
				s.Gateways = append(s.Gateways, e)
			}
		}
	}
	return nil
}

func entry(r netlink.Route, family int) (netconf.RouteEntry, bool) {
	e := netconf.RouteEntry{Index: r.LinkIndex, Metric: r.Priority, Table: r.Table, Type: nameOf(routeTypes, r.Type), MTU: r.MTU,
		Window: r.InitCwnd, Receive: r.InitRwnd, MSS: r.AdvMSS, OnLink: r.Flags&unix.RTNH_F_ONLINK != 0, Protocol: int(r.Protocol)}
	e.To = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if family == netlink.FAMILY_V6 {
		e.To = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	} else {
		e.Scope = nameOf(scopes, r.Scope)
	}
	if r.Dst != nil {
		p, ok := prefixOf(r.Dst)
		if !ok {
			return e, false
		}
		e.To = p
	}
	e.Gateway, e.Source = addrOf(r.Gw), addrOf(r.Src)
	if e.Type != "" && e.Type != "local" && e.Type != "broadcast" && e.Type != "anycast" && e.Type != "multicast" {
		e.Index = 0 // of IPv6 these stand on lo
	}
	return e, len(r.MultiPath) == 0
}

func addrOf(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

func (h *Host) observeRules(s *netconf.State) error {
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		list, err := h.handle.RuleList(family)
		if err != nil {
			return fmt.Errorf("read rules: %w", err)
		}
		for _, r := range list {
			rule := netconf.Rule{Priority: max(r.Priority, 0), Six: family == netlink.FAMILY_V6, Table: r.Table, Mark: int(r.Mark), TOS: int(r.Tos)}
			rule.From, _ = prefixOf(r.Src)
			rule.To, _ = prefixOf(r.Dst)
			if r.IifName == "" && r.OifName == "" && !r.Invert && r.IPProto == 0 {
				s.Rules = append(s.Rules, rule)
			}
		}
	}
	return nil
}

// request sends a netlink message and gives the answers.
func (h *Host) request(req *nl.NetlinkRequest, answer uint16) ([][]byte, error) {
	req.Sockets = h.sockets
	return req.Execute(unix.NETLINK_ROUTE, answer)
}

func (h *Host) observeLinks(s *netconf.State) error {
	req := nl.NewNetlinkRequest(unix.RTM_GETLINK, unix.NLM_F_DUMP)
	req.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	messages, err := h.request(req, unix.RTM_NEWLINK)
	if err != nil {
		return fmt.Errorf("read interfaces: %w", err)
	}
	filtering := false
	for _, b := range messages {
		l, ok := decodeLink(b)
		if !ok {
			continue
		}
		h.complete(&l)
		filtering = filtering || l.Options["vlan_filtering"] == "true"
		s.Links = append(s.Links, l)
	}
	if filtering {
		if err := h.observeVLANs(s); err != nil {
			return err
		}
	}
	return nil
}

// complete adds what stands in sysfs, which for a network card never changes.
func (h *Host) complete(l *netconf.Link) {
	if l.Kind == "" && !l.Loopback {
		device := filepath.Join(h.Sysfs, l.Name, "device")
		if target, err := os.Readlink(filepath.Join(device, "driver")); err == nil {
			l.Driver = filepath.Base(target)
		}
		if full, err := filepath.EvalSymlinks(device); err == nil {
			l.Physical = true
			l.Path = pathID(full)
		}
	}
	l.Physical = l.Physical && l.Ethernet
	if h.Pattern != "" {
		ok, err := filepath.Match(h.Pattern, l.Name)
		l.Physical = err == nil && ok
	}
	if l.Kind == "wireguard" {
		l.Tunnel, _ = h.observeTunnel(l.Name)
	}
}

// pathID names a place on a bus as udev's path_id does, for those that
// network cards have: pci-0000:00:03.0, with -usb-0:1:1.0 behind it.
func pathID(device string) string {
	var parts []string
	for part := range strings.SplitSeq(device, "/") {
		switch {
		case len(part) == 12 && part[4] == ':' && part[7] == ':' && part[10] == '.':
			parts = []string{"pci-" + part} // the last one is the card's own
		case strings.Contains(part, "-") && strings.Contains(part, ":") && part[0] >= '0' && part[0] <= '9':
			_, port, _ := strings.Cut(part, "-")
			parts = append(parts, "usb-0:"+port)
		}
	}
	return strings.Join(parts, "-")
}

// observeVLANs reads the VLANs of bridges' ports.
func (h *Host) observeVLANs(s *netconf.State) error {
	req := nl.NewNetlinkRequest(unix.RTM_GETLINK, unix.NLM_F_DUMP)
	req.AddData(nl.NewIfInfomsg(unix.AF_BRIDGE))
	req.AddData(nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(uint32(nl.RTEXT_FILTER_BRVLAN))))
	messages, err := h.request(req, unix.RTM_NEWLINK)
	if err != nil {
		return fmt.Errorf("read VLANs of bridges: %w", err)
	}
	for _, b := range messages {
		if len(b) < unix.SizeofIfInfomsg {
			continue
		}
		index := int(int32(binary.NativeEndian.Uint32(b[4:])))
		i := slices.IndexFunc(s.Links, func(l netconf.Link) bool { return l.Index == index })
		if i >= 0 {
			s.Links[i].VLANs = decodeVLANs(attributes(b[unix.SizeofIfInfomsg:])[unix.IFLA_AF_SPEC])
		}
	}
	return nil
}

// decodeVLANs reads struct bridge_vlan_info, one an attribute.
func decodeVLANs(b []byte) []netconf.PortVLAN {
	var out []netconf.PortVLAN
	for len(b) >= unix.SizeofRtAttr {
		size := int(binary.NativeEndian.Uint16(b))
		if size < unix.SizeofRtAttr || size > len(b) {
			break
		}
		if kind := binary.NativeEndian.Uint16(b[2:]) & attributeType; kind == nl.IFLA_BRIDGE_VLAN_INFO && size == unix.SizeofRtAttr+4 {
			flags := binary.NativeEndian.Uint16(b[4:])
			out = append(out, netconf.PortVLAN{ID: int(binary.NativeEndian.Uint16(b[6:])),
				PVID: flags&nl.BRIDGE_VLAN_INFO_PVID != 0, Untagged: flags&nl.BRIDGE_VLAN_INFO_UNTAGGED != 0})
		}
		b = b[min((size+3)&^3, len(b)):]
	}
	return out
}
