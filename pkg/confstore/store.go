package confstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/testudo-os/testudo/pkg/atomicfile"
)

const (
	historyDir  = ".history"
	pendingFile = "pending.json"
	trialFile   = "trial.json"
	appliedFile = "applied"
	// keepEntries is how far back the history goes, and keepBytes what it may
	// take, but for the last leastEntries.
	keepEntries  = 100
	keepBytes    = 16 << 20
	leastEntries = 5
)

// Entry is one state of the machine's files.
type Entry struct {
	ID     int       `json:"id"` // from 1
	Time   time.Time `json:"time"`
	Change string    `json:"change"` // for people: what led to it; no values
	Files  Files     `json:"files"`
}

// Trial is a change that holds only when it is confirmed.
type Trial struct {
	BackTo   int           `json:"back_to"` // entry
	Entry    int           `json:"entry"`   // that is tried
	BootID   string        `json:"boot_id"`
	Deadline time.Duration `json:"deadline"` // on CLOCK_BOOTTIME
}

// Options say where the files are and when we are.
type Options struct {
	Dir    string
	BootID string
	Now    func() time.Time
	Uptime func() time.Duration // CLOCK_BOOTTIME
}

// Store is the files and their history. Its methods may be called at the same
// time.
type Store struct {
	options Options
	mu      sync.Mutex
}

// ErrNone is that there is no such entry, or nothing on trial.
var ErrNone = errors.New("not there")

// Open finishes or takes back what was under way when the last rosd ended, and
// takes in what people wrote by hand. The notes say what was done, for people;
// with an error the store can be used all the same.
func Open(o Options) (*Store, []string, error) {
	s := &Store{options: o}
	s.mu.Lock()
	defer s.mu.Unlock()
	var notes []string
	var errs []error
	if note, err := s.finish(); err != nil {
		errs = append(errs, err)
	} else if note != "" {
		notes = append(notes, note)
	}
	if _, _, err := s.record("changed by hand"); err != nil {
		errs = append(errs, err)
	}
	switch trial, err := s.trial(); {
	case errors.Is(err, ErrNone):
	case err != nil: // damaged: it must not be in the way for ever
		errs = append(errs, err, os.Remove(s.path(trialFile)))
	case trial.BootID != o.BootID || o.Uptime() >= trial.Deadline:
		if _, err := s.goBack(trial); err != nil {
			errs = append(errs, err)
		} else {
			notes = append(notes, fmt.Sprintf("configuration: entry %d was on trial and nobody confirmed it: back to entry %d", trial.Entry, trial.BackTo))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return s, notes, fmt.Errorf("history of the configuration: %w", err)
	}
	return s, notes, nil
}

func (s *Store) path(name string) string { return filepath.Join(s.options.Dir, historyDir, name) }

// finish carries a change out that was noted and perhaps not written.
func (s *Store) finish() (note string, err error) {
	var pending Entry
	if err := readJSON(s.path(pendingFile), &pending); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	} else if err != nil {
		// It was never whole, so nothing was begun.
		return "", errors.Join(err, os.Remove(s.path(pendingFile)))
	}
	if err := s.carryOut(pending); err != nil {
		return "", err
	}
	return "configuration: a change that was cut short is made now: " + pending.Change, nil
}

// Files reads the files as they are.
func (s *Store) Files() (Files, error) { return readFiles(s.options.Dir) }

// Record takes the files as they are into the history, unless its newest entry
// is the same. It gives the newest entry.
func (s *Store) Record(change string) (Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, _, err := s.record(change)
	return e, err
}

func (s *Store) record(change string) (e Entry, fresh bool, err error) {
	files, err := readFiles(s.options.Dir)
	if err != nil {
		return Entry{}, false, err
	}
	last, err := s.newest()
	switch {
	case err == nil && maps.Equal(last.Files, files):
		return last, false, nil
	case errors.Is(err, ErrNone) && len(files) == 0:
		change = "no configuration yet"
	case errors.Is(err, ErrNone):
		change = "as it was found"
	case err != nil:
		return Entry{}, false, err
	}
	e = Entry{ID: last.ID + 1, Time: s.options.Now().UTC(), Change: change, Files: files}
	return e, true, s.keep(e)
}

// Change has edit make new files of those that are there, writes them, and
// gives the entry of the history. An edit that changes nothing is no entry.
func (s *Store) Change(what string, edit func(Files) (Files, error)) (Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, _, err := s.record("changed by hand")
	if err != nil {
		return Entry{}, err
	}
	want, err := edit(maps.Clone(last.Files))
	if err != nil {
		return Entry{}, err
	}
	for name := range want {
		if !IsFile(name) {
			return Entry{}, fmt.Errorf("%s is no file of the configuration: want %s or %s/NAME.yaml", name, MachineFile, DropIns)
		}
	}
	if maps.Equal(want, last.Files) {
		return last, nil
	}
	e := Entry{ID: last.ID + 1, Time: s.options.Now().UTC(), Change: what, Files: want}
	if err := s.begin(e); err != nil {
		return Entry{}, err
	}
	return e, s.carryOut(e)
}

// begin notes what is to be.
func (s *Store) begin(e Entry) error { return s.write(pendingFile, e) }

// carryOut writes the files, then the entry, and forgets the note.
func (s *Store) carryOut(e Entry) error {
	if err := writeFiles(s.options.Dir, e.Files); err != nil {
		return err
	}
	if err := s.keep(e); err != nil {
		return err
	}
	return os.Remove(s.path(pendingFile))
}

// keep writes an entry and drops the oldest beyond those that are kept.
func (s *Store) keep(e Entry) error {
	if err := s.write(fmt.Sprintf("%06d.json", e.ID), e); err != nil {
		return err
	}
	ids, err := s.ids()
	if err != nil {
		return err
	}
	applied, kept, room := s.applied(), 0, int64(keepBytes)
	for _, id := range slices.Backward(ids) {
		path := s.path(fmt.Sprintf("%06d.json", id))
		if info, err := os.Stat(path); err == nil {
			room -= info.Size()
		}
		if kept++; id == applied || kept <= leastEntries || kept <= keepEntries && room >= 0 {
			continue
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) write(name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.path(""), 0o700); err != nil {
		return err
	}
	return atomicfile.Write(s.path(name), append(data, '\n'), 0o600)
}

func readJSON(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// ids are those of the entries, the oldest first.
func (s *Store) ids() ([]int, error) {
	entries, err := os.ReadDir(s.path(""))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var ids []int
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), ".json")
		if id, err := strconv.Atoi(digits); ok && err == nil && id > 0 {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// newest is the last entry that can be read.
func (s *Store) newest() (Entry, error) {
	ids, err := s.ids()
	if err != nil {
		return Entry{}, err
	}
	for _, id := range slices.Backward(ids) {
		if e, err := s.Entry(id); err == nil {
			e.ID = ids[len(ids)-1] // a damaged one keeps its number
			return e, nil
		}
	}
	if len(ids) > 0 {
		return Entry{ID: ids[len(ids)-1]}, nil
	}
	return Entry{}, ErrNone
}

// Entry gives one entry.
func (s *Store) Entry(id int) (Entry, error) {
	var e Entry
	err := readJSON(s.path(fmt.Sprintf("%06d.json", id)), &e)
	if errors.Is(err, fs.ErrNotExist) {
		return e, fmt.Errorf("entry %d: %w", id, ErrNone)
	}
	return e, err
}

// History gives all entries, the oldest first. One that cannot be read says so
// in its Change.
func (s *Store) History() ([]Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids, err := s.ids()
	if err != nil {
		return nil, err
	}
	var out []Entry
	for _, id := range ids {
		e, err := s.Entry(id)
		if err != nil {
			e = Entry{ID: id, Change: "cannot be read: " + err.Error()}
		}
		out = append(out, e)
	}
	return out, nil
}

// Applied is the entry in force, 0 when that is not known.
func (s *Store) Applied() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.applied()
}

func (s *Store) applied() int {
	id := 0
	_ = readJSON(s.path(appliedFile), &id) // what is not there is not known
	return id
}

// SetApplied notes which entry is in force.
func (s *Store) SetApplied(id int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.applied() == id {
		return nil
	}
	return s.write(appliedFile, id)
}
