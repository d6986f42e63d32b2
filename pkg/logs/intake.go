package logs

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	readSize = 64 << 10 // of one read: what a pipe holds
	// What may wait in memory for the writer: of one service, and of all.
	waitingLimit    = 256 << 10
	waitingLimitAll = 4 << 20
)

// log is one service's.
type log struct {
	name    string
	dir     string
	fifos   []*os.File
	readers sync.WaitGroup

	limit atomic.Pointer[Limit] // in full; see Store.limit

	mu      sync.Mutex // the readers' part; never held while writing
	pending []byte     // records that the writer has not taken yet
	bucket  bucket
	dropped int    // lines since this was last said
	why     string // of the last one dropped

	disk     sync.Mutex // the writer's part
	segments []segment  // oldest first
	file     *os.File   // the last segment, if it is open
	unsynced bool       // file holds what may not be on the disk
	unstored ring       // what could not be written
	watchers map[*watcher]struct{}
	said     time.Time // when dropped lines were last told
}

// bound sets what is kept of the log, and with it how fast it may grow.
func (l *log) bound(limit Limit, rate Rate) {
	l.limit.Store(&limit)
	if rate == (Rate{}) {
		rate = limit.rate()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bucket.rate = rate
	l.bucket.level = min(l.bucket.level, rate.Burst)
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

// buffers are only held while there is something to read: most services are
// silent most of the time.
var buffers = sync.Pool{New: func() any { return new([readSize]byte) }}

// read takes one stream apart until the FIFO is closed.
func (s *Store) read(l *log, stream byte, fifo *os.File) {
	raw, err := fifo.SyscallConn()
	if err != nil {
		return // closed already
	}
	var split splitter
	for {
		var buffer *[readSize]byte
		var n int
		var readErr error
		err := raw.Read(func(fd uintptr) bool {
			buffer = buffers.Get().(*[readSize]byte)
			n, readErr = unix.Read(int(fd), buffer[:])
			if errors.Is(readErr, unix.EAGAIN) {
				buffers.Put(buffer)
				return false // and wait until there is something
			}
			return true
		})
		if err != nil || readErr != nil && !errors.Is(readErr, unix.EINTR) {
			break
		}
		s.take(l, stream, &split, buffer[:max(n, 0)])
		buffers.Put(buffer)
	}
	if rest := split.rest(); len(rest) > 0 {
		s.add(l, s.now(), stream, [][]byte{rest})
	}
}

// take stamps the lines in data and leaves them to the writer.
func (s *Store) take(l *log, stream byte, split *splitter, data []byte) {
	now := s.now()
	l.mu.Lock()
	if l.bucket.fill(now.wall); l.bucket.level <= 0 {
		// A flood: the lines are counted at the speed of memory.
		l.drop(split.leaveOut(data), l.bucket.rate.String())
		l.mu.Unlock()
		s.wake()
		return
	}
	before := len(l.pending)
	when := now.append(make([]byte, 0, 48))
	split.add(data, func(line []byte) {
		priority, text := ownPriority(line)
		s.keep(l, when, stream, priority, text)
	})
	after := len(l.pending)
	l.mu.Unlock()
	s.waiting.Add(int64(after - before))
	s.wake()
}

// add leaves whole lines to the writer.
func (s *Store) add(l *log, now stamp, stream byte, lines [][]byte) {
	for _, line := range lines {
		priority, text := ownPriority(line)
		s.addWith(l, now, stream, priority, text)
	}
}

// addWith leaves one line to the writer.
func (s *Store) addWith(l *log, at stamp, stream, priority byte, text []byte) {
	l.mu.Lock()
	l.bucket.fill(time.Now())
	before := len(l.pending)
	s.keep(l, at.append(make([]byte, 0, 48)), stream, priority, text)
	after := len(l.pending)
	l.mu.Unlock()
	s.waiting.Add(int64(after - before))
	s.wake()
}

// keep puts one line behind those that wait; l.mu is held.
func (s *Store) keep(l *log, when []byte, stream, priority byte, text []byte) {
	switch {
	case len(l.pending) > waitingLimit || s.waiting.Load() > waitingLimitAll:
		l.drop(1, "the disk was too slow")
	case !l.bucket.take(len(when) + len(text)):
		l.drop(1, l.bucket.rate.String())
	default:
		l.pending = appendRecord(l.pending, when, stream, priority, text)
	}
}

func (l *log) drop(lines int, why string) {
	l.dropped += lines
	l.why = why
}

// wake tells the writer that there is something to do.
func (s *Store) wake() {
	select {
	case s.dirty <- struct{}{}:
	default:
	}
}

// Rate is how much a service may write in the long run: Bytes a second, and
// Burst at once.
type Rate struct{ Bytes, Burst int64 }

// rate is what fits the limits: a service in a loop takes a minute to turn its
// log over, so that what was said before, and how much was dropped, can be read.
func (l Limit) rate() Rate { return Rate{Bytes: l.Size / 64, Burst: l.Size / 8} }

func (r Rate) String() string {
	return fmt.Sprintf("it wrote more than %d KiB/s", r.Bytes>>10)
}

// bucket holds what a service may still write.
type bucket struct {
	rate  Rate
	level int64
	since time.Time
}

// fill adds what the time since the last call allows.
func (b *bucket) fill(now time.Time) {
	if passed := now.Sub(b.since); b.since.IsZero() || passed < 0 || passed > time.Minute {
		b.level = b.rate.Burst // also when the clock was set
	} else {
		b.level = min(b.level+int64(passed.Seconds()*float64(b.rate.Bytes)), b.rate.Burst)
	}
	b.since = now
}

func (b *bucket) take(n int) bool {
	if b.level <= 0 {
		return false
	}
	b.level -= int64(n)
	return true
}
