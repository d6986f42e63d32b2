package config

import (
	"slices"
	"strings"
	"testing"
)

func TestChanged(t *testing.T) {
	for _, tt := range []struct {
		name, a, b string
		want       []string
	}{
		{"nothing", "hostname: a", "hostname: a", nil},
		{"a value", "hostname: a", "hostname: b", []string{"hostname"}},
		{"a list, as a whole", "users: [{name: ann}]", "users: [{name: ann, shell: /bin/sh}]", []string{"users"}},
		{"single keys of mappings", "ntp: {servers: [a]}", "ntp: {servers: [b], enabled: false}\ntestudo: {console: {autologin: [tty1]}}", []string{"ntp.enabled", "ntp.servers", "testudo.console.autologin"}},
		{"a secret", "testudo: {services: {variables: {A: x}}}", "testudo: {services: {variables: {A: y}}}", []string{"testudo.services.variables"}},
		{"declared services by what they say, not where", "testudo: {services: {declare: {web: {image: a}}}}", "\n\ntestudo:\n  services:\n    declare:\n      web:\n        image: a\n", nil},
		{"and what they say", "testudo: {services: {declare: {web: {image: a}}}}", "testudo: {services: {declare: {web: {image: b}}}}", []string{"testudo.services.declare"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Changed(mustParse(t, tt.a), mustParse(t, tt.b)); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestHas(t *testing.T) {
	c := mustParse(t, "hostname: a\nntp: {enabled: false, servers: [x]}")
	for text, want := range map[string]bool{"hostname": true, "ntp.enabled": true, "ntp.servers": false, "timezone": false, "ntp": false, "users[0].name": false} {
		k, err := ParseKey(text)
		if err != nil || c.Has(k) != want {
			t.Errorf("%s: %v, %v", text, !want, err)
		}
	}
}

func TestTheDifferenceShowsNoSecret(t *testing.T) {
	a := mustParse(t, "hostname: one\nusers: [{name: ann, passwd: '$6$aaaa$bbbb'}]\ntestudo: {services: {variables: {A: geheim1}}}\n")
	b := mustParse(t, "hostname: two\nusers: [{name: ann, passwd: '$6$aaaa$cccc'}]\ntestudo: {services: {variables: {A: geheim2}}}\n")
	got, err := Diff("in force", "next", a, b)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"--- in force", "+++ next", "-hostname: one", "+hostname: two", "# users: a secret in it differs", "# testudo.services.variables: a secret in it differs"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	for _, secret := range []string{"geheim", "bbbb", "cccc"} {
		if strings.Contains(got, secret) {
			t.Errorf("%s is in\n%s", secret, got)
		}
	}
}
