package config

import (
	"strings"
	"testing"
)

const commented = `#cloud-config
# This machine is the one under the desk.

hostname: desk   # its name

# People
users:
  - default
  - name: ann   # head of desk
    # she likes it
    shell: /bin/bash

ntp: {servers: [a.example, b.example]}

# the end
testudo:
  console:
    # for the screen
    autologin: [tty1]
  services:
    variables:
      PORT: "80"
# nothing more
`

func key(t *testing.T, text string) Key {
	t.Helper()
	k, err := ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSet(t *testing.T) {
	for _, tt := range []struct {
		name, text, key, value string
		old, fresh             string // what the change replaces; the rest is as it was
	}{
		{"a value keeps the comment beside it", commented, "hostname", "table", "hostname: desk   # its name\n", "hostname: table # its name\n"},
		{"one that YAML takes for a number is quoted", commented, "hostname", "12", "hostname: desk   # its name\n", "hostname: \"12\" # its name\n"},
		{"deep in a list", commented, "users[1].shell", "/bin/sh", "name: ann   # head of desk\n    # she likes it\n    shell: /bin/bash\n", "name: ann # head of desk\n    # she likes it\n    shell: /bin/sh\n"},
		{"a new element", commented, "users[2]", "{name: bob}", "# head of desk\n    # she likes it\n    shell: /bin/bash\n", ""},
		{"a whole list", commented, "ntp.servers", "[c.example]", "ntp: {servers: [a.example, b.example]}\n", "ntp: {servers: [c.example]}\n"},
		{"one word where a list is wanted", commented, "ntp.servers", "c.example", "ntp: {servers: [a.example, b.example]}\n", "ntp: {servers: [c.example]}\n"},
		{"a new key at the end of its mapping", commented, "testudo.services.variables.HOST", "x", "      PORT: \"80\"\n", "      PORT: \"80\"\n      HOST: x\n"},
		{"a name with dots", commented, "testudo.sysctl.net.ipv4.ip_forward", "1", "      PORT: \"80\"\n", "      PORT: \"80\"\n  sysctl:\n    net.ipv4.ip_forward: \"1\"\n"},
		{"a new key at the end", commented, "timezone", "Europe/Lisbon", "# nothing more\n", "# nothing more\ntimezone: Europe/Lisbon\n"},
		{"an empty file", "", "hostname", "desk", "", "#cloud-config\nhostname: desk\n"},
		{"a file of comments", "#cloud-config\n# nothing yet\n", "hostname", "desk", "# nothing yet\n", "# nothing yet\nhostname: desk\n"},
		{"a file without a last line end", "timezone: UTC", "hostname", "desk", "timezone: UTC", "timezone: UTC\nhostname: desk\n"},
		{"a null becomes a mapping", "ntp:\n", "ntp.enabled", "false", "ntp:\n", "ntp:\n  enabled: false\n"},
		{"a mapping in braces", "{hostname: a, timezone: UTC}\n", "hostname", "b", "hostname: a", "hostname: b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Set("f.yaml", []byte(tt.text), key(t, tt.key), tt.value)
			if err != nil {
				t.Fatal(err)
			}
			if tt.fresh == "" { // the old is still there, and more
				if !strings.Contains(string(got), "name: bob") || !strings.Contains(string(got), "# she likes it") {
					t.Errorf("got\n%s", got)
				}
				return
			}
			if want := strings.Replace(tt.text, tt.old, tt.fresh, 1); string(got) != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			again, err := Set("f.yaml", got, key(t, tt.key), tt.value)
			if err != nil || string(again) != string(got) {
				t.Errorf("a second time: %v\n%s", err, again)
			}
		})
	}
}

func TestSetRefuses(t *testing.T) {
	for _, tt := range []struct{ name, text, key, value, want string }{
		{"an impossible value", commented, "hostname", "a_b", "set hostname: hostname: want a host name"},
		{"a value of the wrong type", commented, "ntp.enabled", "perhaps", "want true or false"},
		{"a secret is not repeated", "", "users[0]", "{name: ann, passwd: geheim}", "want a crypt hash"},
		{"what is not YAML", commented, "users[1].groups", "[", "the value is not YAML"},
		{"an element beyond the end", commented, "users[5]", "{name: x}", "the list has 2 elements"},
		{"an alias", "users: [&a {name: ann}]\nuser: *a\n", "user.name", "bob", "an alias stands there"},
		{"a file with mistakes", "hostnam: x\n", "timezone", "UTC", "has mistakes already"},
		{"a file that is not YAML", "hostname: [\n", "timezone", "UTC", "not valid YAML"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Set("f.yaml", []byte(tt.text), key(t, tt.key), tt.value)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "geheim") {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestUnset(t *testing.T) {
	for _, tt := range []struct{ name, key, old, fresh string }{
		{"a key with its comment", "hostname", "hostname: desk   # its name\n", ""},
		{"what is empty then goes too", "testudo.services.variables.PORT", "  services:\n    variables:\n      PORT: \"80\"\n", ""},
		{"one of a list", "ntp.servers[0]", "[a.example, b.example]", "[b.example]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Unset("f.yaml", []byte(commented), key(t, tt.key))
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.Replace(commented, tt.old, tt.fresh, 1); string(got) != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
	for _, missing := range []string{"timezone", "users[7]", "testudo.docker.registry_mirrors"} {
		if _, err := Unset("f.yaml", []byte(commented), key(t, missing)); err == nil || !strings.Contains(err.Error(), "it is not set in f.yaml") {
			t.Errorf("%s: got %v", missing, err)
		}
	}
}

func TestMergeText(t *testing.T) {
	over := "#cloud-config\nhostname: table # new\ntestudo:\n  console: {autologin: [ttyS0]}\n  docker: {registry_mirrors: [https://m.example]}\ntimezone: UTC\n"
	got, err := MergeText("f.yaml", []byte(commented), "over.yaml", []byte(over))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"hostname: table # its name\n", "# People\nusers:\n", "# head of desk", "    # for the screen\n    autologin: [ttyS0]\n", "variables:\n      PORT: \"80\"\n", "registry_mirrors: ['https://m.example']", "# nothing more\ntimezone: UTC\n"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if strings.Count(string(got), Header) != 1 {
		t.Errorf("got\n%s", got)
	}
	more := "# why\ntimezone: UTC # here\nusers:\n  # who\n  - name: bob\n"
	for _, text := range []string{"", "#cloud-config\n", "#cloud-config\nhostname: x\n"} {
		got, err := MergeText("f.yaml", []byte(text), "over.yaml", []byte(more))
		for _, want := range []string{"# why\n", "timezone: UTC # here\n", "  # who\n  - name: bob\n"} {
			if err != nil || !strings.Contains(string(got), want) {
				t.Errorf("%q: %q is missing in\n%s%v", text, want, got, err)
			}
		}
	}
	got, err = MergeText("f.yaml", []byte("hostname: x\n"), "over.yaml", []byte("users: [&a {name: ann}]\nuser: {<<: *a}\n"))
	if err != nil || !strings.Contains(string(got), "user: {name: ann}") {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := MergeText("f.yaml", []byte(commented), "over.yaml", []byte("hostnam: x\n")); err == nil || !strings.Contains(err.Error(), "over.yaml:1:1: hostnam: unknown key") {
		t.Errorf("got %v", err)
	}
}

func FuzzSet(f *testing.F) {
	f.Add(commented, "hostname", "x")
	f.Add("a: &a b\nusers: [*a]\n", "users[0]", "{name: x}")
	f.Add("{a: b}\n---\nhostname: x", "ntp.servers", "[a]")
	f.Fuzz(func(t *testing.T, text, where, value string) {
		k, err := ParseKey(where)
		if err != nil {
			return
		}
		got, err := Set("f", []byte(text), k, value)
		if err != nil {
			return
		}
		if _, err := Parse("f", got); err != nil {
			t.Fatalf("the result is not valid: %v\n%s", err, got)
		}
	})
}
