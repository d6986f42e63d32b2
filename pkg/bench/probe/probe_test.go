package main

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestIdleTimeIsThatOfAllProcessorsTogether(t *testing.T) {
	cpus, idle := idleTime("cpu  10 0 5 300 20 0 0 0 0 0\ncpu0 5 0 2 150 10 0 0\ncpu1 5 0 3 150 10 0 0\nintr 5\n")
	if cpus != 2 || idle != 3_200_000 {
		t.Errorf("%d processors idled %d µs, want 2 and 3200000", cpus, idle)
	}
}

func TestAnOrderIsReadFromTheKernelsCommandLine(t *testing.T) {
	o, err := parseOrder("console=ttyS0 bench.await=ssh,docker bench.processes=50 bench.idle=5 bench.until=90 bench.limit=60 quiet\n")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(o.await, []string{"ssh", "docker"}) || o.idle != 5*time.Second || o.until != 90*time.Second || o.limit != time.Minute || o.processes != 50 {
		t.Errorf("order = %+v", o)
	}
	for _, bad := range []string{"bench.await=telnet", "bench.idle=-1", "bench.limit=x", "bench.processes=x"} {
		if o, err := parseOrder(bad); err == nil {
			t.Errorf("%q gives %+v, want an error", bad, o)
		}
	}
	if o, err := parseOrder("bench.await="); err != nil || len(o.await) != 0 {
		t.Errorf("an empty list gives %+v, %v", o, err)
	}
}

func TestAFieldOfMeminfoIsFoundByItsWholeName(t *testing.T) {
	const meminfo = "MemTotal:        1004040 kB\nMemFree:          900000 kB\n"
	for name, want := range map[string]int64{"MemTotal": 1004040, "MemFree": 900000, "Mem": -1, "Nothing": -1} {
		if got := field(meminfo, name); got != want {
			t.Errorf("%s = %d, want %d", name, got, want)
		}
	}
}

func TestNamesOfProcessesAreOneWordAndWorkersAreCountedTogether(t *testing.T) {
	for comm, want := range map[string]string{"rosd\n": "rosd", "kworker/0:1-events\n": "kworker", "\tWeb Content": "Web_Content", "": ""} {
		if got := plainName(comm); got != want {
			t.Errorf("%q: %q, want %q", comm, got, want)
		}
	}
	if firstNumber("7 8 9\n") != 7 || firstNumber("") != 0 {
		t.Error("the first number is not found")
	}
}

func TestListenersAreThoseWhoMayBeSentTo(t *testing.T) {
	const head = "  sl  local_address rem_address   st\n"
	tcp := head +
		"   0: 0100007F:9C2D 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0\n" +
		"   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0\n" +
		"   2: 0F02000A:0016 0202000A:D2F0 01 00000000:00000000 00:00000000 00000000     0\n"
	if got, want := listeners("tcp", tcp), []string{"0.0.0.0:22", "127.0.0.1:39981"}; !slices.Equal(got, want) {
		t.Errorf("tcp: %v, want %v", got, want)
	}
	if got, want := listeners("tcp6", head+"   0: 00000000000000000000000001000000:0016 0:0 0A 0\n"), []string{"[::1]:22"}; !slices.Equal(got, want) {
		t.Errorf("tcp6: %v, want %v", got, want)
	}
	udp := head + "   0: 0F02000A:0044 00000000:0000 07 0\n   1: 0F02000A:0045 0202000A:0035 01 0\n"
	if got, want := listeners("udp", udp), []string{"10.0.2.15:68"}; !slices.Equal(got, want) {
		t.Errorf("udp: %v, want %v", got, want)
	}
}

func FuzzListeners(f *testing.F) {
	f.Add("tcp", "   0: 0100007F:0016 00000000:0000 0A 0\n")
	f.Add("udp6", "0: :: x 07\n0: 00:1 x 07\n")
	f.Fuzz(func(t *testing.T, proto, table string) {
		for _, a := range listeners(proto, table) {
			if _, _, err := net.SplitHostPort(a); err != nil {
				t.Errorf("%q is no address: %v", a, err)
			}
		}
	})
}

// serve answers the first connection with text and returns the socket's path.
func serve(t *testing.T, text string) (root, name string) {
	t.Helper()
	root, name = t.TempDir(), "s.sock"
	l, err := net.Listen("unix", filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = c.Read(make([]byte, 16))
		_, _ = c.Write([]byte(text))
	}()
	return root, name
}

func TestATargetAnswersWhenWhatIsExpectedComes(t *testing.T) {
	for said, want := range map[string]bool{"HTTP/1.0 200 OK\r\n\r\nOK": true, "HTTP/1.0 503 no\r\n": false, "": false} {
		root, name := serve(t, said)
		docker := target{"docker", unix.AF_UNIX, []string{"missing.sock", name}, "GET /_ping HTTP/1.0\r\n\r\n", "200 OK"}
		if got := docker.answers(root); got != want {
			t.Errorf("after %q: answers = %t, want %t", said, got, want)
		}
	}
}

func TestATargetThatIsNotThereDoesNotAnswer(t *testing.T) {
	for name, target := range targets() {
		if target.family == unix.AF_UNIX && target.answers(filepath.Join(os.TempDir(), "no-such-root")) {
			t.Errorf("%s answers in an empty root", name)
		}
	}
}
