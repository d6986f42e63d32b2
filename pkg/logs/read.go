package logs

import (
	"bytes"
	"os"
	"sync"
	"unicode/utf8"

	"github.com/testudo-os/testudo/pkg/api"
)

const (
	readSize = 4096  // of one read; a burst is written at once
	maxLine  = 16384 // longer lines are cut into several
)

// log is one service's.
type log struct {
	name    string
	fifos   []*os.File
	readers sync.WaitGroup

	mu       sync.Mutex // guards what follows
	file     logFile
	watchers map[*watcher]struct{}
}

func (l *log) closeFIFOs() error {
	var first error
	for _, f := range l.fifos {
		if err := f.Close(); err != nil && first == nil {
			first = err
		}
	}
	l.fifos = nil
	return first
}

func (l *log) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.close()
}

// read takes one stream apart into lines until the FIFO is closed.
func (s *Store) read(l *log, stream string, fifo *os.File) {
	var split splitter
	buffer := make([]byte, readSize)
	for {
		n, err := fifo.Read(buffer)
		if lines := split.add(buffer[:n]); len(lines) > 0 {
			s.append(l, stream, lines)
		}
		if err != nil {
			if rest := split.rest(); rest != "" {
				s.append(l, stream, []string{rest})
			}
			return
		}
	}
}

// append stamps lines, stores them and shows them to those who follow.
func (s *Store) append(l *log, stream string, texts []string) {
	now := s.now().UTC()
	lines := make([]api.LogLine, len(texts))
	for i, text := range texts {
		lines[i] = api.LogLine{Time: now, Service: l.name, Stream: stream, Line: text}
	}
	l.mu.Lock()
	l.file.write(lines)
	for w := range l.watchers {
		w.offer(lines)
	}
	l.mu.Unlock()
}

// splitter makes lines of what is read.
type splitter struct{ partial []byte }

func (s *splitter) add(data []byte) []string {
	var lines []string
	for {
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			break
		}
		lines = append(lines, clean(append(s.partial, data[:i]...)))
		s.partial = s.partial[:0]
		data = data[i+1:]
	}
	s.partial = append(s.partial, data...)
	for len(s.partial) >= maxLine {
		cut := maxLine
		for cut > maxLine-utf8.UTFMax && !utf8.RuneStart(s.partial[cut-1]) {
			cut--
		}
		if cut > 1 && s.partial[cut-1] >= utf8.RuneSelf {
			cut-- // the rune that begins here may be cut: it goes to the next line
		}
		lines = append(lines, clean(s.partial[:cut]))
		s.partial = append(s.partial[:0], s.partial[cut:]...)
	}
	return lines
}

func (s *splitter) rest() string {
	text := clean(s.partial)
	s.partial = nil
	return text
}

// clean drops the carriage return that terminals add and makes the text valid
// UTF-8, which JSON needs.
func clean(line []byte) string {
	return string(bytes.ToValidUTF8(bytes.TrimSuffix(line, []byte{'\r'}), []byte("\uFFFD")))
}
