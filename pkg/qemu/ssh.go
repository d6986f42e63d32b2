package qemu

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// SSH is a login on a machine.
type SSH struct{ client *ssh.Client }

// bannerRetry is how long to leave a port alone that did not greet.
const bannerRetry = 250 * time.Millisecond

// DialSSH waits until the ssh server greets and then logs in once, on that
// same connection: OpenSSH punishes addresses that come and go
// (PerSourcePenalties).
func (v *VM) DialSSH(ctx context.Context, user string, key ssh.Signer) (*SSH, error) {
	port, err := v.HostPort(22)
	if err != nil {
		return nil, err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	conn, err := v.awaitBanner(ctx, addr)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	c, chans, reqs, err := ssh.NewClientConn(conn, addr, &ssh.ClientConfig{
		User: user,
		Auth: []ssh.AuthMethod{ssh.PublicKeys(key)},
		// The machine was made a moment ago and its port leads nowhere else.
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("ssh %s@%s: %w", user, addr, err)
	}
	return &SSH{ssh.NewClient(c, chans, reqs)}, nil
}

// awaitBanner connects until the server greets. QEMU accepts on the server's
// behalf long before it is there, so a connection alone says nothing.
func (v *VM) awaitBanner(ctx context.Context, addr string) (net.Conn, error) {
	for {
		conn, err := greeted(ctx, addr)
		if err == nil {
			return conn, nil
		}
		select {
		case <-v.done:
			return nil, fmt.Errorf("wait for ssh: %w: %s; its last words:\n%s", ErrConsoleClosed, v.Ending(), v.Tail(40))
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for ssh: %w (last try: %w); the console's last words:\n%s", context.Cause(ctx), err, v.Tail(40))
		case <-time.After(bannerRetry):
		}
	}
}

// greeted connects and waits a few seconds for the first bytes, which stay
// readable.
func greeted(ctx context.Context, addr string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	// An emulated, loaded server may take long from accept to greeting.
	deadline := time.Now().Add(20 * time.Second)
	if err := conn.SetReadDeadline(deadline); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	r := bufio.NewReader(conn)
	if b, err := r.Peek(4); err != nil || string(b) != "SSH-" {
		return nil, errors.Join(fmt.Errorf("no ssh greeting: %q: %w", b, err), conn.Close())
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return bufferedConn{conn, r}, nil
}

// bufferedConn reads what was peeked at first.
type bufferedConn struct {
	net.Conn
	r *bufio.Reader
}

func (c bufferedConn) Read(p []byte) (int, error) { return c.r.Read(p) }

// Run runs a command line and returns its standard output. The error of a
// command that failed holds what it wrote to standard error, and is an
// *ssh.ExitError.
func (s *SSH) Run(ctx context.Context, command string) (string, error) {
	return s.RunWithInput(ctx, command, nil)
}

// RunWithInput is Run with something on standard input.
func (s *SSH) RunWithInput(ctx context.Context, command string, input io.Reader) (string, error) {
	session, err := s.client.NewSession()
	if err != nil {
		return "", fmt.Errorf("ssh session for %q: %w", command, err)
	}
	defer session.Close()
	stop := context.AfterFunc(ctx, func() { session.Close() })
	defer stop()
	var stdout, stderr bytes.Buffer
	session.Stdin, session.Stdout, session.Stderr = input, &stdout, &stderr
	if err := session.Run(command); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return stdout.String(), fmt.Errorf("%s: %w\n%s", command, err, stderr.String())
	}
	return stdout.String(), nil
}

// Close ends the login.
func (s *SSH) Close() error { return s.client.Close() }
