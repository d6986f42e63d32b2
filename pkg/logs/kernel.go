package logs

import (
	"github.com/testudo-os/testudo/pkg/api"

	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// kernelRecord is one record of /dev/kmsg (Documentation/ABI/testing/dev-kmsg).
type kernelRecord struct {
	priority byte
	sequence uint64
	mono     int64 // microseconds
	text     []byte
}

// maxKernelRecord is more than one read of /dev/kmsg can give.
const maxKernelRecord = 8 << 10

// parseKernelRecord reads "PRIORITY,SEQUENCE,MICROSECONDS,FLAGS;TEXT" and
// leaves out the lines KEY=VALUE behind it. The text is a part of data.
func parseKernelRecord(data []byte) (kernelRecord, error) {
	var r kernelRecord
	head, text, ok := bytes.Cut(data, []byte{';'})
	fields := bytes.SplitN(head, []byte{','}, 4)
	if !ok || len(fields) < 3 {
		return r, errRecord
	}
	facility, err := strconv.ParseUint(string(fields[0]), 10, 32)
	if err != nil {
		return r, errRecord
	}
	if r.sequence, err = strconv.ParseUint(string(fields[1]), 10, 64); err != nil {
		return r, errRecord
	}
	if r.mono, err = strconv.ParseInt(string(fields[2]), 10, 64); err != nil || r.mono < 0 {
		return r, errRecord
	}
	r.priority = byte(facility & 7)
	text, _, _ = bytes.Cut(text, []byte{'\n'})
	r.text = clean(text)
	return r, nil
}

// Kernel reads the kernel's log into the store until the store is closed. What
// an earlier rosd of this boot has stored is not stored again.
func (s *Store) Kernel(device string) error {
	file, err := os.OpenFile(device, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("logs of the kernel: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return file.Close()
	}
	l := s.log(api.KernelLog)
	last, err := s.lastOfBoot(l)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	l.fifos = append(l.fifos, file)
	l.readers.Go(func() { s.readKernel(l, file, last) })
	return nil
}

// lastOfBoot is the last record of this boot that is stored; nil: none is.
func (s *Store) lastOfBoot(l *log) (*record, error) {
	c := cursor{view: s.view(l, nil), wanted: func(record) bool { return true }}
	if err := c.seekLast(1); err != nil {
		return nil, err
	}
	defer c.close()
	ok, err := c.next()
	if boot, _ := c.at(); err != nil || !ok || boot != s.boot {
		return nil, err
	}
	last := c.record
	last.text = bytes.Clone(last.text)
	return &last, nil
}

func (s *Store) readKernel(l *log, file *os.File, last *record) {
	buffer := make([]byte, maxKernelRecord)
	var next uint64 // the sequence number to come
	var held [][]byte
	catchingUp := last != nil
	for {
		n, err := readOne(file, buffer, catchingUp)
		switch {
		case errors.Is(err, unix.EPIPE):
			continue // the oldest were overwritten: the numbers tell how many
		case errors.Is(err, unix.EAGAIN):
			// All that is there has been seen, and the last one stored is not
			// among it: what is younger is new.
			catchingUp = false
			for _, data := range held {
				if r, err := parseKernelRecord(data); err == nil && r.mono > last.mono {
					s.addKernel(l, r, &next)
				}
			}
			held = nil
			continue
		case err != nil:
			return
		}
		r, err := parseKernelRecord(buffer[:n])
		switch {
		case err != nil:
			continue
		case !catchingUp:
			s.addKernel(l, r, &next)
		case r.mono == last.mono && r.priority == last.priority && bytes.Equal(r.text, last.text):
			// What follows is new. An equal record behind this one is stored
			// a second time: that beats losing one.
			catchingUp, held, next = false, nil, r.sequence+1
		default:
			held = append(held, bytes.Clone(buffer[:n]))
		}
	}
}

// readOne reads one record; with now it gives EAGAIN when there is none.
func readOne(file *os.File, buffer []byte, now bool) (int, error) {
	raw, err := file.SyscallConn()
	if err != nil {
		return 0, err
	}
	var n int
	var readErr error
	err = raw.Read(func(fd uintptr) bool {
		n, readErr = unix.Read(int(fd), buffer)
		return now || !errors.Is(readErr, unix.EAGAIN)
	})
	if err == nil {
		err = readErr
	}
	if err == nil && n == 0 {
		err = os.ErrClosed // a kernel log has no end
	}
	return n, err
}

// addKernel stores a record under the time at which the kernel logged it.
func (s *Store) addKernel(l *log, r kernelRecord, next *uint64) {
	now := s.now()
	at := stamp{wall: now.wall.Add(-time.Duration(now.mono-r.mono) * time.Microsecond), mono: r.mono}
	if *next != 0 && r.sequence > *next {
		s.addWith(l, at, 'k', 4, fmt.Appendf(nil, "rosd: %d kernel lines before this one were overwritten before they could be read", r.sequence-*next))
	}
	*next = r.sequence + 1
	s.addWith(l, at, 'k', r.priority, r.text)
}
