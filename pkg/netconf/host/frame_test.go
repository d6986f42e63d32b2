package host

import (
	"bytes"
	"net/netip"
	"testing"

	"golang.org/x/net/bpf"
)

var (
	none = netip.IPv4Unspecified()
	all  = netip.AddrFrom4([4]byte{255, 255, 255, 255})
)

// toClient turns a frame of ours into one to the client port.
func toClient(frame []byte) []byte {
	frame = bytes.Clone(frame)
	frame[ipHeader+2], frame[ipHeader+3] = 0, clientPort
	return frame
}

func TestAFrameCarriesChecksumsThatAddUpAndTheMessage(t *testing.T) {
	for _, message := range [][]byte{[]byte("an even length"), []byte("an odd length"), {}} {
		frame := encodeFrame(netip.MustParseAddr("192.0.2.50"), all, message)
		if got := sum(0, frame[:ipHeader]); got != 0xffff {
			t.Errorf("IP header sums up to %#x", got)
		}
		udp := frame[ipHeader:]
		if got := sum(uint32(sum(protoUDP+uint32(len(udp)), frame[12:20])), udp); got != 0xffff {
			t.Errorf("UDP sums up to %#x", got)
		}
		got, err := decodeFrame(append(toClient(frame), 0, 0, 0)) // Ethernet pads
		if err != nil || !bytes.Equal(got, message) {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

func TestWhatIsNoDHCPAnswerIsRefused(t *testing.T) {
	good := toClient(encodeFrame(none, all, []byte("message")))
	change := func(at int, to byte) []byte {
		b := bytes.Clone(good)
		b[at] = to
		return b
	}
	for name, b := range map[string][]byte{
		"nothing": nil, "IPv6": change(0, 0x65), "a header too short": change(0, 0x44), "a header too long": change(0, 0x4f),
		"longer than it is": change(2, 1), "TCP": change(9, 6), "a fragment": change(7, 1), "a first fragment": change(6, 0x20),
		"another port": change(ipHeader+3, 67), "a UDP length too long": change(ipHeader+5, 200), "a UDP length too short": change(ipHeader+5, 7),
	} {
		if _, err := decodeFrame(b); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func FuzzDecodeFrame(f *testing.F) {
	f.Add(toClient(encodeFrame(none, all, []byte("message"))))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeFrame(b)
		if err == nil && len(got) > len(b)-ipHeader-udpHeader {
			t.Errorf("%d bytes out of %d", len(got), len(b))
		}
	})
}

func TestTheKernelFilterPassesWhatTheDecoderTakes(t *testing.T) {
	good := toClient(encodeFrame(none, all, []byte("message")))
	for name, tt := range map[string]struct {
		at   int
		to   byte
		pass bool
	}{
		"an answer": {8, 64, true}, "TCP": {9, 6, false}, "a later fragment": {7, 1, false}, "another port": {ipHeader + 3, 67, false},
	} {
		b := bytes.Clone(good)
		b[tt.at] = tt.to
		if got := runFilter(t, b) > 0; got != tt.pass {
			t.Errorf("%s: passes %v", name, got)
		}
	}
}

// runFilter runs the filter's program in user space.
func runFilter(t *testing.T, packet []byte) int {
	t.Helper()
	var program []bpf.Instruction
	for _, i := range dhcpAnswers {
		raw := bpf.RawInstruction{Op: i.Code, Jt: i.Jt, Jf: i.Jf, K: i.K}
		program = append(program, raw.Disassemble())
	}
	vm, err := bpf.NewVM(program)
	if err != nil {
		t.Fatal(err)
	}
	n, err := vm.Run(packet)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
