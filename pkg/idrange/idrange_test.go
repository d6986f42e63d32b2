package idrange

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestARangeIsKeptAndNobodyElses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dir", "ids.json")
	given := map[uint32]string{}
	first := map[string]uint32{}
	for i := range 300 { // more than a few of them meet at one slot
		name := fmt.Sprint("service", i)
		id, err := New(path).Range(name)
		if err != nil {
			t.Fatal(err)
		}
		if other := given[id]; other != "" || (id-First)%Size != 0 || id < First || id >= First+Slots*Size {
			t.Fatalf("%s got %d, which is %q's", name, id, other)
		}
		given[id], first[name] = name, id
	}
	table := New(path)
	for name, want := range first {
		if id, err := table.Range(name); err != nil || id != want {
			t.Fatalf("%s had %d and has %d (%v)", name, want, id, err)
		}
	}
}

func TestWithoutATableANameHasTheSameRangeOnEachMachine(t *testing.T) {
	a, errA := New(filepath.Join(t.TempDir(), "a")).Range("web")
	b, errB := New(filepath.Join(t.TempDir(), "b")).Range("web")
	if a != b || errA != nil || errB != nil {
		t.Errorf("%d and %d (%v, %v)", a, b, errA, errB)
	}
}

func TestWhenAllAreGivenAwayItSaysSo(t *testing.T) {
	slots := map[string]uint32{}
	for i := range uint32(Slots) {
		slots[fmt.Sprint(i)] = i
	}
	if slot, ok := free(slots, "one more"); ok {
		t.Errorf("there is still %d", slot)
	}
	delete(slots, "77")
	if slot, ok := free(slots, "one more"); !ok || slot != 77 {
		t.Errorf("got %d %v, want the one that is left", slot, ok)
	}
}

func TestATableThatCannotBeReadGivesNothingAway(t *testing.T) {
	for _, text := range []string{"{", `{"a": -1}`, `{"a": 4096}`} {
		path := filepath.Join(t.TempDir(), "ids.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if id, err := New(path).Range("a"); err == nil {
			t.Errorf("%s gave %d", text, id)
		}
	}
}
