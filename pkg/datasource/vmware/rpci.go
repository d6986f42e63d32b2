// Package vmware asks VMware's hypervisor for values of its guest: guestinfo.*
// of the machine's configuration file, or what vCenter set. It speaks RPCI over
// the backdoor port, four bytes at a time (the low-bandwidth way, which every
// version has and which also works in encrypted memory; the protocol is that of
// open-vm-tools' lib/message and of Linux' vmwgfx_msg.c). It imports nothing of
// ours.
package vmware

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Registers go in and come out of one access to the port.
type Registers struct{ AX, BX, CX, DX, SI, DI uint32 }

// Port makes one access to the backdoor port.
type Port func(*Registers)

const (
	magic      = 0x564d5868
	portNumber = 0x5658

	commandVersion = 10
	commandMessage = 30

	rpci       = 0x49435052 // "RPCI"
	flagCookie = 0x80000000

	statusSuccess    = 0x01
	statusHasMessage = 0x02
	statusCheckpoint = 0x20

	maxReply = 4 << 20
	tries    = 3
)

// MESSAGE_TYPE_* of open-vm-tools.
const (
	typeOpen = iota
	typeSendSize
	typeSendPayload
	typeRecvSize
	typeRecvPayload
	typeRecvStatus
	typeClose
)

// ErrAbsent says that no VMware hypervisor answers.
var ErrAbsent = errors.New("no VMware hypervisor answers at its port")

// errCheckpoint says that the machine was saved or moved in the middle of a
// message.
var errCheckpoint = errors.New("the machine was saved in the middle of a message")

// Present says whether the hypervisor answers.
func (p Port) Present() bool {
	r := Registers{AX: magic, BX: ^uint32(magic), CX: commandVersion, DX: portNumber}
	p(&r)
	return r.BX == magic && r.AX != 0xffffffff
}

// GuestInfo gives guestinfo.NAME, or "" where it is not set.
func (p Port) GuestInfo(ctx context.Context, name string) (string, error) {
	reply, err := p.call(ctx, "info-get guestinfo."+name)
	if err != nil {
		return "", fmt.Errorf("guestinfo.%s: %w", name, err)
	}
	status, value, _ := strings.Cut(reply, " ")
	switch {
	case status == "1":
		return strings.TrimSuffix(value, "\x00"), nil
	case status == "0" && strings.HasPrefix(value, "No value found"):
		return "", nil
	}
	return "", fmt.Errorf("guestinfo.%s: the hypervisor says %q", name, reply[:min(len(reply), 80)])
}

// call sends one message and gives the answer to it.
func (p Port) call(ctx context.Context, message string) (reply string, err error) {
	for range tries {
		if reply, err = p.once(ctx, message); !errors.Is(err, errCheckpoint) {
			break
		}
	}
	return reply, err
}

func (p Port) once(ctx context.Context, message string) (reply string, err error) {
	c, err := p.open()
	if err != nil {
		return "", err
	}
	defer func() {
		if _, closing := c.do(typeClose, 0); closing != nil && err == nil {
			err = fmt.Errorf("close: %w", closing)
		}
	}()
	if err := c.send(ctx, message); err != nil {
		return "", err
	}
	return c.receive(ctx)
}

// channel is an open connection.
type channel struct {
	port                  Port
	id                    uint32
	cookieHigh, cookieLow uint32
}

func (p Port) open() (*channel, error) {
	r := Registers{AX: magic, BX: rpci | flagCookie, CX: typeOpen<<16 | commandMessage, DX: portNumber}
	p(&r)
	if r.CX>>16&statusSuccess == 0 || r.CX == 0xffffffff {
		return nil, ErrAbsent
	}
	return &channel{p, r.DX >> 16, r.SI, r.DI}, nil
}

// do makes one step of the protocol.
func (c *channel) do(kind, bx uint32) (Registers, error) {
	r := Registers{AX: magic, BX: bx, CX: kind<<16 | commandMessage, DX: c.id<<16 | portNumber, SI: c.cookieHigh, DI: c.cookieLow}
	c.port(&r)
	status := r.CX >> 16
	switch {
	case status&statusSuccess != 0:
		return r, nil
	case status&statusCheckpoint != 0:
		return r, errCheckpoint
	}
	return r, fmt.Errorf("step %d failed with status %#x", kind, status)
}

func (c *channel) send(ctx context.Context, message string) error {
	if _, err := c.do(typeSendSize, uint32(len(message))); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	padded := append([]byte(message), 0, 0, 0)
	for i := 0; i < len(message); i += 4 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := c.do(typeSendPayload, binary.LittleEndian.Uint32(padded[i:])); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	return nil
}

func (c *channel) receive(ctx context.Context) (string, error) {
	r, err := c.do(typeRecvSize, 0)
	if err != nil {
		return "", fmt.Errorf("receive: %w", err)
	}
	if r.CX>>16&statusHasMessage == 0 {
		return "", errors.New("receive: there is no answer")
	}
	if r.DX>>16 != typeSendSize {
		return "", fmt.Errorf("receive: a message of type %d instead of a size", r.DX>>16)
	}
	size := r.BX
	if size > maxReply {
		return "", fmt.Errorf("receive: an answer of %d bytes, want at most %d", size, maxReply)
	}
	var out []byte
	for uint32(len(out)) < size {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if r, err = c.do(typeRecvPayload, statusSuccess); err != nil {
			return "", fmt.Errorf("receive: %w", err)
		}
		if r.DX>>16 != typeSendPayload {
			return "", fmt.Errorf("receive: a message of type %d instead of bytes", r.DX>>16)
		}
		out = binary.LittleEndian.AppendUint32(out, r.BX)
	}
	if _, err := c.do(typeRecvStatus, statusSuccess); err != nil {
		return "", fmt.Errorf("receive: %w", err)
	}
	return string(out[:size]), nil
}
