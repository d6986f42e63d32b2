package logs

import (
	"bytes"
	"unicode/utf8"
)

const maxLine = 16384 // longer lines are cut into several

// splitter makes lines of what is read.
type splitter struct {
	partial []byte // the begun line
	skip    bool   // the begun line is one to leave out
}

// add calls line for each line that data completes. What it gets is valid until
// it returns.
func (s *splitter) add(data []byte, line func([]byte)) {
	for {
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			break
		}
		switch {
		case s.skip:
			s.skip = false
		case len(s.partial) > 0:
			line(clean(append(s.partial, data[:i]...)))
			s.partial = s.partial[:0]
		default:
			line(clean(data[:i]))
		}
		data = data[i+1:]
	}
	if s.skip {
		return
	}
	s.partial = append(s.partial, data...)
	for len(s.partial) >= maxLine {
		cut := wholeRunes(s.partial[:maxLine])
		line(clean(s.partial[:cut]))
		s.partial = append(s.partial[:0], s.partial[cut:]...)
	}
	if len(s.partial) == 0 {
		s.partial = nil // most services rest at the end of a line
	}
}

// leaveOut counts the lines in data without making them.
func (s *splitter) leaveOut(data []byte) (lines int) {
	last := bytes.LastIndexByte(data, '\n')
	if last < 0 {
		s.partial, s.skip = nil, true
		return 0
	}
	lines = bytes.Count(data, []byte{'\n'})
	s.partial, s.skip = nil, last < len(data)-1
	return lines
}

// rest gives the begun line.
func (s *splitter) rest() []byte {
	text := clean(s.partial)
	s.partial = nil
	return text
}

// wholeRunes is the length of data without a rune that is cut at its end.
func wholeRunes(data []byte) int {
	for back := 1; back < utf8.UTFMax && back < len(data); back++ {
		if at := len(data) - back; utf8.RuneStart(data[at]) {
			if !utf8.FullRune(data[at:]) {
				return at
			}
			break
		}
	}
	return len(data)
}

// clean drops the carriage return that terminals add and makes the text valid
// UTF-8, which JSON needs.
func clean(line []byte) []byte {
	line = bytes.TrimSuffix(line, []byte{'\r'})
	if utf8.Valid(line) {
		return line
	}
	return bytes.ToValidUTF8(line, []byte("\uFFFD"))
}

// ownPriority takes the prefix `<N>` of sd-daemon(3) off a line.
func ownPriority(line []byte) (priority byte, text []byte) {
	if len(line) >= 3 && line[0] == '<' && line[1] >= '0' && line[1] <= '7' && line[2] == '>' {
		return line[1] - '0', line[3:]
	}
	return defaultPriority, line
}
