package config

import (
	"slices"
	"strings"
	"testing"
)

func TestParseKey(t *testing.T) {
	for text, want := range map[string][]string{
		"hostname":                             {"hostname"},
		"testudo.console.autologin":            {"testudo", "console", "autologin"},
		"testudo.console.autologin[1]":         {"testudo", "console", "autologin", "[1]"},
		"users[0].shell":                       {"users", "[0]", "shell"},
		"user.name":                            {"user", "name"},
		"testudo.sysctl.net.ipv4.ip_forward":   {"testudo", "sysctl", "net.ipv4.ip_forward"},
		`testudo.sysctl."net.ipv4.ip_forward"`: {"testudo", "sysctl", "net.ipv4.ip_forward"},
		"testudo.services.variables.PORT":      {"testudo", "services", "variables", "PORT"},
		"testudo.services.declare.web.image":   {"testudo", "services", "declare", "web", "image"},
		"write_files[2].path":                  {"write_files", "[2]", "path"},
	} {
		k, err := ParseKey(text)
		if err != nil || !slices.Equal(k.Steps, want) {
			t.Errorf("%s: got %q, %v", text, k.Steps, err)
		}
	}
	for text, want := range map[string]string{
		"":                     "want one such as",
		"hostnam":              `did you mean "hostname"?`,
		"sysctl":               `did you mean "testudo.sysctl"?`,
		"hostname.x":           "no key below hostname",
		"users.name":           "want [0]",
		"ntp[0]":               "ntp is no list",
		"ntp.":                 "nothing behind the last dot",
		"users[x]":             "want the number",
		"users[0":              "[ without ]",
		"users[0]name":         "want a dot",
		`testudo."x`:           "a quote is not closed",
		"testudo.console.auto": `unknown key "auto"`,
		".hostname":            "nothing before a dot",
	} {
		if _, err := ParseKey(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	for _, s := range []string{"users[0].name", `testudo.sysctl."a.b"`, "testudo.services.declare.x.y[3]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		k, err := ParseKey(text)
		if err == nil && len(k.Steps) == 0 {
			t.Fatalf("%q is a key of no steps", text)
		}
	})
}
