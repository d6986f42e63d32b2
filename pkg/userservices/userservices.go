// Package userservices keeps what people declare and choose on a running
// machine: service files of their own, and which services they switched on and
// off. All of it is on the state disk, and each write is whole or not at all.
// It knows nothing of what services mean: pkg/service judges them. rosd imports
// it.
package userservices

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/atomicfile"
	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// Store says where things are kept.
type Store struct {
	Dir         string // of service files
	ChoicesFile string
}

// Choices are the services that were switched on and off by name.
type Choices struct {
	Enable  []string `yaml:"enable,omitempty"`
	Disable []string `yaml:"disable,omitempty"`
}

// Choices reads what was chosen; nothing, when nothing ever was.
func (s Store) Choices() (Choices, error) {
	var c Choices
	data, err := os.ReadFile(s.ChoicesFile)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("read which services are enabled: %w", err)
	}
	if err := strictyaml.Decode(s.ChoicesFile, data, &c); err != nil {
		return Choices{}, err // no half of it: what is not understood may be a "not"
	}
	return c, nil
}

const choicesHeader = "# Written by `ros service enable` and `ros service disable`. The machine's\n# configuration (testudo.services) has the last word.\n"

// Choose switches a service on or off.
func (s Store) Choose(name string, on bool) error {
	return s.change(func(c *Choices) {
		if on {
			c.Enable = append(c.Enable, name)
		} else {
			c.Disable = append(c.Disable, name)
		}
	}, name)
}

// Forget drops what was chosen for a service that is no more.
func (s Store) Forget(name string) error { return s.change(func(*Choices) {}, name) }

func (s Store) change(do func(*Choices), name string) error {
	c, err := s.Choices()
	if err != nil {
		return err
	}
	other := func(n string) bool { return n == name }
	c.Enable, c.Disable = slices.DeleteFunc(c.Enable, other), slices.DeleteFunc(c.Disable, other)
	do(&c)
	text, err := yaml.Marshal(c)
	if err != nil {
		return fmt.Errorf("keep which services are enabled: %w", err)
	}
	return atomicfile.Write(s.ChoicesFile, append([]byte(choicesHeader), text...), 0o644)
}

// Path is the file in which a service of that name is created.
func (s Store) Path(name string) string { return filepath.Join(s.Dir, name+".yaml") }

// Create writes the file of a new service. The text has been judged before.
func (s Store) Create(name string, text []byte) error {
	path := s.Path(name)
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fs.ErrExist
		}
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return fmt.Errorf("make the folder of services: %w", err)
	}
	return atomicfile.Write(path, text, 0o644)
}

// Remove takes a file of the folder away, for good.
func (s Store) Remove(path string) error {
	if filepath.Dir(path) != filepath.Clean(s.Dir) {
		return fmt.Errorf("remove %s: it is not in %s", path, s.Dir)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove a service's file: %w", err)
	}
	dir, err := os.Open(s.Dir)
	if err != nil {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	return nil
}
