package confstore

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// machine is one whose time the test turns.
type machine struct {
	t      *testing.T
	dir    string
	boot   string
	uptime time.Duration
	*Store
}

func newMachine(t *testing.T) *machine {
	m := &machine{t: t, dir: t.TempDir(), boot: "one"}
	m.restart()
	return m
}

// restart is rosd's: of the same boot unless boot was changed.
func (m *machine) restart() []string {
	m.t.Helper()
	s, notes, err := Open(Options{Dir: m.dir, BootID: m.boot, Now: func() time.Time { return time.Unix(1, 0) }, Uptime: func() time.Duration { return m.uptime }})
	if err != nil {
		m.t.Fatal(err)
	}
	m.Store = s
	return notes
}

func (m *machine) write(name, text string) {
	m.t.Helper()
	path := filepath.Join(m.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) has(want Files) {
	m.t.Helper()
	got, err := m.Files()
	if err != nil || !maps.Equal(got, want) {
		m.t.Fatalf("got %q, %v; want %q", got, err, want)
	}
}

func (m *machine) set(text string) Entry {
	m.t.Helper()
	e, err := m.Change("set", func(f Files) (Files, error) { f[MachineFile] = text; return f, nil })
	if err != nil {
		m.t.Fatal(err)
	}
	return e
}

func (m *machine) changes() string {
	m.t.Helper()
	entries, err := m.History()
	if err != nil {
		m.t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Change)
	}
	return strings.Join(all, ", ")
}

func TestEveryChangeIsOneEntry(t *testing.T) {
	m := newMachine(t)
	m.set("a")
	m.set("a") // changes nothing
	m.write("conf.d/x.yaml", "by hand")
	m.set("b") // what was done by hand comes first
	m.has(Files{MachineFile: "b", "conf.d/x.yaml": "by hand"})
	if got := m.changes(); got != "no configuration yet, set, changed by hand, set" {
		t.Errorf("got %s", got)
	}
	if e, err := m.Entry(3); err != nil || e.Files[MachineFile] != "a" || e.Files["conf.d/x.yaml"] != "by hand" {
		t.Errorf("got %+v, %v", e, err)
	}
	if _, err := m.Entry(9); !errors.Is(err, ErrNone) {
		t.Errorf("got %v", err)
	}
	m.restart()
	if got := m.changes(); strings.Count(got, ",") != 3 {
		t.Errorf("a restart made an entry: %s", got)
	}
}

func TestAnEditThatFailsChangesNothing(t *testing.T) {
	m := newMachine(t)
	m.set("a")
	want := errors.New("no")
	if _, err := m.Change("x", func(Files) (Files, error) { return nil, want }); !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
	if _, err := m.Change("x", func(f Files) (Files, error) { f["../evil"] = ""; return f, nil }); err == nil {
		t.Error("a file elsewhere was written")
	}
	m.has(Files{MachineFile: "a"})
}

func TestFilesAndHistoryAreForRootAndModesStay(t *testing.T) {
	m := newMachine(t)
	m.set("a")
	mode := func(name string) os.FileMode {
		info, err := os.Stat(filepath.Join(m.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	if mode(MachineFile) != 0o600 || mode(".history") != 0o700 || mode(".history/000002.json") != 0o600 {
		t.Errorf("modes %o %o %o", mode(MachineFile), mode(".history"), mode(".history/000002.json"))
	}
	m.write("conf.d/x.yaml", "1")
	if _, err := m.Change("x", func(f Files) (Files, error) { f["conf.d/x.yaml"] = "2"; return f, nil }); err != nil {
		t.Fatal(err)
	}
	if mode("conf.d/x.yaml") != 0o640 {
		t.Errorf("the mode that its owner chose is now %o", mode("conf.d/x.yaml"))
	}
}

func TestAChangeOfSeveralFilesIsFinishedAfterAPowerCut(t *testing.T) {
	m := newMachine(t)
	m.set("a")
	want := Files{MachineFile: "b", "conf.d/y.yaml": "c"}
	if err := m.begin(Entry{ID: 3, Change: "rollback", Files: want}); err != nil {
		t.Fatal(err)
	}
	m.write("conf.d/y.yaml", "c") // one of them was written
	if notes := m.restart(); len(notes) != 1 || !strings.Contains(notes[0], "cut short") {
		t.Errorf("notes: %q", notes)
	}
	m.has(want)
	if got := m.changes(); got != "no configuration yet, set, rollback" {
		t.Errorf("got %s", got)
	}
}

func TestTheHistoryIsBoundedAndKeepsWhatIsInForce(t *testing.T) {
	m := newMachine(t)
	first := m.set("first")
	if err := m.SetApplied(first.ID); err != nil {
		t.Fatal(err)
	}
	for i := range keepEntries + 20 {
		m.set(strings.Repeat("x", i+1))
	}
	entries, err := m.History()
	if err != nil || len(entries) != keepEntries+1 || entries[0].ID != first.ID {
		t.Errorf("%d entries, the first %d, %v", len(entries), entries[0].ID, err)
	}
}

func TestTheHistoryOfLargeFilesIsShort(t *testing.T) {
	m := newMachine(t)
	for i := range 12 {
		m.set(strings.Repeat(string(rune('a'+i)), 3<<20))
	}
	entries, err := m.History()
	if err != nil || len(entries) != leastEntries {
		t.Errorf("%d entries, %v", len(entries), err)
	}
}

func TestADamagedEntryStopsNothing(t *testing.T) {
	m := newMachine(t)
	m.set("a")
	m.write(".history/000002.json", "{")
	m.write(".history/applied", "?")
	m.write(".history/trial.json", "{")
	m.write(".history/pending.json", "{")
	if _, _, err := Open(m.options); err == nil {
		t.Error("nobody is told")
	}
	m.restart()
	if e := m.set("b"); e.ID < 3 {
		t.Errorf("entry %d", e.ID)
	}
	m.has(Files{MachineFile: "b"})
	if got := m.changes(); !strings.Contains(got, "cannot be read") {
		t.Errorf("got %s", got)
	}
}

func TestATrial(t *testing.T) {
	for _, tt := range []struct {
		name string
		then func(m *machine)
		want string
	}{
		{"goes back when its time is over and rosd was away", func(m *machine) { m.uptime += 3 * time.Minute; m.restart() }, "old"},
		{"goes back at a reboot, however soon", func(m *machine) { m.boot, m.uptime = "two", 0; m.restart() }, "old"},
		{"goes on when rosd alone restarts", func(m *machine) { m.uptime += time.Minute; m.restart() }, "new"},
		{"goes back when asked", func(m *machine) {
			if _, err := m.GoBack(); err != nil {
				m.t.Fatal(err)
			}
		}, "old"},
		{"stays once confirmed, also through a reboot", func(m *machine) {
			if _, err := m.Confirm(); err != nil {
				m.t.Fatal(err)
			}
			m.boot, m.uptime = "two", time.Hour
			m.restart()
		}, "new"},
		{"takes with it what was written by hand since", func(m *machine) {
			m.write(MachineFile, "by hand")
			m.boot = "two"
			m.restart()
			if !strings.Contains(m.changes(), "changed by hand, back to entry 2") {
				m.t.Errorf("the history lost it: %s", m.changes())
			}
		}, "old"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			old := m.set("old")
			m.set("new")
			if _, err := m.Try(old.ID, 2*time.Minute); err != nil {
				t.Fatal(err)
			}
			if _, err := m.Try(old.ID, time.Minute); err == nil {
				t.Error("two trials at once")
			}
			tt.then(m)
			m.has(Files{MachineFile: tt.want})
			m.restart()
			m.has(Files{MachineFile: tt.want})
		})
	}
}

func TestAConfirmationThatComesTooLateIsNone(t *testing.T) {
	m := newMachine(t)
	old := m.set("old")
	m.set("new")
	if _, err := m.Try(old.ID, time.Minute); err != nil {
		t.Fatal(err)
	}
	m.uptime += time.Minute
	if _, err := m.Confirm(); !errors.Is(err, ErrNone) {
		t.Errorf("got %v", err)
	}
	if _, err := m.Try(99, time.Minute); err == nil {
		t.Error("a trial without anything to go back to")
	}
}
