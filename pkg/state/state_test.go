package state

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMachineID(t *testing.T) {
	const made = "2a2a2a2a2a2a4a2aaa2a2a2a2a2a2a2a"
	const kept = "0123456789abcdef0123456789abcdef"
	tests := []struct{ name, before, want string }{
		{"the id that is there is kept", kept + "\n", kept},
		{"without one an id is made", "", made},
		{"what is no id is replaced", "uninitialized\n", made},
		{"zeros are no id", strings.Repeat("0", 32), made},
		{"an id in capitals is none", strings.ToUpper(kept), made},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "machine-id")
			if tt.before != "" {
				if err := os.WriteFile(file, []byte(tt.before), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 { // the second time it is there
				got, err := MachineID(file, func(b []byte) error { copy(b, bytes.Repeat([]byte{42}, 16)); return nil })
				if err != nil || got != tt.want {
					t.Fatalf("got %q, %v, want %q", got, err, tt.want)
				}
			}
		})
	}
}

func TestAnIDThatCannotBeKeptIsGivenWithTheError(t *testing.T) {
	id, err := MachineID(filepath.Join(t.TempDir(), "nonesuch", "machine-id"), func(b []byte) error { return nil })
	if len(id) != 32 || err == nil {
		t.Fatalf("got %q, %v", id, err)
	}
}

// rng is a generator that remembers.
type rng struct {
	mixed, credited []byte
	cold            bool
	file            string // looked at when something is credited
	atCredit        []byte
}

func (r *rng) Mix(b []byte) error { r.mixed = bytes.Clone(b); return nil }
func (r *rng) Credit(b []byte) error {
	r.credited = bytes.Clone(b)
	var err error
	r.atCredit, err = os.ReadFile(r.file)
	return err
}
func (r *rng) Read(b []byte) (bool, error) {
	copy(b, bytes.Repeat([]byte{'n'}, len(b)))
	return !r.cold, nil
}

func TestRotateSeed(t *testing.T) {
	good := append(bytes.Repeat([]byte{'o'}, seedSize), seedGood)
	poor := append(bytes.Repeat([]byte{'o'}, seedSize), 0)
	tests := []struct {
		name     string
		old      []byte
		cold     bool
		credited bool
	}{
		{"a good seed counts", good, false, true},
		{"a good seed counts for a cold generator most of all", good, true, true},
		{"a seed from a cold generator is only mixed in", poor, false, false},
		{"a cut seed is only mixed in", good[:100], false, false},
		{"no seed is no error", nil, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "seed")
			if tt.old != nil {
				if err := os.WriteFile(file, tt.old, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			r := &rng{cold: tt.cold, file: file}
			if err := RotateSeed(file, r); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(r.mixed, tt.old) {
				t.Errorf("mixed in %d bytes, want %d", len(r.mixed), len(tt.old))
			}
			if (r.credited != nil) != tt.credited {
				t.Errorf("credited: %v", r.credited != nil)
			}
			if tt.credited && r.atCredit[0] != 'n' {
				t.Error("the seed counted before it was replaced: it could count twice")
			}
			now, err := os.ReadFile(file)
			if err != nil || len(now) != seedSize+1 || now[0] != 'n' || (now[seedSize] == seedGood) == tt.cold {
				t.Errorf("the new seed: %d bytes, %v", len(now), err)
			}
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the seed's mode: %v, %v", info.Mode(), err)
			}
		})
	}
}

func TestASeedThatCannotBeReplacedDoesNotCount(t *testing.T) {
	// A folder in the file's place: reading fails, and so does replacing.
	dir := t.TempDir()
	r := &rng{}
	if err := RotateSeed(dir, r); err == nil || r.credited != nil {
		t.Fatalf("got %v, credited %v", err, r.credited != nil)
	}
}

func TestWriteSafelyLeavesNoRemains(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	for _, text := range []string{"old", "new"} {
		if err := WriteSafely(file, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "new" {
		t.Fatalf("got %q, %v", b, err)
	}
	// A folder cannot be replaced by a file.
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := WriteSafely(filepath.Join(dir, "d"), nil, 0o600); err == nil {
		t.Fatal("a folder was replaced")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Fatalf("left in the folder: %v, %v", entries, err)
	}
}

func TestTheTableOfBinds(t *testing.T) {
	for _, mode := range []string{ModeDisk, ModeRAM, ModeReadOnly} {
		seen := map[string]bool{}
		for _, b := range Binds(mode) {
			if seen[b.To] || seen[b.From] {
				t.Errorf("%s: %s or %s is twice in the table", mode, b.From, b.To)
			}
			seen[b.To], seen[b.From] = true, true
			if onOverlay := strings.HasPrefix(b.From, "/state/"); b.To == "/var/lib/docker" && onOverlay == (mode == ModeReadOnly) {
				t.Errorf("%s: Docker's data lies in %s", mode, b.From)
			}
			if b.Mode&0o022 != 0 {
				t.Errorf("%s: %s is writable for others", mode, b.To)
			}
		}
		for _, secret := range []string{"/root"} {
			for _, b := range Binds(mode) {
				if b.To == secret && b.Mode != 0o700 {
					t.Errorf("%s has mode %v", secret, b.Mode)
				}
			}
		}
	}
}

func TestFoldersAreMadeWithTheirModes(t *testing.T) {
	root := t.TempDir()
	inRAM, lasting := Folders()
	all := append(inRAM, lasting...)
	// What binds provide in a machine is a folder here.
	if err := Make(root, []Folder{{Path: "/run", Mode: 0o755}, {Path: "/var", Mode: 0o755}}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // again is no error
		if err := Make(root, all); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range all {
		info, err := os.Lstat(filepath.Join(root, f.Path))
		if err != nil {
			t.Fatal(err)
		}
		if f.Link != "" {
			if to, err := os.Readlink(filepath.Join(root, f.Path)); err != nil || to != f.Link {
				t.Errorf("%s leads to %q, %v", f.Path, to, err)
			}
			continue
		}
		if got := info.Mode() &^ os.ModeDir; got != f.Mode {
			t.Errorf("%s has mode %v, want %v", f.Path, got, f.Mode)
		}
	}
}

func TestAFolderKeepsTheModeItHas(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := MakeDir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := MakeDir(file, 0o755); !errors.Is(err, os.ErrExist) {
		t.Fatalf("a file in the way: %v", err)
	}
}
