package tftp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/tools"
)

// server is a small TFTP server with the faults that a test wants.
type server struct {
	files   map[string][]byte
	plain   bool // knows no options
	lose    int  // answers that get lost at first
	garbage bool // somebody else sends as well
	size    string
	block   string
}

func (s *server) start(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buf := make([]byte, 2000)
		for {
			n, from, err := conn.ReadFromUDP(buf)
			if err != nil {
				return
			}
			if s.lose > 0 {
				s.lose--
				continue
			}
			go s.transfer(t, string(buf[:n]), from)
		}
	}()
	return conn.LocalAddr().String()
}

// transfer answers from a port of its own, as RFC 1350 has it.
func (s *server) transfer(t *testing.T, request string, to *net.UDPAddr) {
	conn, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, to)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	words := strings.Split(request[2:], "\x00")
	content, ok := s.files[words[0]]
	if !ok {
		_, _ = conn.Write([]byte("\x00\x05\x00\x01File not found\x00"))
		return
	}
	if s.garbage {
		_, _ = conn.Write([]byte{0})
		_, _ = conn.Write([]byte{0, 9, 9, 9})
	}
	block := plainBlock
	ack := make([]byte, 100)
	send := func(p []byte, number uint16) bool {
		for range 5 {
			_, _ = conn.Write(p)
			_ = conn.SetReadDeadline(time.Now().Add(2 * time.Second))
			n, err := conn.Read(ack)
			if err == nil && n >= 4 && binary.BigEndian.Uint16(ack) == opAck && binary.BigEndian.Uint16(ack[2:]) == number {
				return true
			}
		}
		return false
	}
	if !s.plain {
		block, err = strconv.Atoi(words[3])
		if err != nil {
			t.Error(err)
			return
		}
		size := strconv.Itoa(len(content))
		if s.size != "" {
			size = s.size
		}
		granted := words[3]
		if s.block != "" {
			granted = s.block
		}
		if !send([]byte("\x00\x06blksize\x00"+granted+"\x00tsize\x00"+size+"\x00"), 0) {
			return
		}
	}
	for number := uint16(1); ; number++ {
		n := min(block, len(content))
		p := binary.BigEndian.AppendUint16([]byte{0, opData}, number)
		if !send(append(p, content[:n]...), number) {
			return
		}
		if content = content[n:]; n < block {
			return
		}
	}
}

func TestGet(t *testing.T) {
	long := bytes.Repeat([]byte("0123456789abcdef"), 1000)
	exact := bytes.Repeat([]byte("x"), 2*wantBlock)
	for _, test := range []struct {
		name    string
		server  server
		file    string
		limit   int
		want    []byte
		problem string
	}{
		{"a short file", server{}, "a", 100, []byte("hello"), ""},
		{"one of many blocks", server{}, "dir/long", 1 << 20, long, ""},
		{"one of whole blocks", server{}, "exact", 1 << 20, exact, ""},
		{"an empty one", server{}, "empty", 100, nil, ""},
		{"a server without options", server{plain: true}, "dir/long", 1 << 20, long, ""},
		{"questions that get lost", server{lose: 2}, "a", 100, []byte("hello"), ""},
		{"garbage in between", server{garbage: true}, "a", 100, []byte("hello"), ""},
		{"no such file", server{}, "b", 100, nil, "no such file"},
		{"too large, and it says so", server{}, "dir/long", 1000, nil, "16000 bytes, want at most 1000"},
		{"too large, and it lies", server{size: "1"}, "dir/long", 1000, nil, "larger than 1000 bytes"},
		{"a block size nobody asked for", server{block: "65464"}, "a", 1000, nil, "blocks of"},
		{"a name that does not fit", server{}, "a\x00netascii", 100, nil, "not a name"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.server.files = map[string][]byte{"a": []byte("hello"), "dir/long": long, "exact": exact, "empty": nil}
			got, err := Get(t.Context(), test.server.start(t), test.file, test.limit)
			if test.problem != "" {
				if err == nil || !strings.Contains(err.Error(), test.problem) {
					t.Errorf("got %v, want %s", err, test.problem)
				}
				return
			}
			if err != nil || !bytes.Equal(got, test.want) {
				t.Errorf("got %d bytes, %v; want %d", len(got), err, len(test.want))
			}
		})
	}
}

func TestNobodyAnswers(t *testing.T) {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 700*time.Millisecond, errors.New("bound"))
	defer cancel()
	s := server{lose: 1000}
	if _, err := Get(ctx, s.start(t), "a", 10); err == nil || !strings.Contains(err.Error(), "bound") {
		t.Errorf("got %v", err)
	}
}

// A server that people use: Debian's dnsmasq.
func TestGetFromDnsmasq(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root for port 69")
	}
	box, err := tools.Ensure(t.Context(), "../../../.cache", t.Logf)
	if err != nil {
		t.Skipf("no dnsmasq here: %v", err)
	}
	dir := t.TempDir()
	content := bytes.Repeat([]byte("#cloud-config\n"), 500)
	if err := os.WriteFile(filepath.Join(dir, "user-data"), content, 0o644); err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(context.Background())
	cmd := box.Command(running, "dnsmasq", "--keep-in-foreground", "--log-facility=-", "--conf-file=/dev/null", "--pid-file=", "--user=root", "--group=root",
		"--port=0", "--enable-tftp", "--tftp-root="+dir, "--listen-address=127.0.0.77", "--bind-interfaces")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); _ = cmd.Wait() })
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	got, err := Get(ctx, "127.0.0.77", "user-data", 1<<20)
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if _, err := Get(ctx, "127.0.0.77", "none", 1<<20); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such file: got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("\x00\x06blksize\x001428\x00tsize\x005\x00"))
	f.Add([]byte("\x00\x03\x00\x01hello"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parse(b)
		if err == nil && len(p.data) > len(b) {
			t.Fatal("data out of nowhere")
		}
		_ = (&transfer{limit: 100}).accept(p.options)
	})
}
