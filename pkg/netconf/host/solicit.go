package host

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// SolicitRouters sends a router solicitation (RFC 4861, 4.1). The kernel sends
// its own when an interface is switched on, and only then.
func (h *Host) SolicitRouters(index int) error {
	p := h.ports[index]
	if p == nil {
		return errors.New("ask for routers: no socket")
	}
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_ICMPV6)
	if err != nil {
		return fmt.Errorf("ask for routers: %w", err)
	}
	defer unix.Close(fd)
	message := append([]byte{133, 0, 0, 0, 0, 0, 0, 0, 1, 1}, p.mac...) // our link-layer address
	allRouters := &unix.SockaddrInet6{ZoneId: uint32(index), Addr: [16]byte{0: 0xff, 1: 0x02, 15: 2}}
	err = errors.Join(
		unix.BindToDevice(fd, p.name),
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 255),
		unix.Sendto(fd, message, 0, allRouters),
	)
	if err != nil {
		return fmt.Errorf("ask for routers: %w", err)
	}
	return nil
}
