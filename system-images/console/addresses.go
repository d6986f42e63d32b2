package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// physicalAddresses lists the addresses of interfaces with a device behind
// them; bridges and ends of container links are nobody's way in.
func physicalAddresses() ([]ifaceAddresses, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	var out []ifaceAddresses
	for _, i := range interfaces {
		if _, err := os.Stat(filepath.Join("/sys/class/net", i.Name, "device")); err != nil {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue // unplugged this moment
		}
		if found := reachable(addrs); len(found) > 0 {
			out = append(out, ifaceAddresses{name: i.Name, addrs: found})
		}
	}
	return out, nil
}

func reachable(addrs []net.Addr) []netip.Addr {
	var out []netip.Addr
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok || !n.IP.IsGlobalUnicast() {
			continue
		}
		if addr, ok := netip.AddrFromSlice(n.IP); ok {
			out = append(out, addr.Unmap())
		}
	}
	return out
}

// watchAddresses writes the greeting anew whenever an address came or went.
func (c *console) watchAddresses() {
	if err := addressChanges(c.greet); err != nil {
		c.say("%v", err)
	}
}

// addressChanges calls changed whenever the kernel tells of an address. It
// returns only when it can no longer listen.
func addressChanges(changed func()) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("watch addresses: %w", err)
	}
	file := os.NewFile(uintptr(fd), "netlink")
	defer file.Close()
	groups := uint32(1<<(unix.RTNLGRP_IPV4_IFADDR-1) | 1<<(unix.RTNLGRP_IPV6_IFADDR-1))
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		return fmt.Errorf("watch addresses: %w", err)
	}
	buf := make([]byte, 8<<10)
	for {
		changed() // first for what came before we listened
		// What it says does not matter, nor that some of it was dropped.
		if _, err := file.Read(buf); err != nil && !errors.Is(err, unix.ENOBUFS) {
			return fmt.Errorf("watch addresses: %w", err)
		}
	}
}
