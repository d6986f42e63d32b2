package main

import (
	"strings"
	"testing"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/config"
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
