package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/service"
	"github.com/testudo-os/testudo/pkg/userservices"
)

func TestTheConfigurationHasTheLastWordOnWhatIsWanted(t *testing.T) {
	for _, c := range []struct {
		name            string
		choices         userservices.Choices
		config          config.Services
		enable, disable string
	}{
		{"nothing said", userservices.Choices{}, config.Services{}, "", ""},
		{"one each", userservices.Choices{Enable: []string{"a"}}, config.Services{Disable: []string{"b"}}, "a", "b"},
		{"the configuration enables what was disabled", userservices.Choices{Disable: []string{"a", "b"}}, config.Services{Enable: []string{"a"}}, "a", "b"},
		{"the configuration disables what was enabled", userservices.Choices{Enable: []string{"a", "b"}}, config.Services{Disable: []string{"a"}}, "b", "a"},
	} {
		o := options(c.config, c.choices)
		if got := strings.Join(o.Enable, " "); got != c.enable {
			t.Errorf("%s: enabled %q, want %q", c.name, got, c.enable)
		}
		if got := strings.Join(o.Disable, " "); got != c.disable {
			t.Errorf("%s: disabled %q, want %q", c.name, got, c.disable)
		}
	}
}

func TestWhatCountsAsAProblem(t *testing.T) {
	for _, c := range []struct {
		row  api.Service
		want bool
	}{
		{api.Service{State: api.StateRunning, Ready: true}, false},
		{api.Service{State: api.StateRunning}, true},
		{api.Service{State: api.StateExited, Ready: true}, false},
		{api.Service{State: api.StateExited}, true},
		{api.Service{State: api.StateCrashLoop}, true},
		{api.Service{State: api.StateInvalid, Image: "x"}, true},
		{api.Service{State: api.StateInvalid}, false},
		{api.Service{State: api.StateWaiting}, false},
		{api.Service{State: api.StateStopped}, false},
		{api.Service{State: api.StateDisabled}, false},
	} {
		if got := failed(c.row); got != c.want {
			t.Errorf("%+v: %v, want %v", c.row, got, c.want)
		}
	}
}

func TestWhatPeopleDeclareIsJudgedBeforeItIsWritten(t *testing.T) {
	dir := t.TempDir()
	b := &backend{
		declared: userservices.Store{Dir: filepath.Join(dir, "services"), ChoicesFile: filepath.Join(dir, "choices.yaml")},
		config:   &configuration{},
	}
	b.config.current.Store(&config.Resolved{Config: config.Config{Testudo: config.Testudo{Services: config.Services{Disable: []string{"off"}}}}})
	if err := os.Mkdir(b.declared.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	both := "services: {one: {image: i}, two: {image: i}, off: {image: i}}\n"
	if err := os.WriteFile(b.declared.Path("one"), []byte(both), 0o644); err != nil {
		t.Fatal(err)
	}
	web := filepath.Join(b.declared.Dir, "web.yaml")
	for _, step := range []struct {
		name string
		verb api.Declare
		file string
		want string // of the message or the error
		err  error
	}{
		{"web", api.DeclareCreate, "services: {web: {imge: i}}\n", web + `:1:18: services.web.imge: unknown key (did you mean "image"?)`, api.ErrInvalid},
		{"web", api.DeclareCreate, "services: {web: {image: i}, other: {image: i}}\n", "the file declares web, other, want web alone", api.ErrInvalid},
		{"web", api.DeclareCreate, "services:\n", "the file declares no service", api.ErrInvalid},
		{"one", api.DeclareCreate, "services: {one: {image: i}}\n", "it is declared already", api.ErrConflict},
		{"web", api.DeclareRemove, "", "there is no " + web, api.ErrNotFound},
		{"web", api.DeclareCreate, "services: {web: {image: i}}\n", "written to " + web, nil},
		{"web", api.DeclareCreate, "services: {web: {image: i}}\n", "it is declared already", api.ErrConflict},
		{"web", api.DeclareDisable, "", "disabled", nil},
		{"web", api.DeclareEnable, "", "enabled", nil},
		{"off", api.DeclareEnable, "", "testudo.services.disable names it", api.ErrConflict},
		{"nobody", api.DeclareEnable, "", "no service nobody is declared", api.ErrNotFound},
		{"two", api.DeclareRemove, "", "`ros service disable two`", api.ErrConflict},
		{"one", api.DeclareRemove, "", "declares one, two, off; edit it instead", api.ErrConflict},
		{"web", api.DeclareRemove, "", "removed " + web, nil},
	} {
		change, err := b.Declare(t.Context(), step.name, step.verb, api.Declaration{File: step.file})
		if !errors.Is(err, step.err) {
			t.Fatalf("%s %s: %v, want %v", step.verb, step.name, err, step.err)
		}
		if got := change.Message + fmt.Sprint(err); !strings.Contains(got, step.want) {
			t.Errorf("%s %s: got %s, want %s", step.verb, step.name, got, step.want)
		}
	}
	if _, err := os.Stat(web); err == nil {
		t.Error("the file is still there")
	}
	if choices, err := b.declared.Choices(); err != nil || len(choices.Enable)+len(choices.Disable) > 0 {
		t.Errorf("choices for a service that is no more: %+v, %v", choices, err)
	}
}

func TestServicesOfScopeUserAreHandedOver(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "compose")
	source := service.Source{Dir: service.Dir{Path: "/user", FS: fstest.MapFS{"a.yaml": {Data: []byte("services: {web: {image: i, ports: ['80:80']}}")}}}}
	set := service.Load(service.Options{}, source)
	compose := &composeFile{dir: dir}
	if err := handOver(set, compose); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("looking at the files has written one")
	}
	runner := set.Services[0]
	for _, svc := range []*service.Service{{Name: "other"}, &runner, {Name: composeService}} {
		if err := compose.write(svc); err != nil {
			t.Fatal(err)
		}
	}
	if runner.Name != composeService || runner.Ready != service.ReadyExit || runner.DependsOn[0].Name != "docker" {
		t.Errorf("got %+v", runner)
	}
	text, err := os.ReadFile(filepath.Join(dir, "compose.yaml"))
	if err != nil || !strings.Contains(string(text), "'80:80'") {
		t.Errorf("got %s, %v", text, err)
	}
	if err := handOver(set, compose); err == nil || !strings.Contains(err.Error(), "the name compose") {
		t.Errorf("got %v", err)
	}
	rows := withUserScope([]api.Service{{Name: composeService, State: api.StateBackoff, Reason: "exit 1"}, {Name: "zz"}}, set.User)
	if len(rows) != 3 || rows[1].Name != "web" || rows[1].State != api.StateBackoff || rows[1].Reason != "waiting for the service compose: exit 1" {
		t.Errorf("got %+v", rows)
	}
	none := &service.Set{}
	if err := handOver(none, compose); err != nil || len(none.Services) > 0 {
		t.Errorf("got %+v, %v", none.Services, err)
	}
}
