// Package kmsg writes lines to the kernel log, where they get the kernel's
// monotonic stamp, survive the death of every user process and reach whatever
// consoles the kernel has, also when /dev/console is dead. It never blocks on
// a console and never fails the caller: a line that cannot be logged is lost.
// Programs that run before a log service exists may import it: init, mostly.
package kmsg

import (
	"fmt"
	"io"
	"strings"
	"sync"
)

// Level is a syslog severity.
type Level int

// The severities in use; lower is graver.
const (
	Error   Level = 3
	Warning Level = 4
	Notice  Level = 5
	Info    Level = 6
)

// facilityDaemon keeps our lines apart from the kernel's own (facility 0), as
// syslog wants it: /dev/kmsg takes "<facility*8+level>".
const facilityDaemon = 3

// maxLine is what one record of the kernel log holds (CONSOLE_EXT_LOG_MAX less
// room for its prefix).
const maxLine = 900

// Log writes to a kernel log device. Without one it drops every line until
// Attach has given it one.
type Log struct {
	mu  sync.Mutex
	tag string
	w   io.Writer
}

// New makes a log whose lines begin with tag.
func New(tag string, w io.Writer) *Log { return &Log{tag: tag, w: w} }

// Attach directs later lines to w.
func (l *Log) Attach(w io.Writer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.w = w
}

// Print logs one message at a level; each line of it becomes a record.
func (l *Log) Print(level Level, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.w == nil {
		return
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if len(line) > maxLine {
			line = line[:maxLine]
		}
		// One write is one record; an error has nowhere to go.
		_, _ = fmt.Fprintf(l.w, "<%d>%s: %s\n", facilityDaemon*8+int(level), l.tag, line)
	}
}

// Infof logs what happens in the normal course of things.
func (l *Log) Infof(format string, args ...any) { l.Print(Info, format, args...) }

// Noticef logs what a person at the console wants to see.
func (l *Log) Noticef(format string, args ...any) { l.Print(Notice, format, args...) }

// Warnf logs what went wrong without stopping us.
func (l *Log) Warnf(format string, args ...any) { l.Print(Warning, format, args...) }

// Errorf logs what went wrong and costs something.
func (l *Log) Errorf(format string, args ...any) { l.Print(Error, format, args...) }
