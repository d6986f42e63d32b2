package logforward

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Target is where logs are sent.
type Target struct {
	Protocol string // "udp", "tcp" or "tls"
	Host     string
	Port     int
	TLS      *tls.Config // of protocol tls; nil: the machine's own authorities
}

func (t Target) String() string {
	return t.Protocol + "://" + net.JoinHostPort(t.Host, strconv.Itoa(t.Port))
}

const (
	dialTimeout    = 15 * time.Second
	writeTimeout   = 15 * time.Second
	confirmTimeout = 30 * time.Second
	// What UDP is given for the news that nobody listens there.
	refusalTime = 50 * time.Millisecond
	// A UDP message that is longer is cut: RFC 5426 asks receivers for 2 KiB,
	// the usual ones take 8.
	maxDatagram = 8 << 10
)

// conn is a connection to a target.
type conn struct {
	target Target
	conn   net.Conn // what is written to: with TLS, its own
	plain  net.Conn // below TLS
	out    *bufio.Writer
	dead   chan struct{} // closed when the other side has ended it
	why    error         // set before dead is closed
}

// dial connects. The connection is closed with close.
func dial(ctx context.Context, t Target) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	network := "tcp"
	if t.Protocol == "udp" {
		network = "udp"
	}
	var dialer net.Dialer
	plain, err := dialer.DialContext(ctx, network, net.JoinHostPort(t.Host, strconv.Itoa(t.Port)))
	if err != nil {
		return nil, err
	}
	c := &conn{target: t, conn: plain, plain: plain, dead: make(chan struct{})}
	if t.Protocol == "tls" {
		config := &tls.Config{MinVersion: tls.VersionTLS12}
		if t.TLS != nil {
			config = t.TLS.Clone()
		}
		if config.ServerName == "" {
			config.ServerName = t.Host
		}
		secured := tls.Client(plain, config)
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, plain.Close())
		}
		c.conn = secured
	}
	c.out = bufio.NewWriterSize(c.conn, 32<<10)
	go c.watch()
	return c, nil
}

// watch reads until the connection ends. Receivers of syslog say nothing.
func (c *conn) watch() {
	_, err := io.Copy(io.Discard, c.conn)
	if err == nil {
		err = errors.New("the other side ended the connection")
	}
	c.why = err
	close(c.dead)
}

func (c *conn) close() {
	c.plain.Close() // what was to be sent is sent, or will be again
	<-c.dead
}

// send sends messages and returns when they are taken to have arrived.
func (c *conn) send(ctx context.Context, messages [][]byte) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	for _, m := range messages {
		if c.target.Protocol == "udp" {
			if _, err := c.conn.Write(m[:min(len(m), maxDatagram)]); err != nil {
				return err
			}
			continue
		}
		// A bufio.Writer keeps its first error for Flush.
		_, _ = fmt.Fprintf(c.out, "%d ", len(m))
		_, _ = c.out.Write(m)
	}
	if c.target.Protocol == "udp" {
		return c.wait(ctx, refusalTime)
	}
	if err := c.out.Flush(); err != nil {
		return err
	}
	return c.confirm(ctx)
}

// wait waits for a connection to fail, but not for longer than d.
func (c *conn) wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.dead:
		return c.why
	case <-ctx.Done():
		return ctx.Err()
	}
}

// confirm waits until the other side has acknowledged every byte: what is still
// in our kernel is lost when the connection breaks.
func (c *conn) confirm(ctx context.Context) error {
	deadline := time.Now().Add(confirmTimeout)
	for pause := time.Millisecond; ; pause = min(2*pause, 250*time.Millisecond) {
		left, err := c.unacknowledged()
		switch {
		case err != nil:
			return err
		case left == 0:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("%d bytes were not acknowledged within %v", left, confirmTimeout)
		}
		if err := c.wait(ctx, pause); err != nil {
			return err
		}
	}
}

// unacknowledged is how many bytes our kernel still holds (tcp(7), SIOCOUTQ).
func (c *conn) unacknowledged() (n int, err error) {
	raw, err := c.plain.(syscall.Conn).SyscallConn()
	if err != nil {
		return 0, err
	}
	if controlErr := raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) }); controlErr != nil {
		return 0, controlErr
	}
	return n, err
}
