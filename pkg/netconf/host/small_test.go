package host

import (
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/netconf"
)

func TestAPlaceOnABusHasUdevsName(t *testing.T) {
	for device, want := range map[string]string{
		"/sys/devices/pci0000:00/0000:00:03.0/virtio0":                               "pci-0000:00:03.0",
		"/sys/devices/pci0000:00/0000:00:1c.4/0000:02:00.1":                          "pci-0000:02:00.1",
		"/sys/devices/pci0000:00/0000:00:14.0/usb1/1-3/1-3:1.0":                      "pci-0000:00:14.0-usb-0:3:1.0",
		"/sys/devices/platform/soc/net":                                              "",
		"/sys/devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1.4/2-1.4:2.0/net/../weird": "pci-0000:00:14.0-usb-0:1.4:2.0",
	} {
		if got := pathID(device); got != want {
			t.Errorf("%s: %q, want %q", device, got, want)
		}
	}
}

func TestARPPacketsAreWrittenAsTheyAreRead(t *testing.T) {
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	a := netip.MustParseAddr("192.0.2.5")
	b := encodeARP(mac, netconf.SendARP{Sender: a, Target: a})
	e, ok := decodeARP(7, b)
	if !ok || e.Index != 7 || e.MAC.String() != mac.String() || e.Sender != a {
		t.Errorf("%+v, %v", e, ok)
	}
	for name, bad := range map[string][]byte{"cut short": b[:27], "another hardware": append([]byte{0, 6}, b[2:]...), "IPv6": append([]byte{0, 1, 0x86, 0xdd}, b[4:]...), "nothing": nil} {
		if _, ok := decodeARP(7, bad); ok {
			t.Errorf("%s is taken", name)
		}
	}
}

// run is what the kernel does with the few instructions that senders uses.
func run(filter []unix.SockFilter, packet []byte) uint32 {
	var a uint32
	for i := 0; i < len(filter); i++ {
		switch f := filter[i]; f.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			a = uint32(packet[f.K])<<24 | uint32(packet[f.K+1])<<16 | uint32(packet[f.K+2])<<8 | uint32(packet[f.K+3])
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			if a == f.K {
				i += int(f.Jt)
			} else {
				i += int(f.Jf)
			}
		case unix.BPF_RET | unix.BPF_K:
			return f.K
		}
	}
	return 0
}

func TestOnlyPacketsOfHostsWithOurAddressesWakeTheProgram(t *testing.T) {
	var addrs []netip.Addr
	for i := range mostWatched {
		addrs = append(addrs, netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}))
	}
	for n := range len(addrs) + 1 {
		filter := senders(addrs[:n])
		for i, a := range addrs {
			packet := encodeARP(make(net.HardwareAddr, 6), netconf.SendARP{Sender: a, Target: addrs[0]})
			if passed := run(filter, packet) > 0; passed != (i < n) {
				t.Fatalf("of %d addresses: %s passed %v", n, a, passed)
			}
		}
	}
}

func FuzzDecodeARP(f *testing.F) {
	f.Add(make([]byte, arpSize))
	f.Add(encodeARP(make(net.HardwareAddr, 6), netconf.SendARP{Sender: netip.IPv4Unspecified(), Target: netip.IPv4Unspecified()}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, ok := decodeARP(1, b); ok && (len(e.MAC) != 6 || !e.Sender.Is4()) {
			t.Errorf("%+v", e)
		}
		decodeVLANs(b)
		decodeLink(b)
	})
}
