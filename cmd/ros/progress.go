package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
)

// progressBar shows how far something is, with bytes and rate: as a bar in
// place on a terminal, as a line every few seconds elsewhere.
type progressBar struct {
	s        *session
	what     string // "": nothing is said of it
	terminal bool
	began    time.Time // of the step
	step     string
	base     int64 // bytes that were there when it began
	last     time.Time
	width    int // of what stands on the line
}

func (s *session) progress(what string) *progressBar {
	file, ok := s.err.(*os.File)
	return &progressBar{s: s, what: what, terminal: ok && isTerminal(file)}
}

const (
	// plainEvery is how often a line is due where nothing can be overwritten.
	plainEvery = 5 * time.Second
	barWidth   = 24
	// A rate of less time than this is a guess.
	rateAfter = 500 * time.Millisecond
)

func (b *progressBar) show(p api.Progress) {
	now := b.s.now()
	fresh := b.began.IsZero() || p.Step != b.step
	if fresh {
		b.began, b.step, b.base, b.last = now, p.Step, p.Done, time.Time{}
	}
	if b.terminal {
		text := b.text(p, now, true)
		fmt.Fprintf(b.s.err, "\r%-*s", b.width, text)
		b.width = len(text)
		return
	}
	if now.Sub(b.last) >= plainEvery {
		b.last = now
		fmt.Fprintln(b.s.err, b.text(p, now, false))
	}
}

// text is one line: web: pull [====>     ]  12.0 of 40.0 MiB, 3.1 MiB/s.
func (b *progressBar) text(p api.Progress, now time.Time, bar bool) string {
	text := p.Step
	if b.what != "" {
		text = b.what + ": " + text
	}
	if p.Total <= 0 {
		return text
	}
	if bar {
		text += " " + drawBar(p.Done, p.Total)
	}
	text += fmt.Sprintf(" %s of %s", mebibytes(p.Done), mebibytes(p.Total))
	if took := now.Sub(b.began); took >= rateAfter {
		text += fmt.Sprintf(", %s/s", mebibytes(int64(float64(p.Done-b.base)/took.Seconds())))
	}
	return text
}

func drawBar(done, total int64) string {
	full := int(min(max(done, 0), total) * barWidth / total)
	text := strings.Repeat("=", full)
	if full < barWidth {
		text += ">" + strings.Repeat(" ", barWidth-full-1)
	}
	return "[" + text + "]"
}

// end leaves the cursor at the begin of an empty line.
func (b *progressBar) end() {
	if b.terminal && b.width > 0 {
		fmt.Fprintf(b.s.err, "\r%-*s\r", b.width, "")
		b.width = 0
	}
}
