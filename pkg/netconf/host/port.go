package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv6"
	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/netconf"
)

// port holds the sockets of one interface.
type port struct {
	index  int
	name   string
	mac    net.HardwareAddr
	arp    *os.File       // address conflicts; open once there are addresses
	raw    *os.File       // DHCPv4 before and while there is an address
	udp    net.PacketConn // DHCPv4 unicast; open while a lease is renewed
	udpAt  netip.Addr
	six    net.PacketConn // DHCPv6; open once a router asked for it
	events chan<- netconf.Event
}

// Adopt opens an interface's DHCPv4 socket.
func (h *Host) Adopt(l netconf.Link) error {
	raw, err := openRaw(l.Index)
	if err != nil {
		return fmt.Errorf("open packet socket: %w", err)
	}
	p := &port{index: l.Index, name: l.Name, mac: l.MAC, raw: raw, events: h.events}
	h.ports[l.Index] = p
	go p.read4()
	return nil
}

// Release closes an interface's sockets.
func (h *Host) Release(index int) {
	p := h.ports[index]
	if p == nil {
		return
	}
	delete(h.ports, index)
	p.raw.Close()
	if p.arp != nil {
		p.arp.Close()
	}
	if p.udp != nil {
		p.udp.Close()
	}
	if p.six != nil {
		p.six.Close()
	}
}

// openRaw opens a packet socket that wakes us for DHCP answers only. The
// filter is in place before the socket is bound, so nothing else gets in.
func openRaw(index int) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		attach(fd, dhcpAnswers),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_IP), Ifindex: index}),
	)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "packet socket"), nil
}

func (p *port) read4() {
	buf := make([]byte, 2048)
	for {
		n, err := p.raw.Read(buf)
		if errors.Is(err, unix.ENETDOWN) {
			continue // said once each time the interface is switched off
		}
		if err != nil {
			return // closed, or the interface is gone
		}
		payload, err := decodeFrame(buf[:n])
		if err != nil {
			continue
		}
		if m, err := dhcpv4.FromBytes(payload); err == nil {
			p.events <- netconf.Packet4{Index: p.index, Message: m}
		}
	}
}

// Send4 broadcasts a message, or sends it to one server by way of the kernel.
func (h *Host) Send4(index int, m *dhcpv4.DHCPv4, to netip.Addr) error {
	p := h.ports[index]
	if p == nil {
		return errors.New("send DHCP message: no socket")
	}
	if to.IsValid() {
		return p.unicast(m, to)
	}
	from, ok := netip.AddrFromSlice(m.ClientIPAddr.To4())
	if !ok {
		from = netip.IPv4Unspecified()
	}
	return p.broadcast(encodeFrame(from, netip.AddrFrom4([4]byte{255, 255, 255, 255}), m.ToBytes()))
}

func (p *port) broadcast(frame []byte) error {
	return p.send(p.raw, unix.ETH_P_IP, frame, "DHCP message")
}

// send broadcasts a frame by a packet socket.
func (p *port) send(by *os.File, protocol uint16, frame []byte, what string) error {
	target := &unix.SockaddrLinklayer{
		Protocol: networkOrder(protocol), Ifindex: p.index,
		Halen: 6, Addr: [8]byte{255, 255, 255, 255, 255, 255},
	}
	conn, err := by.SyscallConn()
	if err != nil {
		return fmt.Errorf("send %s: %w", what, err)
	}
	var sent error
	err = conn.Write(func(fd uintptr) bool {
		sent = unix.Sendto(int(fd), frame, 0, target)
		if errors.Is(sent, unix.ENETDOWN) {
			// Said once of an interface that was off when the socket was
			// opened, however long ago.
			sent = unix.Sendto(int(fd), frame, 0, target)
		}
		return true // a full queue is a lost packet: it is sent again in time
	})
	if err := errors.Join(err, sent); err != nil {
		return fmt.Errorf("send %s: %w", what, err)
	}
	return nil
}

func (p *port) unicast(m *dhcpv4.DHCPv4, to netip.Addr) error {
	from, _ := netip.AddrFromSlice(m.ClientIPAddr.To4())
	if p.udp != nil && p.udpAt != from {
		p.udp.Close()
		p.udp = nil
	}
	if p.udp == nil {
		// The packet socket reads the answers. This one only sends, and keeps
		// the kernel from telling the server that nobody listens here.
		conn, err := p.listen("udp4", netip.AddrPortFrom(from, clientPort), nothing)
		if err != nil {
			return fmt.Errorf("send DHCP message to %s: %w", to, err)
		}
		p.udp, p.udpAt = conn, from
	}
	if _, err := p.udp.WriteTo(m.ToBytes(), net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, serverPort))); err != nil {
		return fmt.Errorf("send DHCP message to %s: %w", to, err)
	}
	return nil
}

// DHCPv6's ports and the address of all its servers and relays (RFC 8415, 7).
const (
	client6Port = 546
	server6Port = 547
)

var allServers6 = netip.MustParseAddr("ff02::1:2")

// Send6 sends a message to all DHCPv6 servers on the link.
func (h *Host) Send6(index int, m *dhcpv6.Message) error {
	p := h.ports[index]
	if p == nil {
		return errors.New("send DHCPv6 message: no socket")
	}
	if p.six == nil {
		conn, err := p.listen("udp6", netip.AddrPortFrom(netip.IPv6Unspecified(), client6Port), nil)
		if err != nil {
			return fmt.Errorf("open DHCPv6 socket: %w", err)
		}
		p.six = conn
		go p.read6(conn)
	}
	to := netip.AddrPortFrom(allServers6.WithZone(p.name), server6Port)
	if _, err := p.six.WriteTo(m.ToBytes(), net.UDPAddrFromAddrPort(to)); err != nil {
		return fmt.Errorf("send DHCPv6 message: %w", err)
	}
	return nil
}

func (p *port) read6(conn net.PacketConn) {
	buf := make([]byte, 2048)
	for {
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			return
		}
		if m, err := dhcpv6.MessageFromBytes(buf[:n]); err == nil {
			p.events <- netconf.Packet6{Index: p.index, Message: m}
		}
	}
}

// listen opens a UDP socket that sees this interface only.
func (p *port) listen(network string, at netip.AddrPort, filter []unix.SockFilter) (net.PacketConn, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var set error
		err := c.Control(func(fd uintptr) {
			set = errors.Join(
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
				unix.BindToDevice(int(fd), p.name),
			)
			if filter != nil {
				set = errors.Join(set, attach(int(fd), filter))
			}
		})
		return errors.Join(err, set)
	}}
	return config.ListenPacket(context.Background(), network, at.String())
}
