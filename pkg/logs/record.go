package logs

import (
	"bytes"
	"errors"
	"strconv"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
)

// A record is one line of a segment:
//
//	2026-11-21T11:17:55.123456Z 12.345678 o6 what the service wrote
//
// the wall clock in UTC, CLOCK_BOOTTIME in seconds, the stream (o stdout,
// e stderr, k kernel) with the priority (0 to 7), and the text.
type record struct {
	wall     time.Time
	mono     int64 // microseconds of CLOCK_BOOTTIME
	stream   byte
	priority byte
	text     []byte // valid UTF-8 without a newline
}

const (
	wallLayout = "2006-01-02T15:04:05.000000Z"
	// Beyond this a record is none of ours: a cut line, its stamps, and what
	// replacing bytes that are not UTF-8 adds.
	maxRecord = 4*maxLine + 128
)

// Streams as they are in a record and in the API.
var streams = map[byte]string{'o': api.StreamStdout, 'e': api.StreamStderr, 'k': api.StreamKernel}

// defaultPriority is that of a line that does not say its own.
const defaultPriority = 6

var errRecord = errors.New("not a record")

// stamp is a moment on both clocks.
type stamp struct {
	wall time.Time
	mono int64
}

// append adds the part of a record that is the moment, with the space behind.
func (s stamp) append(to []byte) []byte {
	to = s.wall.UTC().AppendFormat(to, wallLayout)
	to = append(to, ' ')
	to = strconv.AppendInt(to, s.mono/1e6, 10)
	micros := s.mono % 1e6
	to = append(to, '.')
	for digit := int64(1e5); digit > 0; digit /= 10 {
		to = append(to, byte('0'+micros/digit%10))
	}
	return append(to, ' ')
}

// appendRecord adds a record; when is what stamp.append gave.
func appendRecord(to, when []byte, stream, priority byte, text []byte) []byte {
	to = append(to, when...)
	to = append(to, stream, '0'+priority, ' ')
	to = append(to, text...)
	return append(to, '\n')
}

// parseRecord reads a record without its newline. The text is part of line.
func parseRecord(line []byte) (record, error) {
	var r record
	if len(line) < len(wallLayout)+len(" 0.000000 o6 ") || len(line) > maxRecord || line[len(wallLayout)] != ' ' {
		return r, errRecord
	}
	var ok bool
	if r.wall, ok = parseWall(line[:len(wallLayout)]); !ok {
		return r, errRecord
	}
	rest := line[len(wallLayout)+1:]
	space := bytes.IndexByte(rest, ' ')
	if space < 0 {
		return r, errRecord
	}
	if r.mono, ok = parseMono(rest[:space]); !ok {
		return r, errRecord
	}
	rest = rest[space+1:]
	if len(rest) < 3 || streams[rest[0]] == "" || rest[1] < '0' || rest[1] > '7' || rest[2] != ' ' {
		return r, errRecord
	}
	r.stream, r.priority, r.text = rest[0], rest[1]-'0', rest[3:]
	if bytes.IndexByte(r.text, '\n') >= 0 {
		return r, errRecord
	}
	return r, nil
}

func parseWall(b []byte) (time.Time, bool) {
	for i, want := range []byte(wallLayout) {
		switch want {
		case '-', 'T', ':', '.', 'Z':
			if b[i] != want {
				return time.Time{}, false
			}
		default:
			if b[i] < '0' || b[i] > '9' {
				return time.Time{}, false
			}
		}
	}
	number := func(from, to int) (n int) {
		for _, c := range b[from:to] {
			n = n*10 + int(c-'0')
		}
		return n
	}
	year, month, day, hour, minute, second := number(0, 4), number(5, 7), number(8, 10), number(11, 13), number(14, 16), number(17, 19)
	t := time.Date(year, time.Month(month), day, hour, minute, second, number(20, 26)*1000, time.UTC)
	// time.Date carries over what is out of range: 31 April is 1 May.
	if t.Month() != time.Month(month) || t.Day() != day || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	return t, true
}

// parseMono reads seconds with six decimals as microseconds.
func parseMono(b []byte) (int64, bool) {
	dot := len(b) - 7
	if dot < 1 || dot > 12 || b[dot] != '.' {
		return 0, false
	}
	var n int64
	for i, c := range b {
		if i == dot {
			continue
		}
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// line is a record as the API has it.
func (r record) line(service, bootID string) api.LogLine {
	return api.LogLine{
		Time: r.wall, Monotonic: r.mono, BootID: bootID, Service: service,
		Stream: streams[r.stream], Priority: int(r.priority), Line: string(r.text),
	}
}
