package kmod

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// parallel bounds how many threads are blocked in the kernel at a time. A load
// is half waiting: for the kernel's read-copy-update and for devices.
const parallel = 8

// Options are a loader's choices.
type Options struct {
	// Params gives a module's parameters, from the kernel command line.
	Params func(name string) string
	// Blacklist holds names that are not loaded for an alias.
	Blacklist []string
	// Wanted narrows what is loaded for an alias; nil wants everything.
	Wanted func(*Module) bool
	// Loaded says whether the kernel has a module already: asking is much
	// cheaper than having it read a file to find out.
	Loaded func(name string) bool
	// Insert loads one file; nil means finit_module(2). Tests put a fake here.
	Insert func(file, params string) error
	// Go starts a goroutine; nil means the go statement. PID 1 catches panics here.
	Go func(f func())
}

// Loader loads modules of one table, each at most once.
type Loader struct {
	table *Table
	opt   Options
	slots chan struct{} // bounds threads blocked in the kernel

	mu   sync.Mutex
	runs map[string]*run // by path
}

// run is one module's load, which others may wait for.
type run struct {
	done chan struct{}
	err  error
}

// NewLoader makes a loader.
func NewLoader(t *Table, opt Options) *Loader {
	if opt.Insert == nil {
		opt.Insert = Insert
	}
	if opt.Params == nil {
		opt.Params = func(string) string { return "" }
	}
	if opt.Wanted == nil {
		opt.Wanted = func(*Module) bool { return true }
	}
	if opt.Loaded == nil {
		opt.Loaded = func(string) bool { return false }
	}
	if opt.Go == nil {
		opt.Go = func(f func()) { go f() }
	}
	return &Loader{
		table: t, opt: opt,
		slots: make(chan struct{}, parallel),
		runs:  map[string]*run{},
	}
}

// Load loads the named modules and what they need, and waits for all of them.
// A built-in one counts as loaded. All errors are joined.
func (l *Loader) Load(ctx context.Context, names ...string) error {
	runs := make([]*run, 0, len(names))
	var errs []error
	for _, name := range names {
		m, err := l.table.Module(name)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("load module: %w", err))
		case m != nil:
			runs = append(runs, l.start(m, nil))
		}
	}
	for _, r := range runs {
		select {
		case <-r.done:
			errs = append(errs, r.err)
		case <-ctx.Done():
			return errors.Join(append(errs, ctx.Err())...)
		}
	}
	return errors.Join(errs...)
}

// LoadAliases loads what the modaliases ask for and gives the names. A device
// that a driver does not take is no error.
func (l *Loader) LoadAliases(ctx context.Context, modaliases []string) ([]string, error) {
	var names []string
	for _, name := range l.table.Match(modaliases) {
		m := l.table.modules[name]
		if m == nil || !l.opt.Wanted(m) {
			continue
		}
		listed := false
		for _, b := range l.opt.Blacklist {
			listed = listed || Name(b) == name
		}
		if !listed {
			names = append(names, name)
		}
	}
	return names, l.Load(ctx, names...)
}

// start begins a module's load once, whoever asks. path holds the modules that
// asked, so that a cycle in a broken table ends.
func (l *Loader) start(m *Module, path []string) *run {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.runs[m.Path]; r != nil {
		return r
	}
	r := &run{done: make(chan struct{})}
	l.runs[m.Path] = r
	if l.opt.Loaded(m.Name) {
		close(r.done)
		return r
	}
	l.opt.Go(func() {
		defer close(r.done)
		r.err = errors.New("interrupted") // stands if insert panics
		r.err = l.insert(m, append(path[:len(path):len(path)], m.Path))
	})
	return r
}

// insert waits for the dependencies, then loads the module itself.
func (l *Loader) insert(m *Module, path []string) error {
	var before []*run
	for _, dep := range m.Deps {
		d := l.table.modules[Name(dep)]
		if d == nil {
			return fmt.Errorf("load module %s: it needs %s: %w", m.Name, dep, ErrNotFound)
		}
		if contains(path, d.Path) {
			return fmt.Errorf("load module %s: it needs itself through %s", m.Name, dep)
		}
		r := l.start(d, path)
		if l.waitsFor(d, path) {
			return fmt.Errorf("load module %s: it needs itself through %s", m.Name, dep)
		}
		before = append(before, r)
	}
	for _, r := range before {
		<-r.done
		if r.err != nil {
			return fmt.Errorf("load module %s: %w", m.Name, r.err)
		}
	}
	l.soft(m, path)
	l.slots <- struct{}{}
	defer func() { <-l.slots }()
	err := l.opt.Insert(filepath.Join(l.table.dir, m.Path), l.opt.Params(m.Name))
	switch {
	case err == nil, errors.Is(err, fs.ErrExist):
		return nil
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return nil // the driver found nothing to drive
	}
	return fmt.Errorf("load module %s: %w", m.Name, err)
}

// soft loads what a module would like to have before it, as far as there is
// such a thing; failures do not matter.
func (l *Loader) soft(m *Module, path []string) {
	for _, name := range l.table.softdep[m.Name] {
		d := l.table.modules[Name(name)]
		if d == nil || contains(path, d.Path) || l.waitsFor(d, path) {
			continue
		}
		<-l.start(d, path).done
	}
}

// waitsFor says whether d needs, directly or not, a module that waits for it.
func (l *Loader) waitsFor(d *Module, path []string) bool {
	seen := map[string]bool{}
	var walk func(m *Module) bool
	walk = func(m *Module) bool {
		if m == nil || seen[m.Path] {
			return false
		}
		seen[m.Path] = true
		if contains(path, m.Path) {
			return true
		}
		for _, dep := range m.Deps {
			if walk(l.table.modules[Name(dep)]) {
				return true
			}
		}
		for _, dep := range l.table.softdep[m.Name] {
			if walk(l.table.modules[Name(dep)]) {
				return true
			}
		}
		return false
	}
	return walk(d)
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// Insert loads one file with finit_module(2); the kernel decompresses what is
// compressed.
func Insert(file, params string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	flags := 0
	if !strings.HasSuffix(file, ".ko") {
		flags = unix.MODULE_INIT_COMPRESSED_FILE
	}
	return unix.FinitModule(int(f.Fd()), params, flags)
}
