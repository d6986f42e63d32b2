package logs

import (
	"bytes"
	"strings"
)

// Writer gives an io.Writer that logs whole lines of the system's own under a
// name, besides those of services: what rosd itself says.
func (s *Store) Writer(name string) *Writer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Writer{store: s, log: s.log(name)}
}

// Writer is made by Store.Writer.
type Writer struct {
	store *Store
	log   *log
}

// Write logs each line of p, which ends with a newline. It does not fail.
func (w *Writer) Write(p []byte) (int, error) {
	var lines [][]byte
	for line := range strings.Lines(string(p)) {
		lines = append(lines, clean(bytes.TrimSuffix([]byte(line), []byte{'\n'})))
	}
	w.store.add(w.log, w.store.now(), 'e', lines)
	return len(p), nil
}
