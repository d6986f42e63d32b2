package supervise

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// maxLine is where a line without an end is cut.
const maxLine = 8 << 10

// Lines calls f for each line of r until r ends. Longer lines than 8 KiB come
// in pieces, so that no process can make us hold its output in memory.
func Lines(r io.Reader, f func(line string)) {
	b := bufio.NewReaderSize(r, maxLine)
	for {
		line, err := b.ReadSlice('\n')
		if len(line) > 0 {
			f(strings.TrimRight(string(line), "\r\n"))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// LogFile is a file of bounded size: when it is full it becomes FILE.1 and a
// new one is begun. A line that cannot be written is lost and the next one is
// tried again.
type LogFile struct {
	mu    sync.Mutex
	name  string
	limit int64
	file  *os.File
	size  int64
}

// NewLogFile makes a log of at most twice limit bytes. The file is made with
// the first line.
func NewLogFile(name string, limit int64) *LogFile { return &LogFile{name: name, limit: limit} }

// Line appends one line.
func (l *LogFile) Line(line string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil && l.size+int64(len(line))+1 > l.limit {
		err := l.file.Close()
		l.file = nil
		if err = errors.Join(err, os.Rename(l.name, l.name+".1")); err != nil {
			return fmt.Errorf("turn the log: %w", err)
		}
	}
	if l.file == nil {
		if err := l.open(); err != nil {
			return err
		}
	}
	n, err := l.file.WriteString(line + "\n")
	l.size += int64(n)
	if err != nil {
		return fmt.Errorf("write to the log: %w", err)
	}
	return nil
}

func (l *LogFile) open() error {
	if err := os.MkdirAll(filepath.Dir(l.name), 0o755); err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	f, err := os.OpenFile(l.name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return fmt.Errorf("open the log: %w", err)
	}
	l.file, l.size = f, info.Size()
	return nil
}

// Close closes the file.
func (l *LogFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
