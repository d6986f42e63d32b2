// Package tftp fetches a file by TFTP (RFC 1350, with the options blksize and
// tsize of RFC 2347 to 2349), for machines that boot by PXE. It reads only, is
// bounded in size and time, and imports nothing of ours.
package tftp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

const (
	opRead  = 1
	opData  = 3
	opAck   = 4
	opError = 5
	opOACK  = 6

	plainBlock = 512
	wantBlock  = 1428 // fits into one Ethernet frame
	firstWait  = 500 * time.Millisecond
	lastWait   = 4 * time.Second
)

// ErrNotFound is the server's error 1.
var ErrNotFound = errors.New("the server has no such file")

// Get fetches file from server, HOST or HOST:PORT, at most limit bytes. It asks
// again until ctx ends.
func Get(ctx context.Context, server, file string, limit int) ([]byte, error) {
	content, err := get(ctx, server, file, limit)
	if err != nil {
		if ctx.Err() != nil && !errors.Is(err, context.Cause(ctx)) {
			err = fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		}
		return nil, fmt.Errorf("tftp://%s/%s: %w", server, file, err)
	}
	return content, nil
}

func get(ctx context.Context, server, file string, limit int) ([]byte, error) {
	if bytes.IndexByte([]byte(file), 0) >= 0 || len(file) > 400 {
		return nil, errors.New("not a name that TFTP can carry")
	}
	host, port, err := net.SplitHostPort(server)
	if err != nil {
		host, port = server, "69"
	}
	to, err := resolve(ctx, net.JoinHostPort(host, port))
	if err != nil {
		return nil, err
	}
	conn, err := net.ListenUDP("udp", nil)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now()) })
	defer stop()
	t := &transfer{conn: conn, server: to, limit: limit, block: plainBlock}
	return t.run(ctx, file)
}

// resolve asks for the address until there is a network to ask.
func resolve(ctx context.Context, address string) (*net.UDPAddr, error) {
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("port %q", port)
		}
		ips, err := net.DefaultResolver.LookupIPAddr(ctx, host)
		if err == nil && len(ips) > 0 {
			return &net.UDPAddr{IP: ips[0].IP, Zone: ips[0].Zone, Port: int(number)}, nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, err
		}
	}
}

// transfer is one file on its way. server becomes the address that the server
// answers from, its transfer's own port.
type transfer struct {
	conn   *net.UDPConn
	server *net.UDPAddr
	limit  int
	block  int // bytes of a full block
	fixed  bool
}

func (t *transfer) run(ctx context.Context, file string) ([]byte, error) {
	last := request(file)
	var content []byte
	want := uint16(1)
	wait := firstWait
	buf := make([]byte, 64<<10)
	for {
		// A way that is not there yet is like a packet that got lost.
		_, sendErr := t.conn.WriteToUDP(last, t.server)
		deadline := time.Now().Add(wait)
		again := false
		for !again {
			if err := t.conn.SetReadDeadline(deadline); err != nil {
				return nil, err
			}
			if ctx.Err() != nil {
				return nil, errors.Join(sendErr, context.Cause(ctx))
			}
			n, from, err := t.conn.ReadFromUDP(buf)
			if err != nil {
				var timeout net.Error
				if ctx.Err() != nil {
					return nil, context.Cause(ctx)
				}
				if errors.As(err, &timeout) && timeout.Timeout() {
					wait, again = min(2*wait, lastWait), true
					continue
				}
				return nil, err
			}
			if !from.IP.Equal(t.server.IP) || t.fixed && from.Port != t.server.Port {
				continue // not our server's
			}
			p, err := parse(buf[:n])
			if err != nil {
				continue
			}
			switch {
			case p.op == opError:
				if p.number == 1 {
					return nil, ErrNotFound
				}
				return nil, fmt.Errorf("the server says: error %d %q", p.number, p.text)
			case p.op == opOACK && want == 1 && len(content) == 0:
				t.server, t.fixed = from, true
				if err := t.accept(p.options); err != nil {
					return nil, err
				}
				last, again, wait = ack(0), true, firstWait
			case p.op == opData && p.number == want:
				t.server, t.fixed = from, true
				if len(p.data) > t.block {
					return nil, fmt.Errorf("a block of %d bytes, want at most %d", len(p.data), t.block)
				}
				if len(content)+len(p.data) > t.limit {
					return nil, fmt.Errorf("larger than %d bytes", t.limit)
				}
				content = append(content, p.data...)
				last, again, wait = ack(want), true, firstWait
				if len(p.data) < t.block {
					_, _ = t.conn.WriteToUDP(last, t.server) // the server's own matter if it gets lost
					return content, nil
				}
				want++
			}
		}
	}
}

// accept takes over what the server grants.
func (t *transfer) accept(options map[string]string) error {
	if s, ok := options["blksize"]; ok {
		n, err := strconv.Atoi(s)
		if err != nil || n < 8 || n > wantBlock {
			return fmt.Errorf("the server wants blocks of %q bytes", s)
		}
		t.block = n
	}
	if s, ok := options["tsize"]; ok {
		n, err := strconv.ParseInt(s, 10, 64)
		if err == nil && n > int64(t.limit) {
			return fmt.Errorf("%d bytes, want at most %d", n, t.limit)
		}
	}
	return nil
}

func request(file string) []byte {
	p := []byte{0, opRead}
	for _, s := range []string{file, "octet", "blksize", strconv.Itoa(wantBlock), "tsize", "0"} {
		p = append(append(p, s...), 0)
	}
	return p
}

func ack(block uint16) []byte { return binary.BigEndian.AppendUint16([]byte{0, opAck}, block) }

// packet is what a server sends.
type packet struct {
	op      uint16
	number  uint16 // of a block, or of an error
	data    []byte
	text    string
	options map[string]string
}

func parse(b []byte) (packet, error) {
	if len(b) < 4 {
		return packet{}, errors.New("too short")
	}
	p := packet{op: binary.BigEndian.Uint16(b), number: binary.BigEndian.Uint16(b[2:])}
	switch p.op {
	case opData:
		p.data = b[4:]
	case opError:
		text, _, _ := bytes.Cut(b[4:], []byte{0})
		p.text = string(text[:min(len(text), 200)])
	case opOACK:
		p.options = map[string]string{}
		words := bytes.Split(b[2:], []byte{0})
		for i := 0; i+1 < len(words); i += 2 {
			p.options[string(bytes.ToLower(words[i]))] = string(words[i+1])
		}
	default:
		return packet{}, fmt.Errorf("operation %d", p.op)
	}
	return p, nil
}
