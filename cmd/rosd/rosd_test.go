package main

import (
	"strings"
	"testing"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/service"
)

func TestTheConfigurationHasTheLastWordOnWhatIsWanted(t *testing.T) {
	for _, c := range []struct {
		name             string
		names            config.Services
		wanted, unwanted string
	}{
		{"nothing said", config.Services{}, "a b", "c"},
		{"one disabled", config.Services{Disable: []string{"a", "nobody"}}, "b", "a c"},
		{"one enabled", config.Services{Enable: []string{"c"}}, "a b c", ""},
		{"both said of one: off", config.Services{Enable: []string{"c"}, Disable: []string{"c"}}, "a b", "c"},
	} {
		t.Run(c.name, func(t *testing.T) {
			set := &service.Set{Services: []service.Service{{Name: "a"}, {Name: "b"}}, Disabled: []service.Service{{Name: "c"}}}
			choose(set, c.names)
			if got := names(set.Services); got != c.wanted {
				t.Errorf("wanted %q, want %q", got, c.wanted)
			}
			if got := names(set.Disabled); got != c.unwanted {
				t.Errorf("unwanted %q, want %q", got, c.unwanted)
			}
		})
	}
}

func names(services []service.Service) string {
	var list []string
	for _, s := range services {
		list = append(list, s.Name)
	}
	return strings.Join(list, " ")
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
