package qemutests

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/api/conform"
	"github.com/testudo-os/testudo/pkg/layout"
)

// teller counts aloud, ten times a second.
const teller = `
services:
  teller:
    image: testudo/syslog
    entrypoint: [/bin/sh, -c, 'n=0; while :; do n=$$(($$n+1)); echo "<5>tells $$n"; sleep 0.1; done']
`

// addService puts a service file on a running machine and has rosd read it.
func (s *session) addService(name, text string) {
	s.m.t.Helper()
	s.put(layout.UserServices+"/"+name+".yaml", "644", []byte(text))
	s.run("kill -9 " + pidOf(s, "rosd"))
	s.waitReady(name)
}

// logLines asks `ros logs`.
func (s *session) logLines(args string) ([]api.LogLine, error) {
	out, err := s.try("ros logs --format json " + args)
	if err != nil {
		return nil, err
	}
	var lines []api.LogLine
	if err := json.Unmarshal([]byte(out), &lines); err != nil {
		return nil, fmt.Errorf("ros logs %s: %w: %s", args, err, out)
	}
	return lines, nil
}

// told is how far the teller has come, as its log says.
func (s *session) told(args string) (int, error) {
	lines, err := s.logLines("teller -n 1 --grep '^tells ' " + args)
	if err != nil {
		return 0, err
	}
	if len(lines) != 1 {
		return 0, fmt.Errorf("%d lines of the teller", len(lines))
	}
	return strconv.Atoi(strings.TrimPrefix(lines[0].Line, "tells "))
}

// waitTold waits until the teller has come to n, and gives where it is.
func (s *session) waitTold(n int) int {
	s.m.t.Helper()
	now := 0
	s.m.eventually(time.Minute, func() (err error) {
		if now, err = s.told(""); err == nil && now < n {
			err = fmt.Errorf("the teller is at %d, not yet at %d", now, n)
		}
		return err
	})
	return now
}

// whole fails unless the lines count from the first without a gap.
func whole(t *testing.T, lines []api.LogLine) {
	t.Helper()
	last := 0
	for _, l := range lines {
		n, err := strconv.Atoi(strings.TrimPrefix(l.Line, "tells "))
		if err != nil {
			t.Errorf("a line that the teller did not write: %+v", l)
			continue
		}
		if last != 0 && n != last+1 {
			t.Errorf("after %d it tells %d", last, n)
		}
		last = n
	}
}

func TestLogsOutliveAPowerCutAndAReboot(t *testing.T) {
	t.Parallel()
	disk := newDisk(t, diskSize)
	first := boot(t, setup{disks: disks(disk), args: autoformat})
	root := first.login("root")
	root.waitReady(coreServices()...)
	root.addService("teller", teller)
	safe := root.waitTold(20)
	root.waitTold(safe + 50) // five seconds of its time: more than the store promises
	if err := first.Kill(); err != nil {
		t.Fatal(err)
	}

	second := boot(t, setup{disks: disks(disk)})
	root = second.login("root")
	root.waitReady("teller")
	at, err := root.told("--boot -1")
	if err != nil || at < safe {
		t.Errorf("the power cut left the teller's lines up to %d (%v), %d were safe", at, err, safe)
	}
	lines, err := root.logLines("teller --boot -1")
	if err != nil {
		t.Fatal(err)
	}
	whole(t, lines)
	for _, l := range lines {
		if l.Priority != 5 || l.Stream != api.StreamStdout || l.Monotonic == 0 || l.BootID != lines[0].BootID {
			t.Errorf("a line without its marks: %+v", l)
		}
	}
	for back, want := range map[string]string{"-1": "Linux version", "0": "Linux version"} {
		found, err := root.logLines("kernel -n 1 --grep 'Linux version' --boot " + back)
		if err != nil || len(found) != 1 || (found[0].BootID == lines[0].BootID) != (back == "-1") || found[0].Stream != api.StreamKernel {
			t.Errorf("kernel log of boot %s: %+v (%v)", back, found, err)
		}
		if out := root.run("ros logs kernel -n 1 --boot " + back + " --grep 'Linux version'"); !strings.Contains(out, want) {
			t.Errorf("boot %s: %s", back, out)
		}
	}
	if out, err := root.try("ros logs --boot -2"); err == nil {
		t.Errorf("a third boot is made up: %s", out)
	}
	if _, err := root.try("ros poweroff"); err != nil && !isGone(err) {
		t.Log(err)
	}
	second.waitExit()

	third := boot(t, setup{disks: disks(disk)})
	root = third.login("root")
	last, err := root.logLines("rosd -n 1 --boot -1")
	if err != nil || len(last) != 1 || !strings.Contains(last[0].Line, "is exited") && !strings.Contains(last[0].Line, "stop") {
		t.Errorf("rosd's last words before the reboot: %+v (%v)", last, err)
	}
	if out := root.run("ros logs --since 1h --priority notice teller -n 3"); strings.Count(out, "tells") != 3 {
		t.Errorf("the teller's last lines:\n%s", out)
	}
}

// flood writes as fast as it can.
const flood = `
services:
  flood:
    image: testudo/syslog
    entrypoint: [/bin/busybox, "yes", "I have nothing to say, and I say it a hundred thousand times a second, for as long as I am let"]
`

func aFloodingServiceIsNotHeldUpAndHoldsUpNobody(t *testing.T, m *machine) {
	root := m.login("root")
	root.waitReady(coreServices()...)
	root.addService("teller", teller)
	root.addService("flood", flood)
	pid := root.waitReady("flood")["flood"].PID
	written := func() int {
		out := root.run(fmt.Sprintf("sed -n 's/^wchar: //p' /proc/%d/io", pid))
		n, err := strconv.Atoi(strings.TrimSpace(out))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before, began, start := written(), time.Now(), root.waitTold(1)
	m.eventually(2*time.Minute, func() error {
		lines, err := root.logLines("flood -n 1 --grep '^rosd: [0-9]+ lines were dropped'")
		if err == nil && len(lines) == 0 {
			err = fmt.Errorf("no line tells what was dropped")
		}
		return err
	})
	root.waitTold(start + 50)
	took := time.Since(began)
	// Its log takes 64 KiB each second; a service that is held up by its log could
	// write no more than that.
	wrote := written() - before
	t.Logf("the flood wrote %d MiB in %.0f s; the teller told %d lines", wrote>>20, took.Seconds(), root.waitTold(1)-start)
	if float64(wrote) < 3*took.Seconds()*(64<<10)+(1<<20) {
		t.Errorf("the flood wrote %d bytes in %v: it is held up", wrote, took)
	}
	if lines, err := root.logLines("flood --grep '^rosd: [0-9]+ lines were dropped'"); err != nil || len(lines) == 0 {
		t.Errorf("what was dropped can no longer be read: %v", err)
	}
	lines, err := root.logLines("teller --grep '^tells'")
	if err != nil {
		t.Fatal(err)
	}
	whole(t, lines)
	root.run("ros service stop flood teller")
	if size := root.run("du -sk " + layout.ServiceLogs + "/flood | cut -f1"); atoi(t, size) > 5<<10 {
		t.Errorf("the flood's log takes %s KiB", strings.TrimSpace(size))
	}
	root.waitReady(coreServices()...)
}

func atoi(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestLogsGoOnWhileTheDiskIsFull(t *testing.T) {
	t.Parallel()
	m := boot(t, setup{disks: disks(newDisk(t, 128<<20)), args: autoformat})
	root := m.login("root")
	root.waitReady(coreServices()...)
	root.addService("teller", teller)
	root.waitTold(5)
	root.run("dd if=/dev/zero of=/var/lib/testudo/fill bs=64k 2>/dev/null; dd if=/dev/zero of=/var/lib/testudo/fill2 bs=1k 2>/dev/null; true")
	full := root.waitTold(1)
	at := root.waitTold(full + 50) // read from memory where the disk has no more room
	root.run("rm /var/lib/testudo/fill /var/lib/testudo/fill2")
	root.waitTold(at + 20)
	lines, err := root.logLines("teller")
	if err != nil {
		t.Fatal(err)
	}
	whole(t, lines)
	if len(lines) < at {
		t.Errorf("%d lines are kept of at least %d", len(lines), at)
	}
	m.eventually(time.Minute, func() error {
		stored := atoi(t, root.run("cat "+layout.ServiceLogs+"/teller/*.log | grep -c tells"))
		if stored < at {
			return fmt.Errorf("%d lines are on the disk of at least %d", stored, at)
		}
		return nil
	})
}

// syslogReceiver is a machine that logs are sent to: the host.
type syslogReceiver struct {
	listener net.Listener
	mu       sync.Mutex
	conns    []net.Conn
	texts    []string
}

func receiveSyslog(t *testing.T, address string) *syslogReceiver {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	r := &syslogReceiver{listener: l}
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

// read takes RFC 6587's frames.
func (r *syslogReceiver) read(c net.Conn) {
	in := bufio.NewReader(c)
	for {
		var n int
		if _, err := fmt.Fscanf(in, "%d ", &n); err != nil {
			return
		}
		text := make([]byte, n)
		if _, err := io.ReadFull(in, text); err != nil {
			return
		}
		r.mu.Lock()
		r.texts = append(r.texts, string(text))
		r.mu.Unlock()
	}
}

func (r *syslogReceiver) end() {
	r.listener.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		c.Close()
	}
}

// told gives the teller's numbers, each once, and whether the kernel's log came.
func (r *syslogReceiver) told() (numbers []int, kernel bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, text := range r.texts {
		kernel = kernel || strings.Contains(text, " kernel - kernel [") && strings.Contains(text, "Linux version")
		if _, after, ok := strings.Cut(text, `"] tells `); ok && strings.Contains(text, " teller - stdout [") {
			if n, err := strconv.Atoi(after); err == nil && (len(numbers) == 0 || n > numbers[len(numbers)-1]) {
				numbers = append(numbers, n)
			}
		}
	}
	return numbers, kernel
}

func theStoreGoesOn(t *testing.T, m *machine, before *syslogReceiver, port int) {
	root := m.login("root")
	root.waitReady(coreServices()...)
	root.addService("teller", teller)
	var last int
	m.eventually(time.Minute, func() error {
		numbers, kernel := before.told()
		if len(numbers) < 10 || !kernel {
			return fmt.Errorf("%d lines of the teller came; of the kernel: %v", len(numbers), kernel)
		}
		last = numbers[len(numbers)-1]
		return nil
	})
	before.end()
	root.waitTold(last + 50)
	root.run("kill -9 " + pidOf(root, "rosd")) // in the middle of the outage
	root.waitReady("teller")
	now := root.waitTold(1)

	after := receiveSyslog(t, fmt.Sprintf("127.0.0.1:%d", port))
	m.eventually(2*time.Minute, func() error {
		if numbers, _ := after.told(); len(numbers) == 0 || numbers[len(numbers)-1] < now {
			return fmt.Errorf("after the outage these came: %v", numbers)
		}
		return nil
	})
	numbers, _ := after.told()
	first, _ := before.told()
	if numbers[0] > first[len(first)-1]+1 {
		t.Errorf("before the outage the last was %d, after it the first is %d", first[len(first)-1], numbers[0])
	}
	for i, n := range numbers[1:] {
		if n != numbers[i]+1 {
			t.Errorf("after %d comes %d", numbers[i], n)
		}
	}
}

func theAPIAnswersAsItsDocumentSays(t *testing.T, m *machine) {
	root := m.login("root")
	root.waitReady(coreServices()...)
	operations, err := conform.Operations()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range operations {
		if o.Method != "GET" {
			continue
		}
		path := strings.ReplaceAll(o.Path, "{name}", "network")
		ask := "curl -sSN --fail-with-body --unix-socket " + layout.APISocket + " http://rosd" + path
		if strings.HasSuffix(path, "/watch") { // has no end: what comes first will do
			ask = "timeout 5 " + ask + " | head -n 1"
		}
		answer := root.run(ask)
		if err := conform.Check(o, []byte(answer)); err != nil {
			t.Errorf("%v\n%s", err, answer)
		}
	}
	// What people make of it.
	for command, want := range map[string][]string{
		"ros top":            {"SERVICE", "console", "MiB"},
		"ros events":         {"service network: running"},
		"ros boot blame":     {"network", "waiting for"},
		"ros boot chart":     {"<svg", "</svg>", "running, until ready"},
		"ros status":         {"healthy", "10.0.2.15/24", "free"},
		"ros logs -n 3":      {": "},
		"ros completion zsh": {"#compdef ros"},
	} {
		out := root.run(command)
		for _, text := range want {
			if !strings.Contains(out, text) {
				t.Errorf("%s does not say %q:\n%s", command, text, out)
			}
		}
	}
	// The socket is for root and for administrators.
	if out := root.run("stat -c '%a %U %G' " + layout.APISocket); strings.TrimSpace(out) != "660 root sudo" {
		t.Errorf("the socket is %s", out)
	}
	if out, err := root.try("nsenter -t $$ -m -S 65534 -G 65534 ros status"); err == nil || !strings.Contains(err.Error()+out, "permission denied") {
		t.Errorf("anyone may ask: %s (%v)", out, err)
	}
}
