package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/service"
	"github.com/testudo-os/testudo/pkg/userservices"
)

// Declare changes what is declared on this machine, on the state disk.
func (b *backend) Declare(_ context.Context, name string, verb api.Declare, d api.Declaration) (api.Declared, error) {
	b.declaring.Lock()
	defer b.declaring.Unlock()
	switch verb {
	case api.DeclareEnable, api.DeclareDisable:
		return b.choose(name, verb == api.DeclareEnable)
	case api.DeclareCreate:
		return b.create(name, []byte(d.File))
	case api.DeclareRemove:
		return b.remove(name)
	}
	return api.Declared{}, fmt.Errorf("%w: %q is not enable, disable, create or remove", api.ErrInvalid, verb)
}

func (b *backend) choose(name string, on bool) (api.Declared, error) {
	set := b.declaredNow()
	if !set.Has(name) {
		return api.Declared{}, fmt.Errorf("%w: no service %s is declared", api.ErrNotFound, name)
	}
	wanted := b.config.current.Load().Config.Testudo.Services
	against, word := wanted.Disable, "disable"
	done := "enabled"
	if !on {
		against, word, done = wanted.Enable, "enable", "disabled"
	}
	if slices.Contains(against, name) {
		return api.Declared{}, fmt.Errorf("%w: the configuration has the last word, and testudo.services.%s names it", api.ErrConflict, word)
	}
	if err := b.declared.Choose(name, on); err != nil {
		return api.Declared{}, err
	}
	return api.Declared{Name: name, File: b.declared.ChoicesFile, Message: done}, nil
}

func (b *backend) create(name string, text []byte) (api.Declared, error) {
	file := b.declared.Path(name)
	services, err := service.Check(file, text, b.options().Lookup)
	if err != nil {
		return api.Declared{}, fmt.Errorf("%w:\n%w", api.ErrInvalid, err)
	}
	var names []string
	for _, s := range services {
		names = append(names, s.Name)
	}
	if !slices.Equal(names, []string{name}) {
		return api.Declared{}, fmt.Errorf("%w: the file declares %s, want %s alone", api.ErrInvalid, listed(names), name)
	}
	if b.declaredNow().Has(name) {
		return api.Declared{}, fmt.Errorf("%w: it is declared already; to change parts of it, write them to a file in %s", api.ErrConflict, b.declared.Dir)
	}
	if err := b.declared.Create(name, text); errors.Is(err, fs.ErrExist) {
		return api.Declared{}, fmt.Errorf("%w: %s is there already", api.ErrConflict, file)
	} else if err != nil {
		return api.Declared{}, err
	}
	return api.Declared{Name: name, File: file, Message: "written to " + file}, nil
}

func listed(names []string) string {
	if len(names) == 0 {
		return "no service"
	}
	return strings.Join(names, ", ")
}

// declaredNow is what the files say at this moment.
func (b *backend) declaredNow() *service.Set {
	return service.Load(b.options(), sources(b.declared.Dir, b.config.current.Load().Config.Testudo.Services.Declare)...)
}

func (b *backend) options() service.Options {
	choices, err := b.declared.Choices()
	if err != nil {
		choices = userservices.Choices{} // told by loadServices; Choose will fail on it
	}
	return options(b.config.current.Load().Config.Testudo.Services, choices)
}

// remove takes away the user's file of a service: also an override of a
// built-in one, which is then as the release has it.
func (b *backend) remove(name string) (api.Declared, error) {
	file := b.declared.Path(name)
	text, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && b.declaredNow().Has(name):
		return api.Declared{}, fmt.Errorf("%w: there is no %s; `ros service disable %s` keeps it from running", api.ErrConflict, file, name)
	case errors.Is(err, fs.ErrNotExist):
		return api.Declared{}, fmt.Errorf("%w: there is no %s", api.ErrNotFound, file)
	case err != nil:
		return api.Declared{}, fmt.Errorf("remove %s: %w", name, err)
	}
	// A file that cannot be read as YAML may go: nothing in it counts.
	if names, err := service.DeclaredIn(file, text); err == nil && !slices.Equal(names, []string{name}) {
		return api.Declared{}, fmt.Errorf("%w: %s declares %s; edit it instead", api.ErrConflict, file, listed(names))
	}
	if err := b.declared.Remove(file); err != nil {
		return api.Declared{}, err
	}
	if err := b.declared.Forget(name); err != nil {
		return api.Declared{}, err
	}
	return api.Declared{Name: name, File: file, Message: "removed " + file}, nil
}
