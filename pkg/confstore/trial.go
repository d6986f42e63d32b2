package confstore

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"time"
)

// Try notes that the newest entry holds only if it is confirmed before length
// is over, and otherwise the entry backTo does. It is written before anything
// of the change is put in force.
func (s *Store) Try(backTo int, length time.Duration) (Trial, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.trial(); !errors.Is(err, ErrNone) {
		return Trial{}, errors.Join(errors.New("a change is on trial already: `ros config confirm` keeps it, `ros config rollback` takes it back"), err)
	}
	if _, err := s.Entry(backTo); err != nil {
		return Trial{}, fmt.Errorf("nothing to go back to: %w", err)
	}
	last, err := s.newest()
	if err != nil {
		return Trial{}, err
	}
	t := Trial{BackTo: backTo, Entry: last.ID, BootID: s.options.BootID, Deadline: s.options.Uptime() + length}
	return t, s.write(trialFile, t)
}

// Trial gives what is on trial, or ErrNone.
func (s *Store) Trial() (Trial, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trial()
}

func (s *Store) trial() (t Trial, err error) {
	err = readJSON(s.path(trialFile), &t)
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrNone
	}
	return t, err
}

// Confirm keeps what is on trial.
func (s *Store) Confirm() (Trial, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.trial()
	if err != nil {
		return t, err
	}
	if s.options.Uptime() >= t.Deadline || t.BootID != s.options.BootID {
		return t, fmt.Errorf("the time is over: %w", ErrNone)
	}
	return t, os.Remove(s.path(trialFile))
}

// GoBack takes back what is on trial and gives the entry that this makes.
func (s *Store) GoBack() (Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.trial()
	if err != nil {
		return Entry{}, err
	}
	return s.goBack(t)
}

func (s *Store) goBack(t Trial) (Entry, error) {
	to, err := s.Entry(t.BackTo)
	if err != nil {
		return Entry{}, fmt.Errorf("go back: %w", err)
	}
	last, _, err := s.record("changed by hand")
	if err != nil {
		return Entry{}, err
	}
	e := last
	if !maps.Equal(last.Files, to.Files) {
		e = Entry{ID: last.ID + 1, Time: s.options.Now().UTC(), Change: fmt.Sprintf("back to entry %d: entry %d was not confirmed", t.BackTo, t.Entry), Files: to.Files}
		err := s.begin(e)
		if err == nil {
			err = s.carryOut(e)
		}
		if err != nil {
			// A full disk keeps no history, and has room for a file that was there.
			if files := writeFiles(s.options.Dir, to.Files); files != nil {
				return Entry{}, errors.Join(err, files)
			}
		}
	}
	return e, os.Remove(s.path(trialFile))
}
