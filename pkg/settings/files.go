package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/testudo-os/testudo/pkg/atomicfile"
	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/regularfile"
)

const (
	machineFile = "cloud-config.yaml"
	dropIns     = "conf.d"
	// lastGood holds a copy of each source that was last read without error.
	lastGood = ".last-good"
	maxFile  = 4 << 20
)

// files reads conf.d and the machine's file.
func (l *loader) files() []*config.Config {
	var out []*config.Config
	names, err := l.dropIns()
	if err != nil {
		l.problem("%v", err)
	}
	for _, name := range append(names, machineFile) {
		out = append(out, l.file(name))
	}
	return out
}

// dropIns gives the names of conf.d/*.yaml, also of those whose last good copy
// is all there is of a directory that cannot be read.
func (l *loader) dropIns() ([]string, error) {
	dir := filepath.Join(l.options.ConfigDir, dropIns)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		err = fmt.Errorf("read configuration: %w", err)
		var kept error
		if entries, kept = os.ReadDir(filepath.Join(l.options.ConfigDir, lastGood, dropIns)); kept != nil {
			return nil, err
		}
	}
	var names []string
	for _, e := range entries { // in the order of names
		if strings.HasSuffix(e.Name(), ".yaml") && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, filepath.Join(dropIns, e.Name()))
		}
	}
	return names, err
}

// file reads one file of the configuration directory or, when it is bad, its
// last good copy. A file that is not there is no configuration.
func (l *loader) file(name string) *config.Config {
	path := filepath.Join(l.options.ConfigDir, name)
	kept := filepath.Join(l.options.ConfigDir, lastGood, name)
	cfg, text, err := parseFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// Taken away on purpose: the copy must not bring it back.
		if err := os.Remove(kept); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.problem("forget the last good configuration: %v", err)
		}
		return nil
	case err == nil:
		if err := keep(kept, text); err != nil {
			l.problem("keep the last good configuration: %v", err)
		}
		return cfg
	}
	if cfg, _, keptErr := parseFile(kept); keptErr == nil {
		l.refuse(err, path+" is refused, its last good content is used")
		return cfg
	}
	l.refuse(err, path+" is refused, and no last good content is there")
	return nil
}

// vendor reads the file that is part of the system image. It has no last good
// copy: it changes with the release alone.
func (l *loader) vendor() *config.Config {
	if l.options.Vendor == "" {
		return nil
	}
	cfg, _, err := parseFile(l.options.Vendor)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.refuse(err, l.options.Vendor+" is refused")
		return nil
	}
	return cfg
}

// refuse notes each finding of err, then what follows from them, if anything.
func (l *loader) refuse(err error, consequence string) {
	for line := range strings.Lines(err.Error()) {
		l.problem("%s", strings.TrimSpace(line))
	}
	if consequence != "" {
		l.problem("%s", consequence)
		l.resolved.Refused = append(l.resolved.Refused, consequence)
	}
}

func parseFile(path string) (*config.Config, []byte, error) {
	text, err := regularfile.Read(path, maxFile)
	if err != nil {
		return nil, nil, err
	}
	cfg, err := config.Parse(path, text)
	return cfg, text, err
}

// keep writes text to path unless it is there already.
func keep(path string, text []byte) error {
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, text) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return atomicfile.Write(path, text, 0o600)
}
