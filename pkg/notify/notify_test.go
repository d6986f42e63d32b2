package notify

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/testudo-os/testudo/pkg/sdnotify"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       Message
	}{
		{"ready with a status", "READY=1\nSTATUS=serving", Message{Ready: true, Status: "serving"}},
		{"stopping", "STOPPING=1", Message{Stopping: true}},
		{"reloading and watchdog", "RELOADING=1\nWATCHDOG=1\n", Message{Reloading: true, Watchdog: true}},
		{"a value other than 1 says nothing", "READY=0\nREADY=yes", Message{}},
		{"unknown keys are passed over", "MAINPID=1\nX_A=1\nnonsense", Message{}},
		{"a status is one line of text", "STATUS=a\tb\x1b[31m", Message{Status: "a b [31m"}},
		{"nothing", "", Message{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Parse([]byte(c.text)); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestEachServiceSpeaksForItselfAndANewListenerTakesOver(t *testing.T) {
	dir := t.TempDir()
	for round := range 2 { // the second finds the first one's files
		heard := make(chan Message, 2)
		l := New(dir, func(m Message) { heard <- m })
		for _, name := range []string{"a", "b", "a"} {
			if err := l.Listen(name); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
		}
		if err := sdnotify.SendTo(filepath.Join(dir, "b", "notify.sock"), sdnotify.Ready, sdnotify.Status("up")); err != nil {
			t.Fatal(err)
		}
		if got, want := <-heard, (Message{Service: "b", Ready: true, Status: "up"}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := l.Listen("c"); err == nil {
			t.Error("a closed listener listens")
		}
	}
}

func TestAnEmptyDatagramDoesNotEndTheReading(t *testing.T) {
	dir := t.TempDir()
	heard := make(chan Message, 1)
	l := New(dir, func(m Message) { heard <- m })
	defer l.Close()
	if err := l.Listen("a"); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("unixgram", filepath.Join(dir, "a", "notify.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write(nil)
	conn.Write([]byte("READY=1"))
	if m := <-heard; !m.Ready {
		t.Errorf("got %+v", m)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("READY=1\nSTATUS=ok"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := Parse(data)
		if !utf8.ValidString(m.Status) || strings.ContainsAny(m.Status, "\n\r\x1b") || len(m.Status) > maxStatus+3 {
			t.Fatalf("%q gave the status %q", data, m.Status)
		}
	})
}
