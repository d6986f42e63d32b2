package debian

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func pkg(name, version string, sum byte) Package {
	return Package{Name: name, Version: version, SHA256: strings.Repeat(string(sum), 64)}
}

func TestALockSurvivesWritingAndReading(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	l, err := ReadLock(path)
	if err != nil {
		t.Fatal(err)
	}
	l.Update([]Package{pkg("b", "1", 'b'), pkg("a", "2:1", 'a')}, false)
	if err := l.Write(path); err != nil {
		t.Fatal(err)
	}
	again, err := ReadLock(path)
	if err != nil || !reflect.DeepEqual(l, again) {
		t.Errorf("wrote %v, read %v and %v", l, again, err)
	}
	if want := "Package: a\nPin: version 2:1\nPin-Priority: 1001\n\nPackage: b\n"; !strings.HasPrefix(again.preferences(), want) {
		t.Errorf("the pins are %q", again.preferences())
	}
}

func TestUpdateTellsWhatChanged(t *testing.T) {
	l, err := parseLock(strings.Join([]string{"same 1", "newer 1", "rebuilt 1", "unused 1"}, " "+strings.Repeat("a", 64)+"\n") + " " + strings.Repeat("a", 64))
	if err != nil {
		t.Fatal(err)
	}
	got := l.Update([]Package{pkg("same", "1", 'a'), pkg("newer", "2", 'b'), pkg("rebuilt", "1", 'c'), pkg("added", "1", 'd')}, true)
	want := []Change{{"added", "", "1"}, {"newer", "1", "2"}, {"rebuilt", "1", "1"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if names := l.names(); !reflect.DeepEqual(names, []string{"added", "newer", "rebuilt", "same"}) {
		t.Errorf("the lock holds %v", names)
	}
}

func TestNoteKeepsWhatIsLocked(t *testing.T) {
	sum := " " + strings.Repeat("a", 64)
	l, err := parseLock("same 1" + sum + "\nnewer 1" + sum)
	if err != nil {
		t.Fatal(err)
	}
	got := l.Note([]Package{pkg("same", "1", 'a'), pkg("newer", "2", 'b'), pkg("newer", "2", 'b'), pkg("added", "1", 'd')})
	if want := []Change{{"added", "", "1"}, {"newer", "1", "2"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if e := l.entries["newer"]; e.version != "1" {
		t.Errorf("newer is locked at %s", e.version)
	}
	if e := l.entries["added"]; e.version != "1" {
		t.Errorf("added is locked at %q", e.version)
	}
}

func TestABrokenLockNamesTheLine(t *testing.T) {
	sum := strings.Repeat("a", 64)
	for text, want := range map[string]string{
		"a 1":                                "1:",
		"# c\na 1 short":                     "2:",
		"a 1 " + sum + "\n\na 2 " + sum + "": "3:",
	} {
		if _, err := parseLock(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want an error at %s", text, err, want)
		}
	}
}

func FuzzLock(f *testing.F) {
	f.Add("a 1 " + strings.Repeat("a", 64))
	f.Fuzz(func(t *testing.T, text string) {
		l, err := parseLock(text)
		if err != nil {
			return
		}
		again, err := parseLock(l.String())
		if err != nil || !reflect.DeepEqual(l, again) {
			t.Errorf("%q: read again: %v, %v", text, again, err)
		}
	})
}
