package logs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	retryAfter = time.Second      // a write that failed
	sayAfter   = 10 * time.Second // lines that are dropped again and again
	ageAfter   = time.Hour        // looking for segments that are too old
)

// write is the writer's life: the one goroutine that changes files.
func (s *Store) write() {
	defer close(s.done)
	w := writer{store: s, timer: time.NewTimer(0)}
	defer w.timer.Stop()
	for {
		select {
		case <-s.dirty:
		case <-w.timer.C:
		case <-w.synced:
			w.synced = nil
		case <-s.stop:
			w.finish()
			return
		}
		w.pass(time.Now())
	}
}

type writer struct {
	store   *Store
	timer   *time.Timer
	due     time.Time     // when the timer fires
	retired []*os.File    // full segments, to be synced and closed
	synced  chan struct{} // closed when the sync on the way is done; nil: none is
	syncDue time.Time     // zero: all is on the disk
	checked time.Time     // when the limits were last looked at
	filled  bool          // a segment was, since then
}

// pass writes what waits, and does what is due.
func (w *writer) pass(now time.Time) {
	w.due = now.Add(ageAfter)
	grown := false
	for _, l := range w.store.all() {
		wrote := w.one(l, now, false)
		grown = grown || wrote
	}
	if grown {
		w.store.tellGrown()
	}
	if w.filled || now.Sub(w.checked) >= ageAfter {
		w.retain(now)
	}
	w.sync(now)
	w.timer.Reset(time.Until(w.due))
}

func (w *writer) wakeAt(t time.Time) {
	if t.Before(w.due) {
		w.due = t
	}
}

// one writes what waits of one log; last says that there is no later time.
func (w *writer) one(l *log, now time.Time, last bool) (wrote bool) {
	l.mu.Lock()
	records := l.pending
	l.pending = nil
	dropped, why := l.dropped, l.why
	say := dropped > 0 && (last || now.Sub(l.said) >= sayAfter)
	if say {
		l.dropped = 0
	}
	l.mu.Unlock()
	w.store.waiting.Add(-int64(len(records)))
	if say {
		l.said = now
		when := w.store.now().append(nil)
		records = appendRecord(records, when, 'e', 4, fmt.Appendf(nil, "rosd: %d lines were dropped: %s", dropped, why))
	} else if dropped > 0 {
		w.wakeAt(l.said.Add(sayAfter))
	}
	if len(records) == 0 && l.unstored.empty() {
		return false
	}
	l.disk.Lock()
	defer l.disk.Unlock()
	l.offer(records, w.store.opt.BootID)
	fresh := records
	if !l.unstored.empty() {
		records = l.unstored.with(w.store.now(), records)
	}
	rest, err := w.append(l, records)
	if err != nil {
		l.unstored.keep(rest, fresh, len(records) == len(rest), err)
		w.wakeAt(now.Add(retryAfter))
	} else {
		l.unstored = ring{}
	}
	return len(rest) < len(records)
}

// append writes whole records to a log's last segment, or the next ones. It
// gives what was not written; l.disk is held.
func (w *writer) append(l *log, records []byte) (rest []byte, err error) {
	opt := w.store.opt
	size := l.limit.Load().segmentSize()
	for len(records) > 0 {
		if l.file == nil {
			if err := w.openLast(l); err != nil {
				return records, err
			}
		}
		current := &l.segments[len(l.segments)-1]
		n := fit(records, size-current.size)
		if n == 0 && current.size > 0 {
			w.retired = append(w.retired, l.file)
			l.file, w.filled = nil, true
			l.segments = append(l.segments, newSegment(l.dir, w.store.boot, current.number+1, opt.BootID))
			continue
		} else if n == 0 {
			n = bytes.IndexByte(records, '\n') + 1
		}
		if _, err := l.file.Write(records[:n]); err != nil {
			// Take a half-written record back, or it would spoil the next one.
			if truncateErr := l.file.Truncate(current.size); truncateErr != nil {
				w.retired = append(w.retired, l.file)
				l.file = nil // opening repairs it
			}
			return records, err
		}
		current.size += int64(n)
		current.last = time.Now()
		l.unsynced = true
		records = records[n:]
	}
	return nil, nil
}

// fit is the length of the whole records at the beginning that fit room.
func fit(records []byte, room int64) int {
	if int64(len(records)) <= room {
		return len(records)
	}
	return bytes.LastIndexByte(records[:max(room, 0)], '\n') + 1
}

// openLast opens the segment to append to: the last one of this boot, which an
// earlier rosd may have begun, or a new one.
func (w *writer) openLast(l *log) error {
	boot, bootID := w.store.boot, w.store.opt.BootID
	if len(l.segments) == 0 || l.segments[len(l.segments)-1].boot != boot {
		l.segments = append(l.segments, newSegment(l.dir, boot, 1, bootID))
	}
	if err := os.MkdirAll(l.dir, 0o750); err != nil {
		return err
	}
	file, err := openSegment(&l.segments[len(l.segments)-1])
	if err != nil {
		return err
	}
	l.file = file
	return syncDir(l.dir)
}

// retain removes the segments that are beyond the limits.
func (w *writer) retain(now time.Time) {
	w.checked, w.filled = now, false
	all := map[string][]segment{}
	logs := map[string]*log{}
	for _, l := range w.store.all() {
		all[l.name], logs[l.name] = l.segments, l // only this goroutine changes them
	}
	of := func(name string) Limit { return *logs[name].limit.Load() }
	for name, n := range surplus(all, w.store.opt.Limits.Total, of, now) {
		if n > 0 {
			w.remove(logs[name], n)
		}
	}
}

func (w *writer) remove(l *log, n int) {
	l.disk.Lock()
	defer l.disk.Unlock()
	for _, s := range l.segments[:n] {
		// One that cannot be removed is found again by the next rosd.
		_ = os.Remove(s.path)
	}
	if n == len(l.segments) && l.file != nil {
		w.retired = append(w.retired, l.file)
		l.file = nil
	}
	next := l.segments[n-1].number + 1
	boot := l.segments[n-1].boot
	l.segments = append([]segment(nil), l.segments[n:]...)
	if len(l.segments) == 0 && boot == w.store.boot {
		// A name is not used twice: readers know where they are by it.
		l.segments = append(l.segments, newSegment(l.dir, boot, next, w.store.opt.BootID))
	}
	if len(l.segments) == 0 {
		_ = os.Remove(l.dir) // of a service that is no more; not when it has other files
	}
}

// sync begins to bring what was written to the disk when that is due. Writing
// goes on meanwhile: a slow disk must not hold up the lines.
func (w *writer) sync(now time.Time) {
	if w.synced != nil {
		return // its end wakes us
	}
	var files []*os.File
	for _, l := range w.store.all() {
		if l.unsynced && l.file != nil {
			files = append(files, l.file)
		}
	}
	if len(files)+len(w.retired) == 0 {
		w.syncDue = time.Time{}
		return
	}
	if w.syncDue.IsZero() {
		w.syncDue = now.Add(w.store.opt.Sync)
	}
	if now.Before(w.syncDue) {
		w.wakeAt(w.syncDue)
		return
	}
	for _, l := range w.store.all() {
		l.unsynced = false
	}
	retired := w.retired
	w.retired, w.syncDue = nil, time.Time{}
	done := make(chan struct{})
	w.synced = done
	go func() {
		defer close(done)
		syncFiles(files, retired)
	}()
}

// syncFiles brings files to the disk and closes those that are done with. An
// error has no consequence here: the next write meets it too, and keeps its
// lines in memory.
func syncFiles(files, retired []*os.File) {
	for _, f := range append(files, retired...) {
		_ = fdatasync(f)
	}
	for _, f := range retired {
		_ = f.Close()
	}
}

func fdatasync(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var syncErr error
	if err := raw.Control(func(fd uintptr) { syncErr = unix.Fdatasync(int(fd)) }); err != nil {
		return err
	}
	return syncErr
}

// finish writes and syncs everything for the last time.
func (w *writer) finish() {
	if w.synced != nil {
		<-w.synced
	}
	var files []*os.File
	for _, l := range w.store.all() {
		w.one(l, time.Now(), true)
		if l.file != nil {
			files = append(files, l.file)
			l.file = nil
		}
	}
	syncFiles(nil, append(files, w.retired...))
	w.store.tellGrown()
}

// ring holds the last records that could not be written, in order.
type ring struct {
	records []byte
	lost    int   // older ones that are gone
	reason  error // why
}

// unstoredLimit is how many bytes of a log stay in memory while they cannot be
// written.
const unstoredLimit = 64 << 10

func (r *ring) empty() bool { return len(r.records) == 0 && r.lost == 0 }

// with gives what there is to write now: what was lost, what waited, and more.
func (r *ring) with(now stamp, more []byte) []byte {
	var out []byte
	if r.lost > 0 {
		text := fmt.Appendf(nil, "rosd: %d lines before this one could not be stored: %v", r.lost, r.reason)
		out = appendRecord(out, r.first(now), 'e', 4, text)
	}
	out = append(out, r.records...)
	return append(out, more...)
}

// first is the moment of the first record that waits, as in a record.
func (r *ring) first(now stamp) []byte {
	line, _, _ := bytes.Cut(r.records, []byte{'\n'})
	if first, err := parseRecord(line); err == nil {
		now = stamp{wall: first.wall, mono: first.mono}
	}
	return now.append(nil)
}

// keep takes in what is left of a write that failed. When none of it was
// written, what was lost before is still to be told.
func (r *ring) keep(rest, fresh []byte, none bool, reason error) {
	r.reason = cause(reason)
	if none {
		r.records = append(r.records, fresh...)
	} else {
		r.records, r.lost = append([]byte(nil), rest...), 0
	}
	if over := len(r.records) - unstoredLimit; over > 0 {
		cut := over + bytes.IndexByte(r.records[over:], '\n') + 1
		r.lost += bytes.Count(r.records[:cut], []byte{'\n'})
		r.records = append([]byte(nil), r.records[cut:]...)
	}
}

// cause is an error without the path, which the log's reader knows.
func cause(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return fmt.Errorf("%s: %w", pathErr.Op, pathErr.Err)
	}
	return err
}
