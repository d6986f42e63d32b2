package logs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"github.com/testudo-os/testudo/pkg/api"
)

// unstoredLimit is how many lines of a service stay in memory while they
// cannot be written.
const unstoredLimit = 256

// logFile is NAME.log, with what could not be written to it.
type logFile struct {
	path     string
	limit    int64
	file     *os.File
	size     int64
	unstored []api.LogLine // oldest first
	lost     int           // older ones that are gone
	reason   error         // why
}

// write stores lines, and those that waited before them. It never fails: what
// cannot be stored waits in memory, and what does not fit there is counted.
func (f *logFile) write(lines []api.LogLine) {
	pending := lines
	if len(f.unstored) > 0 || f.lost > 0 {
		pending = append(f.unstored, lines...)
	}
	if len(pending) == 0 {
		return
	}
	var data bytes.Buffer
	if f.lost > 0 {
		encode(&data, api.LogLine{
			Time: pending[0].Time, Service: pending[0].Service, Stream: "stderr",
			Line: fmt.Sprintf("rosd: %d lines before this one could not be stored: %v", f.lost, f.reason),
		})
	}
	for _, line := range pending {
		encode(&data, line)
	}
	if err := f.store(data.Bytes()); err != nil {
		f.reason = err
		over := max(0, len(pending)-unstoredLimit)
		f.lost += over
		f.unstored = append([]api.LogLine{}, pending[over:]...)
		return
	}
	f.unstored, f.lost, f.reason = nil, 0, nil
}

func encode(data *bytes.Buffer, line api.LogLine) {
	encoder := json.NewEncoder(data)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(line); err != nil {
		// Unreachable: the fields are strings of valid UTF-8 and a time of
		// our era. If it were not, a log is no reason to stop.
		fmt.Fprintf(data, "{\"service\":%q,\"line\":\"rosd: line cannot be encoded\"}\n", line.Service)
	}
}

// store appends data as a whole or not at all.
func (f *logFile) store(data []byte) error {
	if f.file != nil && f.size > 0 && f.size+int64(len(data)) > f.limit {
		f.file.Close()
		f.file = nil
		if err := os.Rename(f.path, f.path+".1"); err != nil {
			return fmt.Errorf("rotate: %w", err)
		}
	}
	if f.file == nil {
		file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
		if err != nil {
			return err
		}
		info, err := file.Stat()
		if err != nil {
			file.Close()
			return err
		}
		f.file, f.size = file, info.Size()
	}
	n, err := f.file.Write(data)
	if err == nil {
		f.size += int64(n)
		return nil
	}
	// Take a half-written line back, or it would spoil the next one.
	if truncateErr := f.file.Truncate(f.size); truncateErr != nil {
		f.file.Close()
		f.file = nil
	}
	return err
}

func (f *logFile) close() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}
