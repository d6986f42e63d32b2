package config

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/testudo-os/testudo/pkg/atomicfile"
)

// LocalInstance is the instance id of a machine without a datasource.
const LocalInstance = "local"

// Resolved is the configuration in force, as rosd hands it to services in the
// file layout.ResolvedConfig. It holds secrets.
type Resolved struct {
	InstanceID string   `json:"instance_id"` // safe as a file name
	Datasource string   `json:"datasource"`  // "" without one
	Problems   []string `json:"problems,omitempty"`
	// Refused are the sources with mistakes, each with what is used instead;
	// their mistakes are among Problems.
	Refused []string `json:"refused,omitempty"`
	Config  Config   `json:"config"`
	Scripts []Script `json:"scripts,omitempty"` // of user data and vendor data

	// Own is Config without what is built in and what the vendor says.
	Own Config `json:"-"`
	// Above is what comes after the machine's own file: it wins over that.
	Above Config `json:"-"`
}

// Script is a program that user data hold.
type Script struct {
	Name string `json:"name"` // safe as a file name
	Kind string `json:"kind"` // "script", or "boothook": at every boot, before all others
	When string `json:"when"` // of a script: "instance", "boot" or "once"
	Text []byte `json:"text"`
}

// ReadResolved reads what WriteResolved wrote.
func ReadResolved(path string) (*Resolved, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read resolved configuration: %w", err)
	}
	r := &Resolved{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("read resolved configuration %s: %w", path, err)
	}
	return r, nil
}

// WriteResolved replaces the file at path, readable by its owner alone.
func WriteResolved(path string, r *Resolved) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write resolved configuration: %w", err)
	}
	if err := atomicfile.Write(path, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("write resolved configuration: %w", err)
	}
	return nil
}
