package upgrade

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/testudo-os/testudo/pkg/atomicfile"
	"github.com/testudo-os/testudo/pkg/service"
)

// Pin says which image a service runs instead of the one its file names. It
// holds as long as the file names that one.
type Pin struct {
	Declared string   `json:"declared"`           // by the file
	Current  string   `json:"current,omitempty"`  // proven; "": as declared
	Previous string   `json:"previous,omitempty"` // to roll back to
	Trial    *Trial   `json:"trial,omitempty"`    // under way
	Failed   *Failure `json:"failed,omitempty"`   // the last attempt, if it failed

	Changed time.Time `json:"changed,omitzero"` // when Current was proven last
}

// Trial is an attempt that is not settled.
type Trial struct {
	Image  string        `json:"image"`
	Window time.Duration `json:"window"`
	Boot   string        `json:"boot"` // the kernel's boot id
	Since  time.Time     `json:"since"`
}

// Failure is an attempt that failed.
type Failure struct {
	Image  string    `json:"image"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// Proven is the image to go back to.
func (p Pin) Proven() string { return cmp.Or(p.Current, p.Declared) }

// begin records an attempt.
func (p Pin) begin(t Trial) Pin {
	p.Trial = &t
	return p
}

// settled ends the attempt; reason says why it failed, or "".
func (p Pin) settled(reason string, now time.Time) Pin {
	switch {
	case p.Trial == nil:
	case reason != "":
		p.Failed = &Failure{Image: p.Trial.Image, Reason: reason, At: now}
	default:
		p.Previous, p.Current, p.Failed, p.Changed = p.Proven(), p.Trial.Image, nil, now
	}
	p.Trial = nil
	return p
}

// over lays the pin over a service; one whose file names another image than
// when it was pinned is left alone.
func (p Pin) over(s service.Service) service.Service {
	if p.Declared != s.Image {
		return s
	}
	s.Image = p.Proven()
	if p.Trial != nil {
		s.Image, s.Trial = p.Trial.Image, p.Trial.Window
	}
	return s
}

// pins is the folder of all pins.
type pins string

const suffix = ".json"

func (dir pins) path(name string) string { return filepath.Join(string(dir), name+suffix) }

// load reads a service's pin; none is the zero Pin.
func (dir pins) load(name string) (p Pin, err error) {
	data, err := os.ReadFile(dir.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return Pin{}, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err != nil {
		return Pin{}, fmt.Errorf("upgrade record of %s: %w", name, err)
	}
	return p, nil
}

func (dir pins) save(name string, p Pin) error {
	data, err := json.MarshalIndent(p, "", "  ")
	if err == nil {
		err = os.MkdirAll(string(dir), 0o755)
	}
	if err == nil {
		err = atomicfile.Write(dir.path(name), append(data, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("upgrade record of %s: %w", name, err)
	}
	return nil
}

// all reads every pin that can be read.
func (dir pins) all() (all map[string]Pin, err error) {
	entries, err := os.ReadDir(string(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("upgrade records: %w", err)
	}
	all = map[string]Pin{}
	var errs []error
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), suffix)
		if !ok || strings.HasPrefix(name, ".") {
			continue
		}
		p, err := dir.load(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all[name] = p
	}
	return all, errors.Join(errs...)
}
