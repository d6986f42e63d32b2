package config

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

func TestParseCmdline(t *testing.T) {
	tests := []struct {
		name, line string
		want       string // the configuration it equals
		problem    string
	}{
		{"other arguments are no concern of ours", "console=ttyS0 quiet root=/dev/sda hostname=x", "{}", ""},
		{"a key of cloud-config", "testudo.hostname=tortoise", "hostname: tortoise", ""},
		{"a host name that YAML would take for a number", "testudo.hostname=12", "hostname: '12'", ""},
		{"a key of ours", "testudo.console.autologin=ttyS0", "testudo: {console: {autologin: [ttyS0]}}", ""},
		{"repeating adds to a list", "testudo.console.autologin=ttyS0 testudo.console.autologin=tty1", "testudo: {console: {autologin: [ttyS0, tty1]}}", ""},
		{"a quoted key with spaces, twice", `testudo.ssh_authorized_keys="ssh-ed25519 AAAA1 a@b" "testudo.ssh_authorized_keys=ssh-rsa AAAA2"`, "ssh_authorized_keys: [ssh-ed25519 AAAA1 a@b, ssh-rsa AAAA2]", ""},
		{"a YAML list", "testudo.services.disable=[docker,ntp]", "testudo: {services: {disable: [docker, ntp]}}", ""},
		{"a boolean", "testudo.ntp.enabled=false", "ntp: {enabled: false}", ""},
		{"a boolean without a value", "testudo.ntp.enabled", "ntp: {enabled: true}", ""},
		{"a whole mapping", `testudo.ntp="{servers: [a]}"`, "ntp: {servers: [a]}", ""},
		{"a user", `testudo.users="{name: ann, uid: 1200}"`, "users: [{name: ann, uid: 1200}]", ""},
		{"what init reads is no error", "testudo.break=mount testudo.watchdog=30", "{}", ""},
		{"a wrong argument is reported and the others count", "testudo.hostnam=a testudo.timezone=UTC", "timezone: UTC", `kernel argument testudo.hostnam: unknown key "hostnam" (did you mean "hostname"?)`},
		{"a key too deep", "testudo.hostname.x=1", "{}", `unknown key "x"`},
		{"a section with a word", "testudo.ntp=yes", "{}", `kernel argument testudo.ntp: found the text "yes", want a mapping`},
		{"an impossible value", "testudo.hostname=a_b", "{}", "kernel argument testudo.hostname: want a host name"},
		{"a value that is not YAML is not repeated", "testudo.users={", "{}", "the value is not YAML"},
		{"nothing after the dot", "testudo.=1", "{}", `unknown key ""`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, problems := ParseCmdline(tt.line)
			want := mustParse(t, tt.want)
			if got, want := string(mustJSON(t, cfg)), string(mustJSON(t, want)); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			switch {
			case tt.problem == "" && len(problems) > 0:
				t.Errorf("problems: %v", problems)
			case tt.problem != "" && (len(problems) != 1 || !strings.Contains(problems[0].Error(), tt.problem)):
				t.Errorf("got %v, want %s", problems, tt.problem)
			}
		})
	}
}

func TestAutoformatShowsInTheConfiguration(t *testing.T) {
	for _, value := range []string{"true", "/dev/vdb"} {
		cfg, problems := ParseCmdline("testudo.state.autoformat=" + value)
		if len(problems) > 0 || cfg.Testudo.State.Autoformat != value {
			t.Errorf("got %q, %v; want %q", cfg.Testudo.State.Autoformat, problems, value)
		}
	}
}

// On the command line both live under testudo., so they must not clash.
func TestNoKeyOfOursIsAlsoOneOfCloudConfig(t *testing.T) {
	for _, ours := range strictyaml.Fields(Testudo{}) {
		if ours == "network" {
			continue // told apart by what follows: see the next test
		}
		if _, clash := fieldOf(reflect.TypeFor[Config](), ours); clash {
			t.Errorf("%s is both", ours)
		}
	}
}

func TestNetworkOnTheCommandLineIsOursOrNetplansByWhatFollows(t *testing.T) {
	cfg, problems := ParseCmdline(`testudo.network.online.timeout=5s testudo.network.ethernets="{eth0: {dhcp4: true}}"`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if cfg.Testudo.Network.Online.Bound() != 5*time.Second || cfg.Network == nil || cfg.Network.Ethernets["eth0"] == nil {
		t.Errorf("got %s", cfg)
	}
	if _, problems := ParseCmdline("testudo.network.onlin.timeout=5s"); len(problems) != 1 || !strings.Contains(problems[0].Error(), "onlin") {
		t.Errorf("got %v", problems)
	}
}

func FuzzParseCmdline(f *testing.F) {
	f.Add(`testudo.users="{name: ann}" testudo.hostname=x testudo.ntp.enabled testudo.runcmd=[a,[b]]`)
	f.Fuzz(func(t *testing.T, line string) {
		cfg, _ := ParseCmdline(line)
		if findings := Validate(cfg); len(findings) > 0 {
			t.Fatalf("%q gives an invalid configuration: %v", line, findings)
		}
	})
}
