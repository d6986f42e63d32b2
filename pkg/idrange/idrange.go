// Package idrange gives services user and group ids of the machine's that are
// nobody else's, for user namespaces of their own. A service gets the same ones
// each time it asks, over reboots too: the place is found by its name, and what
// was given is kept. rosd imports it.
package idrange

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/testudo-os/testudo/pkg/atomicfile"
)

// The ids given away lie in what systemd's users and groups documentation
// (UIDS-GIDS) sets aside for containers, 524288 to 1879048191, above the
// ranges that useradd and Docker take for subordinate ids by default.
const (
	First = 1 << 28
	Size  = 1 << 16 // of one range
	Slots = 1 << 12
)

// Table is the ranges given away, in a file of JSON. It is safe for concurrent
// use by one process.
type Table struct {
	path string
	mu   sync.Mutex
}

// New takes a file, which need not be there yet.
func New(path string) *Table { return &Table{path: path} }

// Range gives the first id of the range of a name.
func (t *Table) Range(name string) (first uint32, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	slots, err := t.load()
	if err != nil {
		return 0, err
	}
	if slot, known := slots[name]; known {
		return First + slot*Size, nil
	}
	slot, ok := free(slots, name)
	if !ok {
		return 0, fmt.Errorf("all %d ranges of user ids are given away", Slots)
	}
	slots[name] = slot
	return First + slot*Size, t.save(slots)
}

// free finds the slot of a name: by its hash, else the next one that is free.
func free(slots map[string]uint32, name string) (uint32, bool) {
	taken := map[uint32]bool{}
	for _, slot := range slots {
		taken[slot] = true
	}
	hash := fnv.New32a()
	hash.Write([]byte(name))
	start := hash.Sum32() % Slots
	for i := range uint32(Slots) {
		if slot := (start + i) % Slots; !taken[slot] {
			return slot, true
		}
	}
	return 0, false
}

func (t *Table) load() (map[string]uint32, error) {
	slots := map[string]uint32{}
	data, err := os.ReadFile(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return slots, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &slots)
	}
	for name, slot := range slots {
		if slot >= Slots && err == nil {
			err = fmt.Errorf("the slot of %s is %d", name, slot)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("ranges of user ids: %s: %w", t.path, err)
	}
	return slots, nil
}

func (t *Table) save(slots map[string]uint32) error {
	data, err := json.MarshalIndent(slots, "", "  ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(t.path), 0o755)
	}
	if err == nil {
		err = atomicfile.Write(t.path, append(data, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("ranges of user ids: %w", err)
	}
	return nil
}
