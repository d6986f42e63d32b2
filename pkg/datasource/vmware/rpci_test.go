package vmware

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

// hypervisor is the other side of the port: RPCI as open-vm-tools expects it.
type hypervisor struct {
	values      map[string]string
	checkpoints int // steps that fail because the machine is being saved
	size        int // of the message that is coming in
	in, out     []byte
	opened      int
	wrong       string
}

const cookie = 0x1234

func (h *hypervisor) port(r *Registers) {
	if r.AX != magic || r.DX&0xffff != portNumber {
		h.wrong = "not the backdoor's registers"
		return
	}
	if r.CX == commandVersion {
		r.AX, r.BX = 6, magic
		return
	}
	kind := r.CX >> 16
	status := uint32(statusSuccess)
	if kind != typeOpen && (r.DX>>16 != 7 || r.SI != cookie || r.DI != cookie) {
		h.wrong = "not the channel's registers"
		return
	}
	if h.checkpoints > 0 && kind == typeRecvSize {
		h.checkpoints--
		r.CX = statusCheckpoint << 16
		return
	}
	switch kind {
	case typeOpen:
		h.opened++
		h.in, h.out = nil, nil
		r.DX, r.SI, r.DI = 7<<16|portNumber, cookie, cookie
	case typeSendSize:
		h.size = int(r.BX)
	case typeSendPayload:
		h.in = binary.LittleEndian.AppendUint32(h.in, r.BX)
	case typeRecvSize:
		name := strings.TrimPrefix(string(h.in[:h.size]), "info-get guestinfo.")
		value, ok := h.values[name]
		h.out = []byte("1 " + value)
		if !ok {
			h.out = []byte("0 No value found")
		}
		status |= statusHasMessage
		r.BX, r.DX = uint32(len(h.out)), typeSendSize<<16|portNumber
		h.out = append(h.out, 0, 0, 0)
	case typeRecvPayload:
		r.BX, r.DX = binary.LittleEndian.Uint32(h.out), typeSendPayload<<16|portNumber
		h.out = h.out[4:]
	case typeClose:
		h.opened--
	}
	r.CX = status << 16
}

func TestGuestInfo(t *testing.T) {
	long := strings.Repeat("0123456789", 7000)
	for _, test := range []struct {
		name, ask, want string
		checkpoints     int
	}{
		{"a value", "userdata", "#cloud-config\n", 0},
		{"a value of odd length", "odd", "abcde", 0},
		{"a long one", "long", long, 0},
		{"none", "other", "", 0},
		{"the machine is saved meanwhile", "userdata", "#cloud-config\n", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := &hypervisor{values: map[string]string{"userdata": "#cloud-config\n", "odd": "abcde", "long": long}, checkpoints: test.checkpoints}
			if !Port(h.port).Present() {
				t.Fatal("the hypervisor is not seen")
			}
			got, err := Port(h.port).GuestInfo(t.Context(), test.ask)
			if got != test.want || err != nil || h.wrong != "" || h.opened != 0 {
				t.Errorf("got %.40q, %v; %s; %d channels open", got, err, h.wrong, h.opened)
			}
		})
	}
}

func TestAPortThatNobodyAnswersAt(t *testing.T) {
	dead := Port(func(r *Registers) { *r = Registers{AX: 0xffffffff, BX: r.BX, CX: r.CX, DX: r.DX} })
	if dead.Present() {
		t.Error("a hypervisor is seen")
	}
	if _, err := dead.GuestInfo(t.Context(), "x"); !errors.Is(err, ErrAbsent) {
		t.Errorf("got %v", err)
	}
	ones := Port(func(r *Registers) {
		*r = Registers{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}
	})
	if _, err := ones.GuestInfo(t.Context(), "x"); !errors.Is(err, ErrAbsent) {
		t.Errorf("all ones: got %v", err)
	}
}

func TestAnAnswerThatIsFarTooLarge(t *testing.T) {
	h := &hypervisor{values: map[string]string{}}
	port := Port(func(r *Registers) {
		h.port(r)
		if r.DX>>16 == typeSendSize {
			r.BX = 0xffffffff
		}
	})
	if _, err := port.GuestInfo(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "want at most") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Port(h.port).GuestInfo(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestTheMachinesOwnPortDoesNotEndTheProgram(t *testing.T) {
	err := Do(func(Port) error { return nil })
	t.Logf("on this machine: %v", err)
}
