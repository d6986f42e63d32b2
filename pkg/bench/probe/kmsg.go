package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

const (
	kernelLogFD   = 3
	kernelLogNode = "/probe.kmsg" // there is no devtmpfs yet
	urgent        = 2             // above any console log level in use
)

// kernelLog writes lines that appear on the console with the kernel's own stamp.
type kernelLog struct{ file *os.File }

func openKernelLog() (*kernelLog, error) {
	err := unix.Mknod(kernelLogNode, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 11)))
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make %s: %w", kernelLogNode, err)
	}
	f, err := os.OpenFile(kernelLogNode, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	return &kernelLog{f}, nil
}

// line writes one record; nothing can be done when the kernel refuses it, and
// the host sees that it is missing.
func (l *kernelLog) line(format string, args ...any) {
	_, _ = fmt.Fprintf(l.file, "<%d>BENCH %s\n", urgent, fmt.Sprintf(format, args...))
}

// mark says that something has happened now: microseconds since the kernel
// started, and how many of them the processors did not idle.
func (l *kernelLog) mark(name string) {
	now, busy := clock()
	l.line("mark %s %d %d", name, now, busy)
}

func (l *kernelLog) fact(name string, value any) { l.line("fact %s %v", name, value) }
