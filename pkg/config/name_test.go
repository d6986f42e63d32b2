package config

import "testing"

func TestNames(t *testing.T) {
	for _, tt := range []struct{ text, name, full, machine string }{
		{"{}", "", "", ""},
		{"hostname: box", "box", "", "box"},
		{"hostname: box.example.org", "box", "box.example.org", "box"},
		{"fqdn: box.example.org", "box", "box.example.org", "box"},
		{"{hostname: other, fqdn: box.example.org}", "other", "box.example.org", "other"},
		{"{fqdn: box.example.org, prefer_fqdn_over_hostname: true}", "box.example.org", "box.example.org", "box.example.org"},
		{"{hostname: box, prefer_fqdn_over_hostname: true}", "box", "", "box"},
		{"{hostname: box, preserve_hostname: true}", "box", "", ""},
	} {
		c := mustParse(t, tt.text)
		name, full := c.Names()
		if name != tt.name || full != tt.full || c.MachineName() != tt.machine {
			t.Errorf("%s: got %q %q %q", tt.text, name, full, c.MachineName())
		}
	}
}
