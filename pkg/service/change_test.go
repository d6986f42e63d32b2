package service

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/testudo-os/testudo/pkg/api"
)

func TestChanges(t *testing.T) {
	a, b := svc("a"), svc("b")
	other := a
	other.Image, other.CPUs = "other", 2
	policy := a
	policy.Restart.Policy, policy.Essential = "no", true
	bad := Invalid{Name: "a", Err: errors.New("f.yaml:3:1: unknown key")}
	refused := runs(a)
	refused.Good, refused.GoodSpec = &a, a.Hash()
	refused.Refused = &Refusal{Spec: other.Hash(), Reason: "exit 1"}
	set := func(services ...Service) *Set { return &Set{Services: services} }
	both := map[string]Status{"a": runs(a), "b": runs(b)}

	for name, c := range map[string]struct {
		was, fresh *Set
		have       map[string]Status
		named      []string
		want       string
	}{
		"nothing":                        {set(a, b), set(a, b), both, nil, ""},
		"a new service":                  {set(a), set(a, b), both, nil, "start b (it was not wanted before)"},
		"one that is gone":               {set(a, b), set(a), both, nil, "stop b (it is no longer declared)"},
		"one that is disabled":           {set(a, b), &Set{Services: []Service{a}, Disabled: []Service{b}}, both, nil, "stop b (it is disabled)"},
		"one that is enabled":            {&Set{Services: []Service{a}, Disabled: []Service{b}}, set(a, b), both, nil, "start b (it was not wanted before)"},
		"one that is to run otherwise":   {set(a, b), set(other, b), both, nil, "restart a (it is to run otherwise) [image cpus]"},
		"one that only differs on paper": {set(a), set(policy), both, nil, "update a (what differs needs no restart) [restart essential]"},
		"one with an error":              {set(a, b), &Set{Services: []Service{b}, Invalid: []Invalid{bad}}, both, nil, "invalid a (f.yaml:3:1: unknown key)"},
		"others are left out":            {set(a, b), set(other), both, []string{"b"}, "stop b (it is no longer declared)"},
		"the operator's word stands":     {set(a), set(other), map[string]Status{"a": {State: api.StateStopped, Down: true}}, nil, "update a (what differs needs no restart) [image cpus]"},
		"unless the service is named":    {set(a), set(a), map[string]Status{"a": {State: api.StateStopped, Down: true}}, []string{"a"}, "start a (the operator had stopped it)"},
		"a refused change rests":         {set(other), set(other), map[string]Status{"a": refused}, nil, ""},
		"unless it is named too":         {set(other), set(other), map[string]Status{"a": refused}, []string{"a"}, "restart a (the change that failed is tried again) [image cpus]"},
		"a refused change is undone":     {set(other), set(a), map[string]Status{"a": refused}, nil, "update a (what differs needs no restart) [image cpus]"},
		"what has ended runs otherwise":  {set(a), set(other), map[string]Status{"a": {State: api.StateExited, Spec: a.Hash()}}, nil, "start a (it does not run, and is declared otherwise) [image cpus]"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, c := range Changes(c.was, c.fresh, c.have, c.named) {
				text := fmt.Sprintf("%s %s (%s)", c.Action, c.Service, c.Reason)
				if len(c.Keys) > 0 {
					text += " " + fmt.Sprint(c.Keys)
				}
				got = append(got, text)
			}
			if text := strings.Join(got, "; "); text != c.want {
				t.Errorf("got  %s\nwant %s", text, c.want)
			}
		})
	}
}

func TestNextKeepsWhatItMay(t *testing.T) {
	a, b, c := svc("a"), svc("b"), svc("c")
	a2, b2 := a, b
	a2.Image, b2.Image = "2", "2"
	names := func(set *Set) (out []string) {
		for _, s := range set.Services {
			out = append(out, s.Name+s.Image)
		}
		for _, s := range set.Disabled {
			out = append(out, "-"+s.Name)
		}
		for _, i := range set.Invalid {
			out = append(out, "!"+i.Name)
		}
		return out
	}
	was := &Set{Services: []Service{a, b}}
	fresh := &Set{Services: []Service{a2, c}, Invalid: []Invalid{{Name: "b"}, {Name: "d"}}}
	if got := names(Next(was, fresh, nil)); !slices.Equal(got, []string{"a2", "bi", "ci", "!d"}) {
		t.Errorf("all: %q", got)
	}
	if got := names(Next(was, &Set{Services: []Service{a2, b2, c}}, []string{"b"})); !slices.Equal(got, []string{"ai", "b2"}) {
		t.Errorf("one: %q", got)
	}
	if got := names(Next(was, &Set{Disabled: []Service{a}}, nil)); !slices.Equal(got, []string{"-a"}) {
		t.Errorf("gone: %q", got)
	}
}
