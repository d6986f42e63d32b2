// Package host implements netconf.System on a running Linux kernel: netlink
// for links, addresses and routes, packet sockets for DHCP, sysctls for
// router advertisements, files for what other services read. It decides
// nothing; package netconf does. Only the network service may import it.
//
// vishvananda/netlink carries out changes. Events are read from one netlink
// socket of our own, because that library knows neither the DNS options of
// router advertisements nor their flags, and would need a goroutine and a
// socket for each kind of event.
package host

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/netconf"
	"github.com/testudo-os/testudo/pkg/sdnotify"
)

// Host is this machine, seen from its own network namespace.
type Host struct {
	Sysctl  string // where /proc/sys/net is writable
	Sysfs   string // /sys/class/net
	RunDir  string // records of interfaces, and ntp/dhcp.sources
	Resolv  string // resolv.conf, in a directory of its own
	Status  string // file that tells of the network's state; "" for none
	Pattern string // interfaces to take for network cards, as in path.Match; "" is those with a device
	Log     func(format string, args ...any)
	// Dial reaches targets; nil is the network's own way.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	events   chan netconf.Event
	handle   *netlink.Handle
	sockets  map[int]*nl.SocketHandle
	ports    map[int]*port
	saved    map[int]string
	filtered string // the firewall that is in force, rendered; "" for none
}

// Open connects to the kernel and returns the events it tells.
func (h *Host) Open() (<-chan netconf.Event, error) {
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	h.handle = handle
	socket, err := nl.GetNetlinkSocketAt(netns.None(), netns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	h.sockets = map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: socket}}
	// Buffered: a burst of router advertisements must not hold up the kernel's queue.
	h.events = make(chan netconf.Event, 64)
	h.ports = map[int]*port{}
	h.saved = map[int]string{}
	m, err := newMonitor(h.events, h.Log)
	if err != nil {
		return nil, err
	}
	go m.run()
	return h.events, nil
}

// Now is CLOCK_BOOTTIME.
func (h *Host) Now() netconf.Moment {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0 // cannot happen: the clock exists since Linux 2.6.39
	}
	return netconf.Moment(ts.Nano())
}

// Report passes the status to the service manager.
func (h *Host) Report(status string, ready bool) {
	h.Log("%s", status)
	messages := []string{sdnotify.Status(status)}
	if ready {
		messages = append(messages, sdnotify.Ready)
	}
	if err := sdnotify.Send(messages...); err != nil {
		h.Log("%v", err)
	}
}

func link(index int) netlink.Link {
	return &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: index}}
}

// lifetime turns a moment into the kernel's seconds from now, rounded up.
func lifetime(until, now netconf.Moment) int {
	if until == netconf.Never {
		return 0xffffffff
	}
	return int((until.Until(now) + time.Second - 1) / time.Second)
}
