package logs

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/api"
)

func unread(t *testing.T, fifo *os.File) int {
	t.Helper()
	n, err := unix.IoctlGetInt(int(fifo.Fd()), unix.TIOCINQ)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (s *splitter) lines(data []byte) []string {
	var lines []string
	s.add(data, func(line []byte) { lines = append(lines, string(line)) })
	return lines
}

func TestSplitting(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	for _, c := range []struct {
		name  string
		parts []string
		want  []string
		rest  string
	}{
		{"lines in one read", []string{"a\nb\n"}, []string{"a", "b"}, ""},
		{"a line over two reads", []string{"a", "b\n"}, []string{"ab"}, ""},
		{"an empty line is a line", []string{"\n\n"}, []string{"", ""}, ""},
		{"no newline at the end", []string{"a\nb"}, []string{"a"}, "b"},
		{"terminals' carriage returns go", []string{"a\r\n"}, []string{"a"}, ""},
		{"a long line in pieces is cut", []string{long, "y\n"}, []string{long, "y"}, ""},
		{"no rune is cut", []string{long[1:] + "é", "\n"}, []string{long[1:], "é"}, ""},
		{"bytes that are not UTF-8 are replaced", []string{"a\xffb\n"}, []string{"a\uFFFDb"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s splitter
			var got []string
			for _, p := range c.parts {
				got = append(got, s.lines([]byte(p))...)
			}
			equal(t, got, c.want...)
			if rest := string(s.rest()); rest != c.rest {
				t.Errorf("rest %q, want %q", rest, c.rest)
			}
		})
	}
}

func TestLeavingOutEndsAtALinesEnd(t *testing.T) {
	var s splitter
	if n := s.leaveOut([]byte("a\nb\nhalf")); n != 2 {
		t.Errorf("%d lines left out", n)
	}
	equal(t, s.lines([]byte(" of it\nnext\n")), "next")
	if n := s.leaveOut([]byte("c\n")); n != 1 {
		t.Errorf("%d lines left out", n)
	}
	equal(t, s.lines([]byte("whole\n")), "whole")
}

func FuzzSplitter(f *testing.F) {
	f.Add([]byte("a\nb"), 1)
	f.Add([]byte(strings.Repeat("\u00e9", maxLine)), 4096)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		var s splitter
		var out []byte
		for chunk := range slices.Chunk(data, max(size, 1)) {
			s.add(chunk, func(line []byte) {
				if !utf8.Valid(line) || bytes.IndexByte(line, '\n') >= 0 {
					t.Fatalf("line %q", line)
				}
				out = append(out, line...)
			})
			if len(s.partial) >= maxLine {
				t.Fatalf("%d bytes are kept without end", len(s.partial))
			}
		}
		out = append(out, s.rest()...)
		bare := func(b []byte) string { return strings.NewReplacer("\n", "", "\r", "").Replace(string(b)) }
		if utf8.Valid(data) && bare(out) != bare(data) {
			t.Fatalf("%q became %q", data, out)
		}
	})
}

func TestARecordReadsAsItWasWritten(t *testing.T) {
	when := time.Date(2026, 2, 28, 23, 59, 59, 123456000, time.UTC)
	line := appendRecord(nil, stamp{when, 12_000_345}.append(nil), 'e', 3, []byte("what  it says "))
	if want := "2026-02-28T23:59:59.123456Z 12.000345 e3 what  it says \n"; string(line) != want {
		t.Errorf("got  %q\nwant %q", line, want)
	}
	r, err := parseRecord(bytes.TrimSuffix(line, []byte{'\n'}))
	if err != nil {
		t.Fatal(err)
	}
	got := r.line("web", thisBoot)
	if want := (api.LogLine{Time: when, Monotonic: 12_000_345, BootID: thisBoot, Service: "web", Stream: api.StreamStderr, Priority: 3, Line: "what  it says "}); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for _, bad := range []string{
		"", "x", string(line[:40]), "2026-02-30T23:59:59.123456Z 12.000345 e3 text", "2026-02-28T24:00:00.123456Z 12.000345 e3 text",
		"2026-02-28T23:59:59.123456Z 12.00034 e3 text", "2026-02-28T23:59:59.123456Z 12.000345 x3 text",
		"2026-02-28T23:59:59.123456Z 12.000345 e8 text", "2026-02-28T23:59:59.123456Z -2.000345 e3 text", "2026-02-28T23:59:59.123456Z .000345 e3 text",
	} {
		if r, err := parseRecord([]byte(bad)); err == nil {
			t.Errorf("%q is taken for a record: %+v", bad, r)
		}
	}
}

// Whatever is read, what is taken for a record is written the same way again.
func FuzzParseRecord(f *testing.F) {
	f.Add([]byte("2026-02-28T23:59:59.123456Z 12.000345 e3 text"))
	f.Add([]byte("2026-02-28T23:59:59.123456Z 12.000345 k0 "))
	f.Add(make([]byte, 60))
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := parseRecord(line)
		if err != nil {
			return
		}
		again := appendRecord(nil, stamp{r.wall, r.mono}.append(nil), r.stream, r.priority, r.text)
		// Leading zeros of the seconds are the only thing that may differ.
		if r2, err := parseRecord(again[:len(again)-1]); err != nil || r2.mono != r.mono || !r2.wall.Equal(r.wall) || !bytes.Equal(r2.text, r.text) {
			t.Fatalf("%q is read as %+v and written as %q", line, r, again)
		}
	})
}

func FuzzParseKernelRecord(f *testing.F) {
	f.Add([]byte("6,339,5140900,-;NET: Registered protocol family 10\n SUBSYSTEM=net\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseKernelRecord(data)
		if err == nil && (r.priority > 7 || r.mono < 0 || bytes.IndexByte(r.text, '\n') >= 0 || !utf8.Valid(r.text)) {
			t.Fatalf("%q gave %+v", data, r)
		}
	})
}

func TestSurplus(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	// of makes segments of these sizes, an hour apart, the last one written now.
	of := func(sizes ...int64) (list []segment) {
		for i, size := range sizes {
			list = append(list, segment{number: i, size: size, last: now.Add(-time.Duration(len(sizes)-1-i) * time.Hour)})
		}
		return list
	}
	for _, c := range []struct {
		name   string
		logs   map[string][]segment
		limits Limits
		want   map[string]int
	}{
		{"all fits", map[string][]segment{"a": of(5, 5), "b": of(5)}, Limits{Total: 15, Service: 10}, nil},
		{"one service too large", map[string][]segment{"a": of(5, 5, 5), "b": of(5)}, Limits{Total: 100, Service: 10}, map[string]int{"a": 1}},
		{"all too large: the largest gives way", map[string][]segment{"a": of(5, 5, 5, 5), "b": of(5)}, Limits{Total: 10, Service: 100}, map[string]int{"a": 3}},
		{"equals take turns", map[string][]segment{"a": of(5, 5), "b": of(5, 5)}, Limits{Total: 10, Service: 100}, map[string]int{"a": 1, "b": 1}},
		{"too old", map[string][]segment{"a": of(5, 5, 5)}, Limits{Total: 100, Service: 100, Age: 90 * time.Minute}, map[string]int{"a": 1}},
		{"not even one fits", map[string][]segment{"a": of(500)}, Limits{Total: 100, Service: 100}, map[string]int{"a": 1}},
		{"nothing there", nil, Limits{}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := surplus(c.logs, c.limits.Total, func(string) Limit { return Limit{Size: c.limits.Service, Age: c.limits.Age} }, now)
			for name := range c.logs {
				if got[name] != c.want[name] {
					t.Errorf("%s: %d go, want %d", name, got[name], c.want[name])
				}
			}
		})
	}
}

// kernel is a kernel log: a socket that keeps the bounds of records, as
// /dev/kmsg does.
func kernel(t *testing.T, s *Store, last *record) (log func(text string)) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "kmsg"), os.NewFile(uintptr(pair[1]), "kernel")
	t.Cleanup(func() { theirs.Close() })
	s.mu.Lock()
	l := s.log(api.KernelLog)
	l.fifos = append(l.fifos, ours)
	s.mu.Unlock()
	started := false
	return func(text string) {
		if text != "" {
			if _, err := theirs.WriteString(text); err != nil {
				t.Fatal(err)
			}
			return
		}
		if !started {
			started = true
			l.readers.Go(func() { s.readKernel(l, ours, last) })
		}
	}
}

func TestTheKernelsLogIsInTheStoreOnceWithItsOwnTimes(t *testing.T) {
	opt := options(t)
	s := open(t, opt)
	log := kernel(t, s, nil)
	log("6,1,1000000,-;Linux version 6.12\n")
	log("4,2,1500000,-;a warning\n SUBSYSTEM=x\n")
	log("30,3,1500000,-;init: step mounts\n")
	log("") // rosd comes
	equal(t, collect(t, s, follow(api.KernelLog), 3), "kernel kernel Linux version 6.12", "kernel kernel a warning", "kernel kernel init: step mounts")
	s.Close()

	s = open(t, opt)
	last, err := s.lastOfBoot(s.logs[api.KernelLog])
	if err != nil || last == nil || string(last.text) != "init: step mounts" || last.mono != 1_500_000 {
		t.Fatalf("the last record is %+v (%v)", last, err)
	}
	log = kernel(t, s, last)
	log("6,1,1000000,-;Linux version 6.12\n")
	log("4,2,1500000,-;a warning\n")
	log("30,3,1500000,-;init: step mounts\n")
	log("6,4,1500000,-;at the same time\n")
	log("")
	log("3,9,2000000,-;after a gap\n")
	equal(t, collect(t, s, follow(api.KernelLog), 6)[3:], "kernel kernel at the same time",
		"kernel kernel rosd: 4 kernel lines before this one were overwritten before they could be read", "kernel kernel after a gap")
}

func TestAKernelLogThatHasForgottenWhatWasStoredGivesWhatIsYounger(t *testing.T) {
	s := open(t, options(t))
	log := kernel(t, s, &record{mono: 1_700_000, priority: 6, text: []byte("gone")})
	log("6,8,1600000,-;stored before\n")
	log("6,9,1800000,-;new\n")
	log("")
	equal(t, collect(t, s, follow(api.KernelLog), 1), "kernel kernel new")
}

func BenchmarkStore(b *testing.B) {
	dir := b.TempDir()
	s, err := Open(Options{FIFOs: dir + "/io", Files: dir + "/log", BootID: thisBoot, Limits: roomy, Rate: Rate{Bytes: 1 << 40, Burst: 1 << 40}})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.Attach("web"); err != nil {
		b.Fatal(err)
	}
	fifo, err := os.OpenFile(dir+"/io/web/stdout", os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer fifo.Close()
	const text = "127.0.0.1 - - \"GET /index.html HTTP/1.1\" 200 5123 \"-\" \"a browser of some length\"\n"
	chunk := strings.Repeat(text, 40)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += 40 {
		for s.waiting.Load() > waitingLimit/2 {
			runtime.Gosched() // what is measured is storing, not dropping
		}
		if _, err := fifo.WriteString(chunk); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lines/s")
	s.logs["web"].mu.Lock()
	dropped := s.logs["web"].dropped
	s.logs["web"].mu.Unlock()
	b.ReportMetric(float64(dropped)/float64(b.N), "dropped/line")
}

func BenchmarkParseRecord(b *testing.B) {
	line := []byte("2026-02-28T23:59:59.123456Z 12.000345 e3 " + strings.Repeat("x", 80))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseRecord(line); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadAll(b *testing.B) {
	dir := b.TempDir()
	s, err := Open(Options{FIFOs: dir + "/io", Files: dir + "/log", BootID: thisBoot, Limits: roomy, Rate: Rate{Bytes: 1 << 40, Burst: 1 << 40}})
	if err != nil {
		b.Fatal(err)
	}
	const lines = 20_000
	for i := range lines {
		for s.waiting.Load() > waitingLimit/2 {
			runtime.Gosched() // none is to be dropped
		}
		s.mu.Lock()
		l := s.log([]string{"a", "b", "c"}[i%3])
		s.mu.Unlock()
		s.addWith(l, s.now(), 'o', 6, fmt.Appendf(nil, "line %d of some length or other", i))
	}
	s.Close()
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := s.Read(b.Context(), Query{Tail: -1}, func(api.LogLine) error { n++; return nil }); err != nil || n != lines {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/lines, "ns/line")
}

// What a service in a loop may write in a second, at most of which is dropped.
func BenchmarkFlood(b *testing.B) {
	dir := b.TempDir()
	s, err := Open(Options{FIFOs: dir + "/io", Files: dir + "/log", BootID: thisBoot, Limits: roomy})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.Attach("web"); err != nil {
		b.Fatal(err)
	}
	fifo, err := os.OpenFile(dir+"/io/web/stdout", os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer fifo.Close()
	chunk := []byte(strings.Repeat(strings.Repeat("x", 99)+"\n", 41)) // as yes(1) writes
	b.SetBytes(int64(len(chunk)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := fifo.Write(chunk); err != nil {
			b.Fatal(err)
		}
	}
}
