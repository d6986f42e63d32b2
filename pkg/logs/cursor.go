package logs

import (
	"bufio"
	"bytes"
	"container/heap"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/testudo-os/testudo/pkg/api"
)

// view is a log as it was at one moment. Its files are read later: they only
// grow, or are removed as a whole.
type view struct {
	service  string
	segments []segment
	unstored []byte // records in memory, of this boot
	boot     int
	bootID   string
}

// view gives the log as it is now. From this moment on follower, if there is
// one, gets what comes.
func (s *Store) view(l *log, follower *watcher) view {
	l.disk.Lock()
	defer l.disk.Unlock()
	if follower != nil {
		if l.watchers == nil {
			l.watchers = map[*watcher]struct{}{}
		}
		l.watchers[follower] = struct{}{}
	}
	return view{
		service: l.name, boot: s.boot, bootID: s.opt.BootID,
		segments: append([]segment(nil), l.segments...), unstored: bytes.Clone(l.unstored.records),
	}
}

// cursor walks through the records of a view.
type cursor struct {
	view
	wanted func(record) bool
	part   int   // index in segments; len(segments) is what is in memory
	offset int64 // in the part, behind the last record
	file   *os.File
	lines  *bufio.Reader
	long   []byte // a record that is longer than the reader's buffer

	record record // the present one; its text is valid until the next
}

const cursorBuffer = 8 << 10

// next goes to the next record that is wanted; false at the end.
func (c *cursor) next() (bool, error) {
	for {
		if c.lines == nil {
			if ok, err := c.open(); !ok || err != nil {
				return false, err
			}
		}
		line, err := c.line()
		if errors.Is(err, io.EOF) {
			c.close()
			c.part, c.offset = c.part+1, 0
			continue
		}
		if err != nil {
			return false, fmt.Errorf("logs of %s: %w", c.service, err)
		}
		c.offset += int64(len(line))
		r, err := parseRecord(bytes.TrimSuffix(line, []byte{'\n'}))
		if err != nil || line[len(line)-1] != '\n' || !c.wanted(r) {
			continue // what a power cut has torn is no record
		}
		c.record = r
		return true, nil
	}
}

// open begins the present part, or the next one that is still there.
func (c *cursor) open() (bool, error) {
	for ; c.part < len(c.segments); c.part, c.offset = c.part+1, 0 {
		s := c.segments[c.part]
		if s.size == 0 {
			continue // not begun
		}
		file, err := os.Open(s.path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed since
		}
		if err != nil {
			return false, fmt.Errorf("logs of %s: %w", c.service, err)
		}
		c.file = file
		c.lines = bufio.NewReaderSize(io.NewSectionReader(file, c.offset, s.size-c.offset), cursorBuffer)
		return true, nil
	}
	if c.part == len(c.segments) && c.offset < int64(len(c.unstored)) {
		c.lines = bufio.NewReaderSize(bytes.NewReader(c.unstored[c.offset:]), cursorBuffer)
		return true, nil
	}
	return false, nil
}

// line gives the next line with its newline, or what there is without one.
func (c *cursor) line() ([]byte, error) {
	line, err := c.lines.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return ended(line, err)
	}
	c.long = append(c.long[:0], line...)
	for errors.Is(err, bufio.ErrBufferFull) && len(c.long) <= maxRecord {
		line, err = c.lines.ReadSlice('\n')
		c.long = append(c.long, line...)
	}
	return ended(c.long, err)
}

// ended takes the end of the file for the end of a line; what is too long to be
// a record comes in pieces that are none.
func ended(line []byte, err error) ([]byte, error) {
	if len(line) > 0 && (errors.Is(err, io.EOF) || errors.Is(err, bufio.ErrBufferFull)) {
		return line, nil
	}
	return line, err
}

func (c *cursor) close() {
	if c.file != nil {
		c.file.Close() // it was only read
	}
	c.file, c.lines = nil, nil
}

// at is the boot of the present record.
func (c *cursor) at() (boot int, bootID string) {
	if c.part < len(c.segments) {
		return c.segments[c.part].boot, c.segments[c.part].bootID
	}
	return c.boot, c.bootID
}

// seekLast moves to the n-th last record that is wanted, or to the first.
func (c *cursor) seekLast(n int) error {
	if n <= 0 {
		c.part, c.offset = len(c.segments)+1, 0
		return nil
	}
	for part := len(c.segments); part >= 0; part-- {
		only := cursor{view: c.view, wanted: c.wanted, part: part}
		var begins []int64 // of the records in this part
		for {
			before := only.offset
			ok, err := only.next()
			if err != nil {
				return err
			}
			if !ok || only.part != part {
				break
			}
			// Unwanted records may lie between: before is early enough.
			begins = append(begins, before)
		}
		only.close()
		if len(begins) >= n {
			c.part, c.offset = part, begins[len(begins)-n]
			return nil
		}
		n -= len(begins)
	}
	c.part, c.offset = 0, 0
	return nil
}

// merge holds the cursors of several logs; the one with the oldest record is
// the first.
type merge []*cursor

func (m merge) Len() int      { return len(m) }
func (m merge) Swap(i, j int) { m[i], m[j] = m[j], m[i] }
func (m *merge) Push(x any)   { *m = append(*m, x.(*cursor)) }
func (m *merge) Pop() any {
	last := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return last
}
func (m merge) Less(i, j int) bool {
	a, _ := m[i].at()
	b, _ := m[j].at()
	switch {
	case a != b:
		return a < b
	case m[i].record.mono != m[j].record.mono:
		return m[i].record.mono < m[j].record.mono
	}
	return m[i].service < m[j].service
}

// newMerge begins to walk; the cursors are closed with close.
func newMerge(cursors []*cursor) (*merge, error) {
	m := &merge{}
	for _, c := range cursors {
		ok, err := c.next()
		if err != nil {
			m.close()
			return nil, err
		}
		if ok {
			*m = append(*m, c)
		}
	}
	heap.Init(m)
	return m, nil
}

func (m *merge) close() {
	for _, c := range *m {
		c.close()
	}
}

// first gives the oldest record's cursor; nil at the end.
func (m *merge) first() *cursor {
	if len(*m) == 0 {
		return nil
	}
	return (*m)[0]
}

// advance goes to the next record.
func (m *merge) advance() error {
	ok, err := (*m)[0].next()
	switch {
	case err != nil:
		return err
	case ok:
		heap.Fix(m, 0)
	default:
		heap.Pop(m)
	}
	return nil
}

// entry is the present record as the API has it.
func (c *cursor) entry() api.LogLine {
	_, bootID := c.at()
	return c.record.line(c.service, bootID)
}
