package host

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/netconf"
)

// reachTimeout bounds one try to connect.
const reachTimeout = 5 * time.Second

// Reach tries to connect to HOST:PORT by TCP and tells of the outcome.
func (h *Host) Reach(target string) {
	events, dial := h.events, h.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), reachTimeout)
		defer cancel()
		text := ""
		conn, err := dial(ctx, "tcp", target)
		if err != nil {
			text = plain(err)
		} else {
			conn.Close()
		}
		events <- netconf.Reached{Target: target, Error: text}
	}()
}

// plain says what failed without the addresses that everybody knows.
func plain(err error) string {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns):
		return "the name " + dns.Name + " is not known: " + dns.Err
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "no answer within " + reachTimeout.String()
	case errors.Is(err, unix.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTUNREACH):
		return "there is no route to it"
	}
	text := err.Error()
	if at := strings.LastIndex(text, ": "); at >= 0 {
		text = text[at+2:]
	}
	return text
}
