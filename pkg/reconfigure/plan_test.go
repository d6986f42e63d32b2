package reconfigure

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/testudo-os/testudo/pkg/config"
)

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A key that nobody applies would be one that is silently ignored.
func TestEveryKeyHasARule(t *testing.T) {
	for _, key := range config.Keys() {
		if len(rulesOf(key)) == 0 {
			t.Errorf("%s: nothing says what a change of it takes", key)
		}
	}
	known := append(config.Keys(), "network", "testudo.network") // the network service's own
	for _, r := range rules {
		if !slices.ContainsFunc(known, func(k string) bool { return k == r.key || strings.HasPrefix(k, r.key+".") }) {
			t.Errorf("there is a rule for %s, which is no key", r.key)
		}
		if when[r.kind] == "" || !slices.Contains(order, r.kind) {
			t.Errorf("%s: kind %q has no time or no place", r.key, r.kind)
		}
		if (r.kind == Restart) != (r.service != "") {
			t.Errorf("%s: only restarts name a service", r.key)
		}
	}
}

func TestPlan(t *testing.T) {
	for _, tt := range []struct {
		name, old, fresh string
		want             []string // kind service keys when
		reboot           bool
	}{
		{"nothing changed", "hostname: a", "hostname: a", nil, false},
		{"a name", "hostname: a", "hostname: b", []string{"hostname  [hostname] live", "console  [hostname] live"}, false},
		{"accounts", "", "users: [{name: ann}]\nssh_authorized_keys: [ssh-rsa AAAA]", []string{"console  [users ssh_authorized_keys] live"}, false},
		{"time servers restart one service", "", "ntp: {servers: [a.example]}", []string{"restart ntp [ntp.servers] restart"}, false},
		{"time kept no longer", "", "ntp: {enabled: false}", []string{"services  [ntp.enabled] live"}, false},
		{"several, in order", "", "ntp: {servers: [a.example]}\ntestudo: {syslog: {remote: log.example}, services: {enable: [x]}}\ntimezone: UTC\nhostname: b",
			[]string{"hostname  [hostname] live", "timezone  [timezone] live", "console  [hostname timezone] live", "services  [testudo.services.enable] live", "restart syslog [timezone testudo.syslog.remote] restart", "restart ntp [ntp.servers] restart"}, false},
		{"what is of a boot", "", "bootcmd: [a]", []string{"next boot  [bootcmd] reboot"}, true},
		{"what is of an instance", "", "runcmd: [a]", []string{"instance  [runcmd] new instance"}, false},
		{"a login without asking", "", "testudo: {console: {autologin: [tty1]}}", []string{"console  [testudo.console.autologin] live", "next login  [testudo.console.autologin] next login"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			plan := Plan(parse(t, tt.old), parse(t, tt.fresh))
			var got []string
			for _, a := range plan {
				got = append(got, fmt.Sprintf("%s %s %v %s", a.Kind, a.Service, a.Keys, a.When))
				if a.What == "" {
					t.Errorf("%s: nothing for people", a.Kind)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
			if NeedsReboot(plan) != tt.reboot {
				t.Errorf("reboot: %v", !tt.reboot)
			}
		})
	}
}

func TestAPlanHoldsNoSecrets(t *testing.T) {
	old := parse(t, "")
	fresh := parse(t, "users: [{name: ann, passwd: '$6$geheim$geheim'}]\nwrite_files: [{path: /x, content: geheim}]\nruncmd: [geheim]\ntestudo: {registries: [{host: a, username: u, password: geheim}], services: {variables: {A: geheim}}}")
	if text := fmt.Sprintf("%+v", Plan(old, fresh)); strings.Contains(text, "geheim") {
		t.Errorf("got %s", text)
	}
}
