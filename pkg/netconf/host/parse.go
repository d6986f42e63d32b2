package host

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/netconf"
	"github.com/testudo-os/testudo/pkg/netconf/linkopt"
)

// Kernel constants that x/sys/unix does not have.
const (
	iflaInet6Flags = 1    // IFLA_INET6_FLAGS, linux/if_link.h
	raManaged      = 0x40 // IF_RA_MANAGED, include/net/if_inet6.h
	raOther        = 0x80 // IF_RA_OTHERCONF
	routerAdvert   = 134  // ICMPv6 type
	attributeType  = 0x3fff
	nlFamilyHeader = 16 // sizeof(struct nduseroptmsg)
)

// parse turns one rtnetlink message into events. What it does not understand
// is nobody's event: the kernel may say more than this program knows.
func parse(kind uint16, b []byte) []netconf.Event {
	switch kind {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		return parseLink(kind, b)
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		return parseAddress(kind, b)
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		return parseRoute(kind, b)
	case unix.RTM_NEWNDUSEROPT:
		return parseRouterOption(b)
	}
	return nil
}

func parseLink(kind uint16, b []byte) []netconf.Event {
	if len(b) < unix.SizeofIfInfomsg {
		return nil
	}
	family, index := b[0], int(int32(binary.NativeEndian.Uint32(b[4:])))
	attrs := attributes(b[unix.SizeofIfInfomsg:])
	switch {
	case family == unix.AF_INET6 && kind == unix.RTM_NEWLINK:
		return routerFlags(index, attributes(attrs[unix.IFLA_PROTINFO]))
	case family != unix.AF_UNSPEC:
		return nil // a bridge talks about its ports
	case kind == unix.RTM_DELLINK:
		return []netconf.Event{netconf.LinkGone{Index: index}}
	}
	l, ok := decodeLink(b)
	if !ok {
		return nil
	}
	inet6 := attributes(attributes(attrs[unix.IFLA_AF_SPEC])[unix.AF_INET6])
	return append([]netconf.Event{netconf.LinkSeen{Link: l}}, routerFlags(index, inet6)...)
}

// decodeLink reads an interface from struct ifinfomsg and what follows.
func decodeLink(b []byte) (netconf.Link, bool) {
	if len(b) < unix.SizeofIfInfomsg {
		return netconf.Link{}, false
	}
	attrs := attributes(b[unix.SizeofIfInfomsg:])
	flags := binary.NativeEndian.Uint32(b[8:])
	l := netconf.Link{
		Index: int(int32(binary.NativeEndian.Uint32(b[4:]))),
		Name:  text(attrs[unix.IFLA_IFNAME]),
		MTU:   int(number(attrs[unix.IFLA_MTU])),
		Up:    flags&unix.IFF_UP != 0,
		// LOWER_UP and not RUNNING: it is true as soon as frames pass,
		// RUNNING only after the kernel's link watch came by.
		Carrier:  flags&unix.IFF_UP != 0 && flags&unix.IFF_LOWER_UP != 0,
		Changes:  int(number(attrs[unix.IFLA_CARRIER_CHANGES])),
		Loopback: flags&unix.IFF_LOOPBACK != 0,
		Ethernet: binary.NativeEndian.Uint16(b[2:]) == unix.ARPHRD_ETHER,
		Master:   int(number(attrs[unix.IFLA_MASTER])),
		Lower:    int(number(attrs[unix.IFLA_LINK])),
	}
	// Copies: the buffer is read into again.
	if mac := attrs[unix.IFLA_ADDRESS]; l.Ethernet && len(mac) == 6 {
		l.MAC = bytes.Clone(mac)
	}
	if mac := attrs[unix.IFLA_PERM_ADDRESS]; len(mac) == 6 {
		l.PermMAC = bytes.Clone(mac)
	}
	info := attributes(attrs[unix.IFLA_LINKINFO])
	l.Kind = text(info[unix.IFLA_INFO_KIND])
	l.Options = linkopt.Decode(l.Kind, attributes(info[unix.IFLA_INFO_DATA]))
	if master := text(info[unix.IFLA_INFO_SLAVE_KIND]); master != "" {
		l.Port = linkopt.Decode(linkopt.PortKind(master), attributes(info[unix.IFLA_INFO_SLAVE_DATA]))
	}
	inet6 := attributes(attributes(attrs[unix.IFLA_AF_SPEC])[unix.AF_INET6])
	said := number(inet6[iflaInet6Flags])
	l.RouterManaged, l.RouterOther = said&raManaged != 0, said&raOther != 0
	return l, l.Name != ""
}

func routerFlags(index int, inet6 map[uint16][]byte) []netconf.Event {
	// IF_RA_RCVD does not matter: the kernel sets it only when the router
	// answered its own solicitation. Without a router both flags are 0.
	value, ok := inet6[iflaInet6Flags]
	if !ok {
		return nil
	}
	flags := number(value)
	return []netconf.Event{netconf.RouterFlags{Index: index, Managed: flags&raManaged != 0, Other: flags&raOther != 0}}
}

func parseAddress(kind uint16, b []byte) []netconf.Event {
	if len(b) >= unix.SizeofIfAddrmsg && b[0] == unix.AF_INET && kind == unix.RTM_DELADDR {
		return []netconf.Event{netconf.Changed{}}
	}
	if len(b) < unix.SizeofIfAddrmsg || b[0] != unix.AF_INET6 {
		return nil
	}
	attrs := attributes(b[unix.SizeofIfAddrmsg:])
	raw := attrs[unix.IFA_LOCAL]
	if raw == nil {
		raw = attrs[unix.IFA_ADDRESS]
	}
	addr, ok := netip.AddrFromSlice(raw)
	flags := uint32(b[2])
	if wide, ok := attrs[unix.IFA_FLAGS]; ok {
		flags = number(wide)
	}
	prefix := netip.PrefixFrom(addr, int(b[1]))
	if !ok || !prefix.IsValid() || flags&unix.IFA_F_TEMPORARY != 0 {
		return nil
	}
	unusable := flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED|unix.IFA_F_DEPRECATED) != 0
	index, gone := int(binary.NativeEndian.Uint32(b[4:])), kind == unix.RTM_DELADDR || unusable
	switch b[3] {
	case unix.RT_SCOPE_LINK:
		return []netconf.Event{netconf.Local6Seen{Index: index, Gone: gone}}
	case unix.RT_SCOPE_UNIVERSE:
		return []netconf.Event{netconf.Address6Seen{Index: index, Prefix: prefix, Gone: gone, Taken: flags&unix.IFA_F_DADFAILED != 0}}
	}
	return nil
}

func parseRoute(kind uint16, b []byte) []netconf.Event {
	if len(b) >= unix.SizeofRtMsg && kind == unix.RTM_DELROUTE && (b[5] == netconf.ProtocolDHCP || b[5] == netconf.ProtocolStatic) {
		return []netconf.Event{netconf.Changed{}} // perhaps one of ours
	}
	if len(b) < unix.SizeofRtMsg || b[0] != unix.AF_INET6 || b[1] != 0 ||
		b[4] != unix.RT_TABLE_MAIN || b[7] != unix.RTN_UNICAST {
		return nil
	}
	attrs := attributes(b[unix.SizeofRtMsg:])
	gateway, ok := netip.AddrFromSlice(attrs[unix.RTA_GATEWAY])
	if !ok {
		return nil
	}
	return []netconf.Event{netconf.Gateway6Seen{
		Index:   int(number(attrs[unix.RTA_OIF])),
		Gateway: gateway,
		Gone:    kind == unix.RTM_DELROUTE,
	}}
}

// parseRouterOption reads struct nduseroptmsg and the options behind it.
func parseRouterOption(b []byte) []netconf.Event {
	if len(b) < nlFamilyHeader || b[0] != unix.AF_INET6 || b[8] != routerAdvert {
		return nil
	}
	size := int(binary.NativeEndian.Uint16(b[2:]))
	if len(b) < nlFamilyHeader+size {
		return nil
	}
	said, err := netconf.ParseRouterOptions(b[nlFamilyHeader : nlFamilyHeader+size])
	if err != nil || len(said) == 0 {
		return nil
	}
	return []netconf.Event{netconf.RouterSaid{Index: int(binary.NativeEndian.Uint32(b[4:])), DNS: said}}
}

// attributes splits a run of struct rtattr; the last of each type counts.
func attributes(b []byte) map[uint16][]byte {
	out := map[uint16][]byte{}
	for len(b) >= unix.SizeofRtAttr {
		size := int(binary.NativeEndian.Uint16(b))
		if size < unix.SizeofRtAttr || size > len(b) {
			break
		}
		out[binary.NativeEndian.Uint16(b[2:])&attributeType] = b[unix.SizeofRtAttr:size:size]
		b = b[min((size+3)&^3, len(b)):]
	}
	return out
}

func number(b []byte) uint32 {
	if len(b) != 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(b)
}

func text(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}
