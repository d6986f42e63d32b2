package qemu

import (
	"bytes"
	"context"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
)

func TestWaitLineFindsWhatWasSaidBefore(t *testing.T) {
	c := newConsole()
	c.append([]byte("one\r\ntwo words\r\nthree"))
	for want, re := range map[string]string{"two words": "wo w", "three": "^thr"} {
		if got, err := c.WaitLine(t.Context(), regexp.MustCompile(re)); err != nil || got != want {
			t.Errorf("%s: got %q, %v", re, got, err)
		}
	}
}

func TestWaitLineSeesALineThatComesInPieces(t *testing.T) {
	c := newConsole()
	found := make(chan string)
	go func() {
		line, err := c.WaitLine(context.Background(), regexp.MustCompile(`login: $`))
		if err != nil {
			line = err.Error()
		}
		found <- line
	}()
	for _, piece := range []string{"boot", "ing\nhost lo", "gin", ": "} {
		c.append([]byte(piece))
	}
	if got := <-found; got != "host login: " {
		t.Errorf("got %q", got)
	}
}

func TestWaitLineAfterIgnoresWhatWasSaidBeforeTheMark(t *testing.T) {
	c := newConsole()
	c.append([]byte("ready\n"))
	mark := c.Mark()
	c.append([]byte("ready again\n"))
	if got, err := c.WaitLineAfter(t.Context(), mark, regexp.MustCompile("ready")); err != nil || got != "ready again" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestWaitLineEndsWithTheMachine(t *testing.T) {
	c := newConsole()
	var log bytes.Buffer
	if err := c.copyFrom(strings.NewReader("the end\n"), &log); err != nil {
		t.Fatal(err)
	}
	_, err := c.WaitLine(t.Context(), regexp.MustCompile("never"))
	if !errors.Is(err, ErrConsoleClosed) || !strings.Contains(err.Error(), "the end") {
		t.Errorf("got %v", err)
	}
	if log.String() != "the end\n" {
		t.Errorf("the log holds %q", log.String())
	}
}

func TestWaitLineEndsWithItsContextAndSaysWhy(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("out of patience"))
	_, err := newConsole().WaitLine(ctx, regexp.MustCompile("never"))
	if err == nil || !strings.Contains(err.Error(), "out of patience") {
		t.Errorf("got %v", err)
	}
}

func TestTailIsTheLastLines(t *testing.T) {
	c := newConsole()
	c.append([]byte("a\nb\nc\n"))
	for n, want := range map[int]string{0: "", 1: "c\n", 2: "b\nc\n", 9: "a\nb\nc\n"} {
		if got := c.Tail(n); got != want {
			t.Errorf("Tail(%d) is %q", n, got)
		}
	}
}

func TestALogThatCannotBeKeptIsAnError(t *testing.T) {
	r, w := io.Pipe()
	w.Close()
	if err := newConsole().copyFrom(strings.NewReader("x"), w); err == nil {
		t.Error("no error")
	}
	r.Close()
}
