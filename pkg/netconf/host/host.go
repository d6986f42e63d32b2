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
	"fmt"
	"path/filepath"
	"time"

	"github.com/vishvananda/netlink"
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
	Pattern string // interfaces to manage, as in path.Match; "" is every physical one
	Log     func(format string, args ...any)

	events chan netconf.Event
	handle *netlink.Handle
	ports  map[int]*port
	saved  map[int]string
}

// Open connects to the kernel and returns the events it tells.
func (h *Host) Open() (<-chan netconf.Event, error) {
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	h.handle = handle
	// Buffered: a burst of router advertisements must not hold up the kernel's queue.
	h.events = make(chan netconf.Event, 64)
	h.ports = map[int]*port{}
	h.saved = map[int]string{}
	m, err := newMonitor(h.managed, h.events, h.Log)
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
func (h *Host) Report(status string, online bool) {
	h.Log("%s", status)
	messages := []string{sdnotify.Status(status)}
	if online {
		messages = append(messages, sdnotify.Ready)
	}
	if err := sdnotify.Send(messages...); err != nil {
		h.Log("%v", err)
	}
}

// managed says whether an interface is ours: one with a device behind it that
// speaks Ethernet and belongs to no bridge or bond, or what Pattern says.
func (h *Host) managed(l linkInfo) bool {
	if l.loopback || l.master != 0 {
		return false
	}
	if h.Pattern != "" {
		ok, err := filepath.Match(h.Pattern, l.Name)
		return err == nil && ok
	}
	return l.ethernet && exists(filepath.Join(h.Sysfs, l.Name, "device"))
}

// SwitchOn sets an interface up.
func (h *Host) SwitchOn(index int) error {
	if err := h.handle.LinkSetUp(link(index)); err != nil {
		return fmt.Errorf("switch on: %w", err)
	}
	return nil
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
