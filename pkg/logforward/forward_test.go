package logforward

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/logs"
)

func store(t *testing.T, dir string) *logs.Store {
	t.Helper()
	s, err := logs.Open(logs.Options{
		FIFOs: filepath.Join(dir, "io"), Files: filepath.Join(dir, "log"), BootID: strings.Repeat("1", 32),
		Limits: logs.Limits{Total: 1 << 20, Service: 1 << 20},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// start runs a forwarder until stop is called.
func start(t *testing.T, s *logs.Store, dir string, target Target) (stop func()) {
	t.Helper()
	f := &Forwarder{
		Target: target, Source: s, Position: filepath.Join(dir, "position", "one.json"), Hostname: func() string { return "box" },
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Retry: time.Millisecond,
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

func say(s *logs.Store, name string, from, to int) {
	w := s.Writer(name)
	for i := from; i < to; i++ {
		fmt.Fprintf(w, "<5>line %d\n", i)
	}
}

// receiver is the other machine.
type receiver struct {
	listener net.Listener
	got      chan string

	mu    sync.Mutex
	conns []net.Conn
}

// end is what happens when the machine goes.
func (r *receiver) end() {
	r.listener.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		c.Close()
	}
}

func listen(t *testing.T, address string, config *tls.Config) *receiver {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		l = tls.NewListener(l, config)
	}
	r := &receiver{listener: l, got: make(chan string, 10_000)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			r.mu.Lock()
			r.conns = append(r.conns, c)
			r.mu.Unlock()
			go r.read(c)
		}
	}()
	t.Cleanup(r.end)
	return r
}

// read takes frames apart as RFC 6587 has them: LENGTH SP MESSAGE.
func (r *receiver) read(c net.Conn) {
	in := bufio.NewReader(c)
	for {
		length, err := in.ReadString(' ')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSpace(length))
		if err != nil {
			r.got <- "no frame: " + length
			return
		}
		message := make([]byte, n)
		if _, err := io.ReadFull(in, message); err != nil {
			return
		}
		r.got <- string(message)
	}
}

// take gives the next messages' texts, each once: a line may come twice.
func (r *receiver) take(t *testing.T, n int) []string {
	t.Helper()
	var texts []string
	seen := map[string]bool{}
	timeout := time.After(time.Minute)
	for len(texts) < n {
		select {
		case m := <-r.got:
			_, text, ok := strings.Cut(m, `"] `)
			if !ok {
				t.Fatalf("message %q", m)
			}
			if !seen[text] {
				texts = append(texts, text)
			}
			seen[text] = true
		case <-timeout:
			t.Fatalf("within a minute only %d of %d lines came: %q", len(texts), n, texts)
		}
	}
	return texts
}

func (r *receiver) target(protocol string) Target {
	port := r.listener.Addr().(*net.TCPAddr).Port
	return Target{Protocol: protocol, Host: "127.0.0.1", Port: port}
}

func inOrder(t *testing.T, texts []string, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if want := fmt.Sprintf("line %d", i); i-from >= len(texts) || texts[i-from] != want {
			t.Fatalf("line %d is missing in %q", i, texts)
		}
	}
}

func TestLinesComeOverTCP(t *testing.T) {
	dir := t.TempDir()
	s := store(t, dir)
	say(s, "web", 0, 3)
	r := listen(t, "127.0.0.1:0", nil)
	start(t, s, dir, r.target("tcp"))
	inOrder(t, r.take(t, 3), 0, 3)
	say(s, "web", 3, 1500) // more than a batch, while it is connected
	inOrder(t, r.take(t, 1497), 3, 1500)
}

func TestAnOutageLosesNothing(t *testing.T) {
	dir := t.TempDir()
	s := store(t, dir)
	first := listen(t, "127.0.0.1:0", nil)
	target := first.target("tcp")
	start(t, s, dir, target)
	say(s, "web", 0, 10)
	inOrder(t, first.take(t, 10), 0, 10)

	// The other machine goes, lines are written, and it comes back.
	first.end()
	say(s, "web", 10, 400)
	second := listen(t, "127.0.0.1:"+strconv.Itoa(target.Port), nil)
	got := second.take(t, 390)
	inOrder(t, got, 10, 400)
}

func TestARestartGoesOnWhereItWas(t *testing.T) {
	dir := t.TempDir()
	s := store(t, dir)
	say(s, "web", 0, 10)
	r := listen(t, "127.0.0.1:0", nil)
	stop := start(t, s, dir, r.target("tcp"))
	inOrder(t, r.take(t, 10), 0, 10)
	stop()
	s.Close()

	s = store(t, dir) // the next rosd
	say(s, "web", 10, 20)
	start(t, s, dir, r.target("tcp"))
	inOrder(t, r.take(t, 10), 10, 20) // and not from the first line on
}

func TestLinesComeOverUDPAndWaitWhileNobodyListens(t *testing.T) {
	dir := t.TempDir()
	s := store(t, dir)
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := socket.LocalAddr().String()
	target := Target{Protocol: "udp", Host: "127.0.0.1", Port: socket.LocalAddr().(*net.UDPAddr).Port}
	socket.Close()
	say(s, "web", 0, 3) // nobody listens
	start(t, s, dir, target)
	if socket, err = net.ListenPacket("udp", address); err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	socket.SetReadDeadline(time.Now().Add(time.Minute))
	buffer := make([]byte, 64<<10)
	for i := range 3 {
		n, _, err := socket.ReadFrom(buffer)
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("line %d", i); !strings.HasSuffix(string(buffer[:n]), want) {
			t.Errorf("got %q, want %s", buffer[:n], want)
		}
	}
}

func TestLinesComeOverTLSFromAMachineThatProvesWhoItIs(t *testing.T) {
	certificate, pool := authority(t)
	dir := t.TempDir()
	s := store(t, dir)
	say(s, "web", 0, 3)
	r := listen(t, "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}})

	unknown := r.target("tls")
	if c, err := dial(t.Context(), unknown); err == nil {
		c.close()
		t.Error("a machine that proves nothing is trusted")
	}
	target := r.target("tls")
	target.TLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	start(t, s, dir, target)
	inOrder(t, r.take(t, 3), 0, 3)
}

// authority makes a certificate for 127.0.0.1 and the pool that knows it.
func authority(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "log"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// rfc5424 is the grammar of RFC 5424, section 6, as far as we use it.
var rfc5424 = regexp.MustCompile(`^<([0-9]{1,3})>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [!-~]{1,255} [!-~]{1,48} - [!-~]{1,32} \[meta sysUpTime="\d+"\] `)

func TestMessages(t *testing.T) {
	line := api.LogLine{Time: time.Date(2026, 11, 21, 12, 0, 0, 123456789, time.UTC), Monotonic: 12_345_678, Service: "web", Stream: "stdout", Priority: 5, Line: "a \"b\" é"}
	got := string(message("box", line))
	if want := `<29>1 2026-11-21T12:00:00.123456Z box web - stdout [meta sysUpTime="1234"] a "b" é`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	line.Stream, line.Service, line.Priority = api.StreamKernel, "kernel", 3
	if got := string(message("", line)); !strings.HasPrefix(got, "<3>1 ") || !strings.Contains(got, " - kernel - kernel [") {
		t.Errorf("of the kernel: %s", got)
	}
}

func FuzzMessage(f *testing.F) {
	f.Add("box", "web", "text")
	f.Add("", strings.Repeat("é", 100), "\x00")
	f.Fuzz(func(t *testing.T, hostname, service, text string) {
		got := message(hostname, api.LogLine{Service: service, Stream: "stderr", Priority: 7, Line: text})
		if !rfc5424.Match(got) || !strings.HasSuffix(string(got), text) {
			t.Fatalf("%q", got)
		}
	})
}
