package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
)

const (
	thisBoot  = "11111111111111111111111111111111"
	otherBoot = "22222222222222222222222222222222"
)

var roomy = Limits{Total: 64 << 20, Service: 16 << 20}

func options(t *testing.T) Options {
	t.Helper()
	dir := t.TempDir()
	return Options{FIFOs: filepath.Join(dir, "io"), Files: filepath.Join(dir, "log"), BootID: thisBoot, Limits: roomy}
}

func open(t *testing.T, opt Options) *Store {
	t.Helper()
	s, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func attach(t *testing.T, s *Store, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := s.Attach(name); err != nil {
			t.Fatal(err)
		}
	}
}

// write is what a shim does: it opens the FIFO and writes.
func write(t *testing.T, s *Store, service, stream, text string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(s.opt.FIFOs, service, stream), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

var errEnough = errors.New("enough")

// collect follows until n lines have come.
func collect(t *testing.T, s *Store, q Query, n int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var got []string
	err := s.Read(ctx, q, func(l api.LogLine) error {
		got = append(got, l.Service+" "+l.Stream+" "+l.Line)
		if len(got) == n {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		t.Fatalf("read: %v", err)
	}
	if q.Follow && len(got) < n {
		t.Fatalf("within a minute only %q came", got)
	}
	return got
}

// kept gives all lines that are kept.
func kept(t *testing.T, s *Store, q Query) []string {
	t.Helper()
	q.Tail = -1
	return collect(t, s, q, -1)
}

func equal(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func follow(names ...string) Query { return Query{Services: names, Tail: -1, Follow: true} }

func TestWhatAServiceWritesIsKeptAndShown(t *testing.T) {
	s := open(t, options(t))
	attach(t, s, "web")
	write(t, s, "web", "stdout", "one\ntwo\r\n")
	equal(t, collect(t, s, follow("web"), 2), "web stdout one", "web stdout two")
	write(t, s, "web", "stderr", "three\n")
	equal(t, collect(t, s, follow("web"), 3), "web stdout one", "web stdout two", "web stderr three")
	equal(t, collect(t, s, Query{Services: []string{"web"}, Tail: 1}, -1), "web stderr three")
	equal(t, collect(t, s, Query{Services: []string{"web"}, Tail: 0}, -1))
}

func TestWhatIsWrittenWhileNobodyReadsIsThereForTheNextStore(t *testing.T) {
	first := open(t, options(t))
	attach(t, first, "web")
	// The shim holds the FIFO open all the time.
	shim, err := os.OpenFile(filepath.Join(first.opt.FIFOs, "web", "stdout"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer shim.Close()
	shim.WriteString("before\n")
	equal(t, collect(t, first, follow("web"), 1), "web stdout before")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	shim.WriteString("between\n")

	second := open(t, first.opt)
	attach(t, second, "web")
	equal(t, collect(t, second, follow("web"), 2), "web stdout before", "web stdout between")
	if n := len(second.logs["web"].segments); n != 1 {
		t.Errorf("the second rosd of a boot began segment %d", n)
	}
}

func TestAttachingTwiceReadsOnce(t *testing.T) {
	s := open(t, options(t))
	attach(t, s, "web", "web")
	write(t, s, "web", "stdout", "one\n")
	equal(t, collect(t, s, follow("web"), 1), "web stdout one")
	if n := len(s.logs["web"].fifos); n != 2 {
		t.Errorf("%d FIFOs are open, want 2", n)
	}
	if s.Attach(api.KernelLog) == nil {
		t.Error("a service took the kernel's name")
	}
}

func TestThePartialLastLineIsKeptWhenReadingEnds(t *testing.T) {
	s := open(t, options(t))
	attach(t, s, "web")
	write(t, s, "web", "stdout", "whole\npart")
	equal(t, collect(t, s, follow("web"), 1), "web stdout whole")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	equal(t, kept(t, open(t, s.opt), Query{}), "web stdout whole", "web stdout part")
}

// at makes a clock of one's own: what it points to is the time since the boot.
func at(s *Store, mono *int64) {
	start := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	s.now = func() stamp {
		return stamp{wall: start.Add(time.Duration(*mono) * time.Microsecond), mono: *mono}
	}
}

// say logs lines of a name at a time, as the system itself does.
func say(t *testing.T, s *Store, name string, at stamp, priority byte, texts ...string) {
	t.Helper()
	s.mu.Lock()
	l := s.log(name)
	s.mu.Unlock()
	for _, text := range texts {
		s.addWith(l, at, 'o', priority, []byte(text))
	}
}

func TestLinesOfAllServicesAreInTheOrderOfBootsAndOfTheClockThatNobodySets(t *testing.T) {
	opt := options(t)
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	first := opt
	first.BootID = otherBoot
	s := open(t, first)
	say(t, s, "a", stamp{noon, 9e6}, 6, "old boot")
	s.Close()

	s = open(t, opt)
	// The clock is set back by a year between the second and the third.
	say(t, s, "b", stamp{noon.Add(time.Minute), 1e6}, 6, "1")
	say(t, s, "a", stamp{noon.Add(2 * time.Minute), 2e6}, 6, "2")
	say(t, s, "b", stamp{noon.AddDate(-1, 0, 0), 3e6}, 6, "3")
	say(t, s, "a", stamp{noon.AddDate(-1, 0, 1), 4e6}, 6, "4")
	collect(t, s, Query{Tail: -1, Follow: true}, 5)
	equal(t, kept(t, s, Query{}), "a stdout old boot", "b stdout 1", "a stdout 2", "b stdout 3", "a stdout 4")
	equal(t, collect(t, s, Query{Tail: 2}, -1), "b stdout 3", "a stdout 4")
}

func TestFilters(t *testing.T) {
	opt := options(t)
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for i, id := range []string{otherBoot, "33333333333333333333333333333333", thisBoot} {
		one := opt
		one.BootID = id
		s := open(t, one)
		from := noon.Add(time.Duration(i) * time.Hour)
		say(t, s, "web", stamp{from, 1e6}, 3, fmt.Sprintf("bad thing %d", i))
		say(t, s, "web", stamp{from.Add(time.Minute), 2e6}, 6, fmt.Sprintf("good thing %d", i))
		say(t, s, "db", stamp{from.Add(2 * time.Minute), 3e6}, 4, fmt.Sprintf("odd thing %d", i))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		// Files are as old as their lines say.
		for _, l := range s.logs {
			for _, part := range l.segments {
				os.Chtimes(part.path, from.Add(2*time.Minute), from.Add(2*time.Minute))
			}
		}
	}
	s := open(t, opt)
	number := func(n int) *int { return &n }
	for _, c := range []struct {
		name string
		q    Query
		want string
	}{
		{"this boot", Query{Boot: number(0)}, "bad thing 2|good thing 2|odd thing 2"},
		{"the one before", Query{Boot: number(-1), Services: []string{"web"}}, "bad thing 1|good thing 1"},
		{"two before", Query{Boot: number(-2), Services: []string{"db"}}, "odd thing 0"},
		{"warnings and graver", Query{Priority: number(4), Boot: number(0)}, "bad thing 2|odd thing 2"},
		{"errors", Query{Priority: number(3)}, "bad thing 0|bad thing 1|bad thing 2"},
		{"a pattern", Query{Grep: regexp.MustCompile("^g.*[12]$")}, "good thing 1|good thing 2"},
		{"since", Query{Since: noon.Add(2 * time.Hour)}, "bad thing 2|good thing 2|odd thing 2"},
		{"until", Query{Until: noon.Add(time.Minute)}, "bad thing 0"},
		{"between", Query{Since: noon.Add(time.Minute), Until: noon.Add(61 * time.Minute)}, "good thing 0|odd thing 0|bad thing 1"},
		{"several services", Query{Services: []string{"db", "web"}, Boot: number(-2)}, "bad thing 0|good thing 0|odd thing 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			c.q.Tail = -1
			take := func(l api.LogLine) error { got = append(got, l.Line); return nil }
			if err := s.Read(t.Context(), c.q, take); err != nil {
				t.Fatal(err)
			}
			if all := strings.Join(got, "|"); all != c.want {
				t.Errorf("got  %s\nwant %s", all, c.want)
			}
			// The last of them, found from the end.
			whole := got
			got, c.q.Tail = nil, 1
			if err := s.Read(t.Context(), c.q, take); err != nil {
				t.Fatal(err)
			}
			equal(t, got, whole[len(whole)-1])
		})
	}
	err := s.Read(t.Context(), Query{Boot: number(-3)}, func(api.LogLine) error { return nil })
	if !errors.Is(err, ErrNoBoot) {
		t.Errorf("a boot that is not kept: %v", err)
	}
}

func TestOneWhoFollowsAllSeesServicesThatCome(t *testing.T) {
	s := open(t, options(t))
	attach(t, s, "old")
	write(t, s, "old", "stdout", "one\n")
	var got []string
	err := s.Read(t.Context(), follow(), func(l api.LogLine) error {
		got = append(got, l.Service)
		if len(got) == 2 {
			return errEnough
		}
		attach(t, s, "new")
		write(t, s, "new", "stdout", "two\n")
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
	equal(t, got, "old", "new")
}

func TestFollowingEndsWithItsContextAndLeavesNothingBehind(t *testing.T) {
	s := open(t, options(t))
	attach(t, s, "web")
	write(t, s, "web", "stdout", "one\n")
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.Read(ctx, follow(), func(api.LogLine) error { cancel(); return nil }); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if len(s.watchers) != 0 || len(s.logs["web"].watchers) != 0 {
		t.Error("the follower is still in the store")
	}
}

func TestAnUnknownServiceIsSaidToBe(t *testing.T) {
	s := open(t, options(t))
	for _, name := range []string{"nobody", "../etc/passwd"} {
		err := s.Read(t.Context(), Query{Services: []string{name}}, func(api.LogLine) error { return nil })
		if !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestALineSaysItsPriorityAsInSDDaemon(t *testing.T) {
	s := open(t, options(t))
	attach(t, s, "web")
	write(t, s, "web", "stderr", "<3>broken\n<9>odd\nplain\n")
	var got []string
	err := s.Read(t.Context(), follow("web"), func(l api.LogLine) error {
		got = append(got, fmt.Sprintf("%d %s", l.Priority, l.Line))
		if l.BootID != thisBoot || l.Monotonic <= 0 || time.Since(l.Time) > time.Hour {
			t.Errorf("stamps: %+v", l)
		}
		if len(got) == 3 {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
	equal(t, got, "3 broken", "6 <9>odd", "6 plain")
}

func TestALogStaysWithinItsLimitAndTheOldestGo(t *testing.T) {
	opt := options(t)
	opt.Limits = Limits{Total: 1 << 20, Service: 128 << 10}
	opt.Rate = Rate{Bytes: 1 << 30, Burst: 1 << 30}
	s := open(t, opt)
	mono := int64(0)
	at(s, &mono)
	const lines = 5000
	for i := range lines {
		say(t, s, "web", s.now(), 6, fmt.Sprintf("%06d %s", i, strings.Repeat("x", 60)))
		mono++
		if i%1000 == 999 { // no flood: the writer is to keep up
			collect(t, s, Query{Tail: 1, Follow: true, Grep: regexp.MustCompile(fmt.Sprintf("^%06d", i))}, 1)
		}
	}
	got := kept(t, s, Query{})
	if len(got) == lines || !strings.Contains(got[len(got)-1], fmt.Sprint(lines-1)) {
		t.Fatalf("%d lines are kept, the last is %s", len(got), got[len(got)-1])
	}
	for i := 1; i < len(got); i++ {
		var before, after int
		fmt.Sscanf(got[i-1], "web stdout %d", &before)
		fmt.Sscanf(got[i], "web stdout %d", &after)
		if after != before+1 {
			t.Fatalf("after %q comes %q", got[i-1], got[i])
		}
	}
	s.Close()
	var size int64
	files, _ := filepath.Glob(filepath.Join(opt.Files, "web", "*"))
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	// One segment may be begun between two looks at the limits.
	if most := opt.Limits.Service + (Limit{Size: opt.Limits.Service}).segmentSize()*2; size > most || size < opt.Limits.Service/2 {
		t.Errorf("the log has %d bytes, its limit is %d", size, opt.Limits.Service)
	}
}

func TestAFloodIsDroppedCountedAndDoesNotHoldUpAnyone(t *testing.T) {
	opt := options(t)
	opt.Rate = Rate{Bytes: 1, Burst: 10_000}
	s := open(t, opt)
	attach(t, s, "flood", "calm")
	const lines = 200_000
	write(t, s, "flood", "stdout", strings.Repeat("y\n", lines)) // comes back: nobody is held up
	write(t, s, "calm", "stdout", "here\n")
	equal(t, collect(t, s, follow("calm"), 1), "calm stdout here")
	for { // until all is read
		fifo := s.logs["flood"].fifos[0]
		if n := unread(t, fifo); n == 0 {
			break
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	stored, dropped := 0, 0
	for _, line := range kept(t, open(t, s.opt), Query{Services: []string{"flood"}}) {
		var n int
		if _, err := fmt.Sscanf(line, "flood stderr rosd: %d lines were dropped", &n); err == nil {
			dropped += n
		} else {
			stored++
		}
	}
	if stored+dropped != lines || stored == 0 || dropped == 0 {
		t.Errorf("%d lines stored and %d said to be dropped, of %d", stored, dropped, lines)
	}
}

func TestAFullDiskLosesOnlyWhatDoesNotFitInMemoryAndSaysSo(t *testing.T) {
	opt := options(t)
	// A file where the folder should be: no write succeeds.
	if err := os.WriteFile(opt.Files, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, opt)
	text := strings.Repeat("x", 1000)
	const lines = 100
	for i := range lines {
		say(t, s, "web", s.now(), 6, fmt.Sprintf("%d %s", i, text))
	}
	collect(t, s, Query{Tail: 1, Follow: true, Grep: regexp.MustCompile(fmt.Sprintf("^%d ", lines-1))}, 1)
	inMemory := kept(t, s, Query{})
	if n := len(inMemory); n < 50 || n >= lines || !strings.HasPrefix(inMemory[n-1], fmt.Sprintf("web stdout %d ", lines-1)) {
		t.Fatalf("%d lines are in memory", n)
	}
	if err := os.Remove(opt.Files); err != nil {
		t.Fatal(err)
	}
	say(t, s, "web", s.now(), 6, "after")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	got := kept(t, open(t, opt), Query{})
	told := fmt.Sprintf("rosd: %d lines before this one could not be stored", lines-len(inMemory))
	if !strings.Contains(got[0], told) || got[len(got)-1] != "web stdout after" {
		t.Errorf("the loss of %d lines is not told: %q ... %q", lines-len(inMemory), got[0], got[len(got)-1])
	}
	if want := len(inMemory) + 2; len(got) != want {
		t.Errorf("%d lines are stored, want %d", len(got), want)
	}
}

func TestATornTailIsSkippedInOldBootsAndCutOffInThisOne(t *testing.T) {
	opt := options(t)
	s := open(t, opt)
	say(t, s, "web", s.now(), 6, "whole")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := s.logs["web"].segments[0].path
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, torn := range []string{string(good[:30]), string(make([]byte, 500)), "\x00\x00\n", string(good[:10]) + "\n" + string(good[:5]), "\n\n"} {
		if err := os.WriteFile(path, append(bytes.Clone(good), torn...), 0o640); err != nil {
			t.Fatal(err)
		}
		later := opt
		later.BootID = otherBoot
		s := open(t, later)
		equal(t, kept(t, s, Query{}), "web stdout whole")
		s.Close()

		s = open(t, opt)
		say(t, s, "web", s.now(), 6, "next")
		s.Close()
		equal(t, kept(t, open(t, opt), Query{}), "web stdout whole", "web stdout next")
		if now, _ := os.ReadFile(path); !bytes.HasPrefix(now, good) || bytes.Count(now, []byte{'\n'}) != 2 {
			t.Errorf("after %q the file holds %q", torn, now)
		}
	}
}

func TestALineIsOnTheDiskSoonAfterItWasWritten(t *testing.T) {
	opt := options(t)
	opt.Sync = 10 * time.Millisecond
	s := open(t, opt)
	say(t, s, "web", s.now(), 6, "one")
	deadline := time.Now().Add(time.Minute)
	for {
		s.logs["web"].disk.Lock()
		stored := len(s.logs["web"].segments) == 1 && s.logs["web"].segments[0].size > 0
		s.logs["web"].disk.Unlock()
		if stored {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the line is not written")
		}
	}
	s.Close()
	if s.logs["web"].file != nil {
		t.Error("the segment is still open")
	}
}

func TestASlowReaderIsToldWhatItMissed(t *testing.T) {
	w := newWatcher(func(record) bool { return true })
	for i := range watcherLimit + 5 {
		w.offer(api.LogLine{Line: fmt.Sprint(i)})
	}
	var last string
	err := w.follow(t.Context(), func(l api.LogLine) error {
		last = l.Line
		if l.Stream == api.StreamStderr {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) || !strings.Contains(last, "5 lines left out") {
		t.Errorf("last line: %q (%v)", last, err)
	}
}

func TestReadingOnFromAPositionGivesEachLineOnce(t *testing.T) {
	opt := options(t)
	opt.Limits = Limits{Total: 64 << 20, Service: 16 << 10 * 8 * 100}
	s := open(t, opt)
	var want, got []string
	var positions map[string]Position
	for round := range 5 {
		for i := range 300 {
			name, text := []string{"a", "b"}[i%2], fmt.Sprintf("%d-%d %s", round, i, strings.Repeat("x", 500))
			say(t, s, name, s.now(), 6, text)
			want = append(want, text)
		}
		collect(t, s, Query{Tail: -1, Follow: true}, len(want))
		if round == 2 {
			s.Close()
			s = open(t, opt)
		}
		for {
			lines, reached, err := s.After(positions, 7)
			if err != nil {
				t.Fatal(err)
			}
			if len(lines) == 0 {
				break
			}
			positions = reached
			for _, l := range lines {
				got = append(got, l.Line)
			}
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%d lines read of %d", len(got), len(want))
	}
}

// A limit of one's own bounds a log and how fast it grows; those that the
// configuration names come first.
func TestALogCanHaveALimitOfItsOwn(t *testing.T) {
	opt := options(t)
	opt.Own = map[string]Limit{"set": {Size: 1 << 20, Age: time.Hour}}
	s := open(t, opt)
	s.Limit("asked", Limit{Size: 256 << 10})
	s.Limit("set", Limit{Size: 8 << 20})
	s.Limit("much", Limit{Size: 1 << 40})
	s.Know("other")
	for name, want := range map[string]Limit{
		"asked": {Size: 256 << 10}, "set": {Size: 1 << 20, Age: time.Hour}, "much": {Size: roomy.Total}, "other": {Size: roomy.Service},
	} {
		s.mu.Lock()
		l := s.log(name)
		s.mu.Unlock()
		if got := *l.limit.Load(); got != want || l.bucket.rate != want.rate() {
			t.Errorf("%s: %+v at %+v, want %+v", name, got, l.bucket.rate, want)
		}
	}
	s.Limit("asked", Limit{})
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := *s.log("asked").limit.Load(); got.Size != roomy.Service {
		t.Errorf("after its file asks for nothing: %+v", got)
	}
}
