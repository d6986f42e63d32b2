package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
)

// showing plays a transfer to a bar: 8 MiB, one a second.
func showing(terminal bool) string {
	var out bytes.Buffer
	now := boot
	s := &session{err: &out, now: func() time.Time { return now }}
	bar := s.progress("web")
	bar.terminal = terminal
	for n := range int64(9) {
		bar.show(api.Progress{Step: "pull", Done: n << 20, Total: 8 << 20})
		now = now.Add(time.Second)
	}
	bar.show(api.Progress{Step: "on trial for 30s"})
	bar.end()
	return out.String()
}

func TestProgressIsABarOnATerminal(t *testing.T) {
	shown := strings.Split(showing(true), "\r")
	for at, want := range map[int]string{
		1: "web: pull [>                       ] 0.0 MiB of 8.0 MiB",
		5: "web: pull [============>           ] 4.0 MiB of 8.0 MiB, 1.0 MiB/s",
		9: "web: pull [========================] 8.0 MiB of 8.0 MiB, 1.0 MiB/s",
	} {
		if got := strings.TrimRight(shown[at], " "); got != want {
			t.Errorf("%d: got  %q\nwant %q", at, got, want)
		}
	}
	if step := shown[10]; strings.TrimRight(step, " ") != "web: on trial for 30s" || len(step) != len(shown[9]) {
		t.Errorf("the next step does not cover the line before: %q", step)
	}
	if last := shown[len(shown)-1]; last != "" || strings.Contains(strings.Join(shown, ""), "\n") {
		t.Errorf("it ends with %q", last)
	}
}

func TestProgressIsAFewPlainLinesElsewhere(t *testing.T) {
	want := "web: pull 0.0 MiB of 8.0 MiB\nweb: pull 5.0 MiB of 8.0 MiB, 1.0 MiB/s\nweb: on trial for 30s\n"
	if got := showing(false); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
