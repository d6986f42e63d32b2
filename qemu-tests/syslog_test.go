package qemutests

import (
	"bufio"
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/qemu"
)

// receiver is a syslog server on the host; guests reach it at 10.0.2.2.
type receiver struct {
	t     *testing.T
	addr  string
	lines chan string
	mu    sync.Mutex
	open  []interface{ Close() error }
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{t: t, addr: "127.0.0.1:0", lines: make(chan string, 10000)}
	t.Cleanup(r.close)
	return r
}

// close ends the listener and all connections.
func (r *receiver) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.open {
		c.Close()
	}
	r.open = nil
}

func (r *receiver) keep(c interface{ Close() error }) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = append(r.open, c)
}

func (r *receiver) udp() {
	r.t.Helper()
	conn, err := net.ListenPacket("udp4", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.keep(conn)
	r.addr = conn.LocalAddr().String()
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			r.lines <- string(buf[:n])
		}
	}()
}

// tcp listens, the second time on the same port.
func (r *receiver) tcp() {
	r.t.Helper()
	listener, err := net.Listen("tcp4", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.keep(listener)
	r.addr = listener.Addr().String()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			r.keep(conn)
			go func() {
				for in := bufio.NewScanner(conn); in.Scan(); {
					r.lines <- in.Text()
				}
			}()
		}
	}()
}

func (r *receiver) port() string {
	_, port, _ := strings.Cut(r.addr, ":")
	return port
}

// expect waits for a line; others may come before it.
func (r *receiver) expect(pattern string) {
	r.t.Helper()
	re := regexp.MustCompile(pattern)
	timeout := time.After(commandTime)
	var last []string
	for {
		select {
		case line := <-r.lines:
			if re.MatchString(line) {
				return
			}
			last = append(last[max(0, len(last)-20):], line)
		case <-timeout:
			r.t.Fatalf("no line like %s came; the last ones:\n%s", pattern, strings.Join(last, "\n"))
		}
	}
}

// expectAll waits for lines that end in text and the numbers from 1 to n, in
// any order: what was in memory and what was on disk may change places.
func (r *receiver) expectAll(text string, n int) {
	r.t.Helper()
	missing := map[string]bool{}
	for i := range n {
		missing[fmt.Sprint(text, i+1)] = true
	}
	timeout := time.After(commandTime)
	for len(missing) > 0 {
		select {
		case line := <-r.lines:
			if at := strings.Index(line, text); at >= 0 {
				delete(missing, line[at:])
			}
		case <-timeout:
			r.t.Fatalf("%d of %d lines never came: %v", len(missing), n, slices.Sorted(maps.Keys(missing)))
		}
	}
}

// rfc5424 is a line of RFC 5424 with priority, host and the rest as given.
func rfc5424(priority, rest string) string {
	return `^<` + priority + `>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d) forwards ` + rest
}

func TestTheSystemLogIsForwardedByUDP(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.udp()
	m := boot(t, setup{network: qemu.UserNet, allow: `Mars/Base`,
		cloudConfig: "hostname: forwards\ntimezone: Mars/Base\ntestudo:\n  syslog:\n    remote: 10.0.2.2:" + r.port() + "\n"})
	ros := m.login("ros")
	ros.waitReady("network", "syslog")
	ros.run("logger -t app -p local3.err hello")
	r.expect(rfc5424("155", `app - - - +hello\n?$`))
	m.runParts(part{"an unknown time zone is reported, and UTC is used", anUnknownTimeZoneIsReportedAndUTCIsUsed})
}

func TestLogsAreSentElsewhereByTCP(t *testing.T) {
	t.Parallel()
	system := newReceiver(t)
	system.tcp()
	store := receiveSyslog(t, "127.0.0.1:0")
	port := store.listener.Addr().(*net.TCPAddr).Port
	m := boot(t, setup{network: qemu.UserNet, cloudConfig: fmt.Sprintf(
		"hostname: forwards\ntestudo:\n  syslog:\n    remote: tcp://10.0.2.2:%s\n  logging:\n    remote: [\"tcp://10.0.2.2:%d\"]\n", system.port(), port)})
	m.runParts(
		part{"the system log waits while the receiver is away", func(t *testing.T, m *machine) { theSystemLogWaits(m, system) }},
		part{"the store goes on where it was after an outage", func(t *testing.T, m *machine) { theStoreGoesOn(t, m, store, port) }},
	)
}

func theSystemLogWaits(m *machine, r *receiver) {
	ros := m.login("ros")
	ros.waitReady("network", "syslog")
	// The kernel spoke before there was a network.
	r.expect(`kernel - - - +.*Linux version`)
	ros.run("sudo true")
	r.expect(rfc5424(`\d+`, `sudo \S+ - - +ros : .*COMMAND=/usr/bin/true`))
	ros.run("logger -t app hello")
	r.expect(rfc5424("13", `app - - - +hello$`))

	r.close()
	// What is on its way when a connection breaks may be lost.
	ros.run("logger -t app last")
	m.eventually(time.Minute, func() error {
		_, err := ros.try("ros service logs syslog | sed '1,/remote server closed/d' | grep -q 'cannot connect to 10.0.2.2'")
		return err
	})
	const many = 200
	ros.run(fmt.Sprintf("for i in $(seq %d); do echo away $i; done | logger -t app", many))
	m.eventually(time.Minute, func() error {
		_, err := ros.try(fmt.Sprintf("grep -q 'app: away %d$' /var/log/syslog", many))
		return err
	})
	// What waits survives a restart of the service.
	ros.run("sudo ros service restart syslog")
	ros.waitReady("syslog")
	r.tcp()
	r.expectAll("app - - -  away ", many)
}
