package logs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/testudo-os/testudo/pkg/api"
)

func open(t *testing.T, size int64) (*Store, Options) {
	t.Helper()
	dir := t.TempDir()
	opt := Options{FIFOs: filepath.Join(dir, "io"), Files: filepath.Join(dir, "log"), Size: size}
	s, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, opt
}

// write is what a shim does: it opens the FIFO and writes.
func write(t *testing.T, opt Options, service, stream, text string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(opt.FIFOs, service, stream), os.O_WRONLY, 0)
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
	var got []string
	err := s.Read(t.Context(), q, func(l api.LogLine) error {
		got = append(got, l.Stream+" "+l.Line)
		if len(got) == n {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		t.Fatalf("read: %v", err)
	}
	return got
}

func equal(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestWhatAServiceWritesIsKeptAndShown(t *testing.T) {
	s, opt := open(t, 1<<20)
	if err := s.Attach("web"); err != nil {
		t.Fatal(err)
	}
	write(t, opt, "web", "stdout", "one\ntwo\r\n")
	equal(t, collect(t, s, Query{Service: "web", Tail: -1, Follow: true}, 2), "stdout one", "stdout two")
	write(t, opt, "web", "stderr", "three\n")
	equal(t, collect(t, s, Query{Service: "web", Tail: -1, Follow: true}, 3), "stdout one", "stdout two", "stderr three")
	equal(t, collect(t, s, Query{Service: "web", Tail: 1}, 1), "stderr three")
	if got := collect(t, s, Query{Service: "web", Tail: 0}, 1); len(got) != 0 {
		t.Errorf("a tail of 0 gave %q", got)
	}
}

func TestWhatIsWrittenWhileNobodyReadsIsThereForTheNextStore(t *testing.T) {
	first, opt := open(t, 1<<20)
	if err := first.Attach("web"); err != nil {
		t.Fatal(err)
	}
	// The shim holds the FIFO open all the time.
	shim, err := os.OpenFile(filepath.Join(opt.FIFOs, "web", "stdout"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer shim.Close()
	shim.WriteString("before\n")
	equal(t, collect(t, first, Query{Service: "web", Tail: -1, Follow: true}, 1), "stdout before")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	shim.WriteString("between\n")

	second, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if err := second.Attach("web"); err != nil {
		t.Fatal(err)
	}
	equal(t, collect(t, second, Query{Service: "web", Tail: -1, Follow: true}, 2), "stdout before", "stdout between")
}

func TestAttachingTwiceReadsOnce(t *testing.T) {
	s, opt := open(t, 1<<20)
	for range 2 {
		if err := s.Attach("web"); err != nil {
			t.Fatal(err)
		}
	}
	write(t, opt, "web", "stdout", "one\n")
	equal(t, collect(t, s, Query{Service: "web", Tail: -1, Follow: true}, 1), "stdout one")
	if n := len(s.services["web"].fifos); n != 2 {
		t.Errorf("%d FIFOs are open, want 2", n)
	}
}

func TestThePartialLastLineIsKeptWhenReadingEnds(t *testing.T) {
	s, opt := open(t, 1<<20)
	if err := s.Attach("web"); err != nil {
		t.Fatal(err)
	}
	write(t, opt, "web", "stdout", "whole\npart")
	equal(t, collect(t, s, Query{Service: "web", Tail: -1, Follow: true}, 1), "stdout whole")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(opt.Files, "web.log"))
	if err != nil || !strings.Contains(string(data), `"part"`) {
		t.Errorf("the file has no partial line (%v):\n%s", err, data)
	}
}

func TestAllServicesTogetherInTheOrderOfTime(t *testing.T) {
	s, opt := open(t, 1<<20)
	for _, name := range []string{"a", "b"} {
		if err := s.Attach(name); err != nil {
			t.Fatal(err)
		}
	}
	write(t, opt, "b", "stdout", "first\n")
	equal(t, collect(t, s, Query{Tail: -1, Follow: true}, 1), "stdout first")
	write(t, opt, "a", "stdout", "second\n")
	equal(t, collect(t, s, Query{Tail: -1, Follow: true}, 2), "stdout first", "stdout second")
	equal(t, collect(t, s, Query{Tail: 1}, 1), "stdout second")
}

func TestOneWhoFollowsAllSeesServicesThatCome(t *testing.T) {
	s, opt := open(t, 1<<20)
	if err := s.Attach("old"); err != nil {
		t.Fatal(err)
	}
	write(t, opt, "old", "stdout", "one\n")
	var got []string
	err := s.Read(t.Context(), Query{Tail: -1, Follow: true}, func(l api.LogLine) error {
		got = append(got, l.Service)
		if len(got) == 2 {
			return errEnough
		}
		if err := s.Attach("new"); err != nil {
			return err
		}
		write(t, opt, "new", "stdout", "two\n")
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
	equal(t, got, "old", "new")
}

func TestFollowingEndsWithItsContextAndLeavesNothingBehind(t *testing.T) {
	s, opt := open(t, 1<<20)
	if err := s.Attach("web"); err != nil {
		t.Fatal(err)
	}
	write(t, opt, "web", "stdout", "one\n")
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.Read(ctx, Query{Tail: -1, Follow: true}, func(api.LogLine) error { cancel(); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(s.watchers) != 0 || len(s.services["web"].watchers) != 0 {
		t.Error("the follower is still in the store")
	}
}

func TestAnUnknownServiceIsSaidToBe(t *testing.T) {
	s, _ := open(t, 1<<20)
	for _, name := range []string{"nobody", "../etc/passwd"} {
		err := s.Read(t.Context(), Query{Service: name}, func(api.LogLine) error { return nil })
		if !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func line(text string) []api.LogLine {
	return []api.LogLine{{Service: "web", Stream: "stdout", Line: text}}
}

func TestTheFileRotatesAtItsSizeAndBothPartsAreRead(t *testing.T) {
	dir := t.TempDir()
	l := log{name: "web", file: logFile{path: filepath.Join(dir, "web.log"), limit: 400}}
	defer l.close()
	for i := range 20 {
		l.file.write(line(fmt.Sprint("line ", i)))
	}
	for _, name := range []string{"web.log", "web.log.1"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Size() > 400 || info.Size() == 0 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	got, err := l.kept(6, nil)
	if err != nil || len(got) != 6 || got[0].Line != "line 14" || got[5].Line != "line 19" {
		t.Errorf("tail over the rotation: %+v (%v)", got, err)
	}
}

func TestAFullDiskLosesOnlyWhatDoesNotFitInMemoryAndSaysSo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "later")
	l := log{name: "web", file: logFile{path: filepath.Join(dir, "web.log"), limit: 1 << 20}}
	defer l.close()
	const all = unstoredLimit + 10
	for i := range all { // the folder is missing: no write succeeds
		l.file.write(line(fmt.Sprint("line ", i)))
	}
	got, err := l.kept(1, nil)
	if err != nil || len(got) != 1 || got[0].Line != fmt.Sprint("line ", all-1) {
		t.Fatalf("the newest line is not readable from memory: %+v (%v)", got, err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	l.file.write(line("after"))
	got, err = l.kept(-1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got[0].Line, "10 lines before this one could not be stored") {
		t.Errorf("the loss is not told: %q", got[0].Line)
	}
	if len(got) != unstoredLimit+2 || got[1].Line != "line 10" || got[len(got)-1].Line != "after" {
		t.Errorf("%d lines from %q to %q", len(got), got[1].Line, got[len(got)-1].Line)
	}
	if len(l.file.unstored) != 0 || l.file.lost != 0 {
		t.Error("lines are kept in memory after they were stored")
	}
}

func TestASlowReaderIsToldWhatItMissed(t *testing.T) {
	w := &watcher{more: make(chan struct{}, 1)}
	for i := range watcherLimit + 5 {
		w.offer(line(fmt.Sprint(i)))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last string
	err := w.follow(ctx, func(l api.LogLine) error {
		last = l.Line
		if l.Stream == "stderr" {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
	if !strings.Contains(last, "5 lines left out") {
		t.Errorf("last line: %q", last)
	}
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
		{"a line without end is cut", []string{long + "y\n"}, []string{long + "y"}, ""},
		{"a long line in pieces is cut", []string{long, "y\n"}, []string{long, "y"}, ""},
		{"bytes that are not UTF-8 are replaced", []string{"a\xffb\n"}, []string{"a\uFFFDb"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s splitter
			var got []string
			for _, p := range c.parts {
				got = append(got, s.add([]byte(p))...)
			}
			equal(t, got, c.want...)
			if rest := s.rest(); rest != c.rest {
				t.Errorf("rest %q, want %q", rest, c.rest)
			}
		})
	}
}

func FuzzSplitter(f *testing.F) {
	f.Add([]byte("a\nb"), 1)
	f.Add([]byte(strings.Repeat("\u00e9", maxLine)), 4096)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		if size < 1 {
			size = 1
		}
		var s splitter
		total := 0
		for rest := data; len(rest) > 0; {
			n := min(size, len(rest))
			for _, l := range s.add(rest[:n]) {
				total += len(l)
				if _, err := json.Marshal(l); err != nil {
					t.Fatal(err)
				}
			}
			rest = rest[n:]
			if len(s.partial) >= maxLine {
				t.Fatalf("%d bytes are kept without end", len(s.partial))
			}
		}
		total += len(s.rest())
		if len(data) > 0 && total == 0 && strings.Trim(string(data), "\r\n") != "" {
			t.Fatalf("%q gave nothing", data)
		}
	})
}

func FuzzLastText(f *testing.F) {
	f.Add([]byte("a\nb\n"), 1)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		got := lastText(data, n)
		if !strings.HasSuffix(string(data), string(got)) {
			t.Fatalf("%q is not the end of %q", got, data)
		}
		if n >= 0 && n < 1000 && strings.Count(strings.TrimSuffix(string(got), "\n"), "\n") > n {
			t.Fatalf("%q has more than %d lines", got, n)
		}
	})
}
