package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/datasource"
)

// Watch tells of changes of the machine's addresses and routes.
type Watch struct {
	mu      sync.Mutex
	changed chan struct{}
}

// Changes watches until ctx ends. Without a socket nobody is told, and requests
// are made again by the clock alone.
func Changes(ctx context.Context) *Watch {
	w := &Watch{changed: make(chan struct{})}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return w
	}
	groups := uint32(unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR | unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_ROUTE)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		_ = unix.Close(fd) // nothing was done with it
		return w
	}
	socket := os.NewFile(uintptr(fd), "netlink")
	stop := context.AfterFunc(ctx, func() { _ = socket.Close() })
	go func() {
		defer stop()
		buf := make([]byte, 32<<10)
		for {
			// An overflow tells of changes as well as a message does.
			if _, err := socket.Read(buf); err != nil && !errors.Is(err, unix.ENOBUFS) {
				return
			}
			w.tell()
		}
	}()
	return w
}

func (w *Watch) tell() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.changed)
	w.changed = make(chan struct{})
}

// Next gives a channel that is closed at the next change.
func (w *Watch) Next() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.changed
}

// Interfaces are the names of interfaces with a device behind them, by index.
func (r Roots) Interfaces() []string {
	list, err := net.Interfaces()
	if err != nil {
		return nil
	}
	slices.SortFunc(list, func(a, b net.Interface) int { return a.Index - b.Index })
	var out []string
	for _, i := range list {
		if _, err := os.Stat(filepath.Join(r.Sys, "class/net", i.Name, "device")); err == nil {
			out = append(out, i.Name)
		}
	}
	return out
}

// leaseRecord is what we use of pkg/netconf's record of an interface. Its own
// type would bring the DHCP library into rosd.
type leaseRecord struct {
	Lease4 *struct {
		Server string `json:"server"`
		Next   string `json:"next_server"`
		Routes []struct {
			To      string `json:"to"`
			Gateway string `json:"gateway"`
		} `json:"routes"`
	} `json:"lease4"`
}

// Leases reads the network service's records, dir/INDEX.json.
func Leases(dir string) []datasource.Lease {
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil
	}
	type indexed struct {
		index int
		lease datasource.Lease
	}
	var found []indexed
	for _, name := range names {
		index, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(name), ".json"))
		if err != nil {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			continue // the interface has gone
		}
		var r leaseRecord
		if json.Unmarshal(text, &r) != nil || r.Lease4 == nil {
			continue
		}
		l := datasource.Lease{Server: address(r.Lease4.Server), Next: address(r.Lease4.Next)}
		for _, route := range r.Lease4.Routes {
			if strings.HasSuffix(route.To, "/0") {
				l.Gateway = address(route.Gateway)
				break
			}
		}
		found = append(found, indexed{index, l})
	}
	slices.SortFunc(found, func(a, b indexed) int { return a.index - b.index })
	out := make([]datasource.Lease, len(found))
	for i := range found {
		out[i] = found[i].lease
	}
	return out
}

// address is s where it is one that can be asked.
func address(s string) string {
	ip := net.ParseIP(s)
	if ip == nil || ip.IsUnspecified() {
		return ""
	}
	return ip.String()
}

// linkLocalLabel names our address, so that it can be told from others and
// taken away by its label.
const linkLocalLabel = ":ds"

// LinkLocal gives the first interface an address of 169.254.0.0/16 (RFC 3927's
// range without its ends) unless it has one, and gives what takes it away. On
// the clouds that need it every machine's link is its own: no other host can
// have the address.
func (r Roots) LinkLocal() (undo func(), err error) {
	names := r.Interfaces()
	if len(names) == 0 {
		return nil, errors.New("link-local address: there is no interface")
	}
	name := names[0]
	if len(name)+len(linkLocalLabel) >= unix.IFNAMSIZ {
		return nil, fmt.Errorf("link-local address: the name %s is too long", name)
	}
	i, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("link-local address: %w", err)
	}
	if addrs, err := i.Addrs(); err == nil {
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsLinkLocalUnicast() {
				return func() {}, nil
			}
		}
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("link-local address: %w", err)
	}
	defer unix.Close(fd)
	set := func(request uint, ip [4]byte) error {
		ifr, err := unix.NewIfreq(name + linkLocalLabel)
		if err != nil {
			return err
		}
		if err := ifr.SetInet4Addr(ip[:]); err != nil {
			return err
		}
		return unix.IoctlIfreq(fd, request, ifr)
	}
	ip := [4]byte{169, 254, byte(1 + rand.IntN(167)), byte(1 + rand.IntN(253))}
	if err := set(unix.SIOCSIFADDR, ip); err != nil {
		return nil, fmt.Errorf("link-local address on %s: %w", name, err)
	}
	if err := set(unix.SIOCSIFNETMASK, [4]byte{255, 255, 0, 0}); err != nil {
		return nil, fmt.Errorf("link-local address on %s: %w", name, err)
	}
	return func() {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return
		}
		defer unix.Close(fd)
		// An address with a label of its own goes when its alias is switched off.
		if ifr, err := unix.NewIfreq(name + linkLocalLabel); err == nil {
			ifr.SetUint16(0)
			_ = unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr) // gone already, or with the link
		}
	}, nil
}
