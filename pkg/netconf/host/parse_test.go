package host

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/netconf"
)

func attr(kind uint16, value []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(unix.SizeofRtAttr+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	return append(b, make([]byte, (4-len(b)%4)%4)...)
}

func word(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }

func linkMessage(family byte, flags uint32, attrs ...[]byte) []byte {
	b := make([]byte, unix.SizeofIfInfomsg)
	b[0] = family
	binary.NativeEndian.PutUint16(b[2:], unix.ARPHRD_ETHER)
	binary.NativeEndian.PutUint32(b[4:], 2)
	binary.NativeEndian.PutUint32(b[8:], flags)
	return append(b, bytes.Join(attrs, nil)...)
}

func addressMessage(flags byte, attrs ...[]byte) []byte {
	return append([]byte{unix.AF_INET6, 64, flags, unix.RT_SCOPE_UNIVERSE, 2, 0, 0, 0}, bytes.Join(attrs, nil)...)
}

func TestKernelMessagesBecomeEvents(t *testing.T) {
	name, mac := attr(unix.IFLA_IFNAME, []byte("eth0\x00")), attr(unix.IFLA_ADDRESS, []byte{2, 0, 0, 0, 0, 1})
	const nested = 0x8000
	addr := netip.MustParseAddr("2001:db8::5").AsSlice()
	router := netip.MustParseAddr("fe80::1").AsSlice()
	local := func(flags byte) []byte {
		b := addressMessage(flags, attr(unix.IFA_ADDRESS, router))
		b[3] = unix.RT_SCOPE_LINK
		return b
	}
	inet6 := func(flags uint32) []byte { return attr(iflaInet6Flags, word(flags)) }
	route := func(dstLen, table byte) []byte {
		b := append([]byte{unix.AF_INET6, dstLen, 0, 0, table, unix.RTPROT_RA, 0, unix.RTN_UNICAST, 0, 0, 0, 0}, attr(unix.RTA_OIF, word(2))...)
		return append(b, attr(unix.RTA_GATEWAY, router)...)
	}
	option := append([]byte{25, 3, 0, 0, 0, 0, 0, 60}, addr...)
	said := func(icmp byte, size int) []byte {
		return append([]byte{unix.AF_INET6, 0, byte(size), 0, 2, 0, 0, 0, icmp, 0, 0, 0, 0, 0, 0, 0}, option...)
	}
	for _, tt := range []struct {
		name string
		kind uint16
		data []byte
		want string
	}{
		{"an interface with carrier", unix.RTM_NEWLINK, linkMessage(0, unix.IFF_UP|unix.IFF_LOWER_UP, name, mac, attr(unix.IFLA_MTU, word(1500))),
			"link 2 eth0 02:00:00:00:00:01 1500 up=true carrier=true master=0"},
		{"switched off", unix.RTM_NEWLINK, linkMessage(0, unix.IFF_LOWER_UP, name, mac), "link 2 eth0 02:00:00:00:00:01 0 up=false carrier=false master=0"},
		{"part of a bridge", unix.RTM_NEWLINK, linkMessage(0, unix.IFF_UP, name, mac, attr(unix.IFLA_MASTER, word(7))),
			"link 2 eth0 02:00:00:00:00:01 0 up=true carrier=false master=7"},
		{"with a router's flags", unix.RTM_NEWLINK, linkMessage(0, 0, name, mac,
			attr(unix.IFLA_AF_SPEC|nested, attr(unix.AF_INET6|nested, inet6(raManaged)))),
			"link 2 eth0 02:00:00:00:00:01 0 up=false carrier=false master=0; flags 2 managed=true other=false"},
		{"router's flags later", unix.RTM_NEWLINK, linkMessage(unix.AF_INET6, 0, attr(unix.IFLA_PROTINFO|nested, inet6(raOther))), "flags 2 managed=false other=true"},
		{"no router yet", unix.RTM_NEWLINK, linkMessage(unix.AF_INET6, 0, attr(unix.IFLA_PROTINFO, inet6(0))), "flags 2 managed=false other=false"},
		{"a bridge port's message", unix.RTM_NEWLINK, linkMessage(unix.AF_BRIDGE, 0, name, mac), ""},
		{"unplugged", unix.RTM_DELLINK, linkMessage(0, 0, name, mac), "gone 2"},
		{"an address", unix.RTM_NEWADDR, addressMessage(unix.IFA_F_PERMANENT, attr(unix.IFA_ADDRESS, addr)), "address 2 2001:db8::5/64 gone=false"},
		{"a tentative address", unix.RTM_NEWADDR, addressMessage(0, attr(unix.IFA_ADDRESS, addr), attr(unix.IFA_FLAGS, word(unix.IFA_F_TENTATIVE))), "address 2 2001:db8::5/64 gone=true"},
		{"an address that another host has", unix.RTM_DELADDR, addressMessage(0, attr(unix.IFA_ADDRESS, addr), attr(unix.IFA_FLAGS, word(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED))),
			"address 2 2001:db8::5/64 gone=true taken"},
		{"a link-local address", unix.RTM_NEWADDR, local(0), "local 2 gone=false"},
		{"a link-local address that is being checked", unix.RTM_NEWADDR, local(unix.IFA_F_TENTATIVE), "local 2 gone=true"},
		{"a temporary address", unix.RTM_NEWADDR, addressMessage(unix.IFA_F_TEMPORARY, attr(unix.IFA_ADDRESS, addr)), ""},
		{"an address removed", unix.RTM_DELADDR, addressMessage(0, attr(unix.IFA_ADDRESS, addr)), "address 2 2001:db8::5/64 gone=true"},
		{"a default route", unix.RTM_NEWROUTE, route(0, unix.RT_TABLE_MAIN), "gateway 2 fe80::1 gone=false"},
		{"a default route removed", unix.RTM_DELROUTE, route(0, unix.RT_TABLE_MAIN), "gateway 2 fe80::1 gone=true"},
		{"another route", unix.RTM_NEWROUTE, route(64, unix.RT_TABLE_MAIN), ""},
		{"another table", unix.RTM_NEWROUTE, route(0, unix.RT_TABLE_LOCAL), ""},
		{"a router's DNS server", unix.RTM_NEWNDUSEROPT, said(routerAdvert, len(option)), "said 2 [2001:db8::5]"},
		{"of no router", unix.RTM_NEWNDUSEROPT, said(137, len(option)), ""},
		{"longer than it is", unix.RTM_NEWNDUSEROPT, said(routerAdvert, 200), ""},
		{"a message cut short", unix.RTM_NEWLINK, []byte{0, 0}, ""},
	} {
		if got := tell(parse(tt.kind, tt.data)); got != tt.want {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, got, tt.want)
		}
	}
}

func tell(events []netconf.Event) string {
	var out []string
	for _, e := range events {
		switch e := e.(type) {
		case netconf.LinkSeen:
			out = append(out, fmt.Sprintf("link %d %s %s %d up=%v carrier=%v master=%d", e.Index, e.Name, e.MAC, e.MTU, e.Up, e.Carrier, e.Master))
		case netconf.LinkGone:
			out = append(out, fmt.Sprintf("gone %d", e.Index))
		case netconf.RouterFlags:
			out = append(out, fmt.Sprintf("flags %d managed=%v other=%v", e.Index, e.Managed, e.Other))
		case netconf.Address6Seen:
			text := fmt.Sprintf("address %d %s gone=%v", e.Index, e.Prefix, e.Gone)
			if e.Taken {
				text += " taken"
			}
			out = append(out, text)
		case netconf.Local6Seen:
			out = append(out, fmt.Sprintf("local %d gone=%v", e.Index, e.Gone))
		case netconf.Gateway6Seen:
			out = append(out, fmt.Sprintf("gateway %d %s gone=%v", e.Index, e.Gateway, e.Gone))
		case netconf.RouterSaid:
			out = append(out, fmt.Sprintf("said %d %v", e.Index, e.DNS[0].Servers))
		}
	}
	return strings.Join(out, "; ")
}

func FuzzParse(f *testing.F) {
	f.Add(uint16(unix.RTM_NEWLINK), linkMessage(0, 1, attr(unix.IFLA_IFNAME, []byte("eth0\x00")), attr(unix.IFLA_ADDRESS, make([]byte, 6))))
	f.Add(uint16(unix.RTM_NEWADDR), addressMessage(0, attr(unix.IFA_ADDRESS, make([]byte, 16))))
	f.Fuzz(func(t *testing.T, kind uint16, b []byte) {
		for _, e := range parse(kind, b) {
			if l, ok := e.(netconf.LinkSeen); ok && (l.Name == "") {
				t.Errorf("an interface without a name or address: %+v", l)
			}
		}
	})
}
