package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/netconf"
)

// monitor reads one netlink socket: first a dump of what there is, then what
// changes. When the kernel had to drop messages it dumps again.
type monitor struct {
	file   *os.File
	events chan<- netconf.Event
	log    func(format string, args ...any)

	dump  int          // index into dumps of the one that runs
	known map[int]bool // interfaces told of
	seen  map[int]bool // interfaces in this dump
}

// dumps are asked for one after the other: a socket carries one at a time.
var dumps = []struct {
	kind   uint16
	family uint8
}{
	{unix.RTM_GETLINK, unix.AF_UNSPEC},
	{unix.RTM_GETADDR, unix.AF_INET6},
	{unix.RTM_GETROUTE, unix.AF_INET6},
}

func newMonitor(events chan<- netconf.Event, log func(string, ...any)) (*monitor, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("bind netlink: %w", err)
	}
	for _, group := range []int{
		unix.RTNLGRP_LINK, unix.RTNLGRP_IPV6_IFINFO, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV6_IFADDR,
		unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_ND_USEROPT,
	} {
		if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, group); err != nil {
			unix.Close(fd)
			return nil, fmt.Errorf("join netlink group %d: %w", group, err)
		}
	}
	return &monitor{file: os.NewFile(uintptr(fd), "netlink"), events: events, log: log, known: map[int]bool{}}, nil
}

// run reads until the socket fails, which only the end of the process causes.
func (m *monitor) run() {
	defer close(m.events)
	m.resync()
	buf := make([]byte, 32<<10) // the kernel's largest dump message
	for {
		n, err := m.file.Read(buf)
		switch {
		case errors.Is(err, unix.ENOBUFS):
			m.log("the kernel dropped messages: asking for everything again")
			m.resync()
			continue
		case err != nil:
			m.log("read netlink: %v", err)
			return
		}
		messages, err := syscall.ParseNetlinkMessage(buf[:n])
		if err != nil {
			m.log("netlink message: %v", err)
			continue
		}
		for _, msg := range messages {
			m.message(msg)
		}
	}
}

func (m *monitor) message(msg syscall.NetlinkMessage) {
	switch msg.Header.Type {
	case unix.NLMSG_DONE:
		m.dumped()
		return
	case unix.NLMSG_ERROR:
		m.log("the kernel refused a netlink dump")
		m.dumped()
		return
	}
	for _, e := range parse(msg.Header.Type, msg.Data) {
		switch e := e.(type) {
		case netconf.LinkSeen:
			m.known[e.Index], m.seen[e.Index] = true, true
		case netconf.LinkGone:
			delete(m.known, e.Index)
		}
		m.events <- e
	}
}

func (m *monitor) resync() {
	m.dump, m.seen = 0, map[int]bool{}
	m.ask()
}

// dumped goes on to the next dump, or says that all is told.
func (m *monitor) dumped() {
	if dumps[m.dump].kind == unix.RTM_GETLINK {
		for index := range maps.Clone(m.known) {
			if !m.seen[index] {
				delete(m.known, index)
				m.events <- netconf.LinkGone{Index: index}
			}
		}
	}
	if m.dump+1 < len(dumps) {
		m.dump++
		m.ask()
		return
	}
	m.events <- netconf.Synced{}
}

func (m *monitor) ask() {
	d := dumps[m.dump]
	// struct nlmsghdr and, of whatever header follows, the family; the kernel
	// takes struct ifinfomsg (16 bytes, the longest) for all three.
	b := make([]byte, unix.NLMSG_HDRLEN+unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(b[0:], uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], d.kind)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	b[unix.NLMSG_HDRLEN] = d.family
	if _, err := m.file.Write(b); err != nil {
		m.log("ask for a netlink dump: %v", err)
	}
}
