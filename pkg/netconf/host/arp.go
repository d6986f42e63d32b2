package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/netconf"
)

// An ARP packet for Ethernet and IPv4 (RFC 826).
const (
	arpSize       = 28
	arpSenderMAC  = 8
	arpSenderAddr = 14
	arpTargetAddr = 24
)

// senders lets ARP packets pass whose sender claims one of the addresses: the
// program sleeps through all others.
func senders(addrs []netip.Addr) []unix.SockFilter {
	filter := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: arpSenderAddr}}
	for i, a := range addrs {
		b := a.As4()
		// Past the other comparisons and the refusal.
		filter = append(filter, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: binary.BigEndian.Uint32(b[:]), Jt: uint8(len(addrs) - i)})
	}
	return append(filter,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: arpSize})
}

// mostWatched bounds the filter, whose jumps are bytes.
const mostWatched = 64

// Watch4 says whose ARP packets an interface is to tell of.
func (h *Host) Watch4(index int, addrs []netip.Addr) error {
	p := h.ports[index]
	if p == nil {
		return errors.New("watch for address conflicts: no socket")
	}
	addrs = addrs[:min(len(addrs), mostWatched)]
	if p.arp == nil && len(addrs) == 0 {
		return nil
	}
	if p.arp == nil {
		file, err := openARP(index, addrs)
		if err != nil {
			return fmt.Errorf("watch for address conflicts: %w", err)
		}
		p.arp = file
		go p.readARP(file)
		return nil
	}
	conn, err := p.arp.SyscallConn()
	if err != nil {
		return fmt.Errorf("watch for address conflicts: %w", err)
	}
	var set error
	err = conn.Control(func(fd uintptr) { set = attach(int(fd), senders(addrs)) })
	if err := errors.Join(err, set); err != nil {
		return fmt.Errorf("watch for address conflicts: %w", err)
	}
	return nil
}

func openARP(index int, addrs []netip.Addr) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		attach(fd, senders(addrs)),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ARP), Ifindex: index}),
	)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "ARP socket"), nil
}

func (p *port) readARP(file *os.File) {
	buf := make([]byte, 128)
	for {
		n, err := file.Read(buf)
		if errors.Is(err, unix.ENETDOWN) {
			continue // said once each time the interface is switched off
		}
		if err != nil {
			return
		}
		if e, ok := decodeARP(p.index, buf[:n]); ok {
			p.events <- e
		}
	}
}

func decodeARP(index int, b []byte) (netconf.ARPSeen, bool) {
	// Ethernet, IPv4, their lengths.
	if len(b) < arpSize || binary.BigEndian.Uint32(b) != 0x00010800 || b[4] != 6 || b[5] != 4 {
		return netconf.ARPSeen{}, false
	}
	sender, _ := netip.AddrFromSlice(b[arpSenderAddr : arpSenderAddr+4])
	mac := append(net.HardwareAddr(nil), b[arpSenderMAC:arpSenderMAC+6]...)
	return netconf.ARPSeen{Index: index, MAC: mac, Sender: sender}, true
}

func encodeARP(mac net.HardwareAddr, a netconf.SendARP) []byte {
	b := make([]byte, arpSize)
	copy(b, []byte{0, 1, 8, 0, 6, 4, 0, 1}) // a request
	copy(b[arpSenderMAC:], mac)
	sender, target := a.Sender.As4(), a.Target.As4()
	copy(b[arpSenderAddr:], sender[:])
	copy(b[arpTargetAddr:], target[:])
	return b
}

// SendARP broadcasts a probe or an announcement.
func (h *Host) SendARP(index int, a netconf.SendARP) error {
	p := h.ports[index]
	if p == nil || p.arp == nil {
		return errors.New("send ARP packet: no socket")
	}
	return p.send(p.arp, unix.ETH_P_ARP, encodeARP(p.mac, a), "ARP packet")
}
