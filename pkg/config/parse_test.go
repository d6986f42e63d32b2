package config

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

const full = `#cloud-config
hostname: tortoise
timezone: Europe/Lisbon
ssh_authorized_keys:
  - ssh-ed25519 AAAAC3NzaC1lZDI1 ann@example
users:
  - default
  - name: ann
    gecos: Ann Example
    groups: docker, adm
    sudo: ALL=(ALL) ALL
    passwd: $6$salt$hash
    lock_passwd: false
    uid: "1500"
  - {name: bob, groups: [adm], sudo: false, homedir: /srv/bob}
write_files:
  - path: /etc/motd
    content: aGVsbG8K
    encoding: b64
    permissions: 0640
    owner: root:adm
  - {path: /etc/plain, content: "x", append: true, defer: true}
runcmd:
  - echo hello
  - [touch, /tmp/x, 1]
bootcmd: ["true"]
ntp: {enabled: true, servers: [192.0.2.1], pools: [time.example]}
testudo:
  services: {disable: [docker]}
  console: {autologin: [ttyS0]}
  syslog: {remote: "tcp://[2001:db8::1]:6514"}
  docker: {registry_mirrors: ["https://mirror.example"], insecure_registries: ["registry.example:5000", 10.0.0.0/8]}
`

func TestParseTakesEveryKey(t *testing.T) {
	cfg, err := ParseUserData("user-data", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Hostname != "tortoise" || !cfg.Users[0].Default || *cfg.Users[1].UID != 1500 || *cfg.Users[1].LockPasswd {
		t.Errorf("got %+v", cfg)
	}
	if got := cfg.Users[1].Groups; !reflect.DeepEqual(got, WordList{"docker", "adm"}) {
		t.Errorf("groups: got %q", got)
	}
	if len(cfg.Users[2].Sudo) != 0 || len(cfg.Users[1].Sudo) != 1 {
		t.Errorf("sudo: got %q and %q", cfg.Users[1].Sudo, cfg.Users[2].Sudo)
	}
	if bits, err := cfg.WriteFiles[0].Permissions.Bits(); bits != 0o640 || err != nil {
		t.Errorf("permissions: got %o, %v; want 640", bits, err)
	}
	if data, err := cfg.WriteFiles[0].Decode(); string(data) != "hello\n" || err != nil {
		t.Errorf("content: got %q, %v", data, err)
	}
	if want := []Command{{Shell: "echo hello"}, {Argv: []string{"touch", "/tmp/x", "1"}}}; !reflect.DeepEqual(cfg.Runcmd, want) {
		t.Errorf("runcmd: got %+v", cfg.Runcmd)
	}
}

func TestParseSaysWhatIsWrongAndWhere(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"an unknown key names the nearest", "hostnam: x\n", `f:1:1: hostnam: unknown key (did you mean "hostname"?)`},
		{"an unknown key of ours too", "testudo:\n  consol: {}\n", `f:2:3: testudo.consol: unknown key (did you mean "console"?)`},
		{"a wrong type", "hostname: [a]\n", "f:1:11: hostname: found a list, want a text"},
		{"an impossible host name", "\nhostname: a_b\n", "f:2:11: hostname: want a host name"},
		{"a user without a name", "users:\n  - gecos: x\n", "f:2:5: users[0]: a user needs a name"},
		{"a user's name that would break passwd", "users:\n  - name: 'a:b'\n", "f:2:11: users[0].name: want a user name"},
		{"a user twice", "users:\n- name: a\n- name: a\n", "f:3:9: users[1].name: a user of this name stands here twice"},
		{"a password that is no hash is not repeated", "users:\n- name: a\n  passwd: tooshort\n", "f:3:11: users[0].passwd: want a crypt hash such as mkpasswd or openssl passwd -6 makes"},
		{"a line break in sudo rules", "users:\n- name: a\n  sudo: \"ALL=ALL\\nb ALL=ALL\"\n", "f:3:9: users[0].sudo[0]: want a sudo rule"},
		{"a word that is no user", "users: [all]\n", `f:1:9: users[0]: found the text "all", want a mapping`},
		{"a decimal mode", "write_files:\n- {path: /a, permissions: 0888}\n", "f:2:27: write_files[0].permissions: found"},
		{"a relative path", "write_files:\n- {path: a}\n", "f:2:10: write_files[0].path: want an absolute path"},
		{"a path that climbs", "write_files:\n- {path: /a/../b}\n", "f:2:10: write_files[0].path: want an absolute path"},
		{"an unknown encoding", "write_files:\n- {path: /a, encoding: rot13}\n", "f:2:24: write_files[0].encoding: want b64"},
		{"content that is not base64", "write_files:\n- {path: /a, encoding: b64, content: '*'}\n", "f:2:38: write_files[0].content: found content that is not base64"},
		{"content that is not gzip", "write_files:\n- {path: /a, encoding: gz, content: x}\n", "f:2:37: write_files[0].content: found content that is not gzip"},
		{"a key that is none", "ssh_authorized_keys: [hello]\n", "f:1:23: ssh_authorized_keys[0]: want an OpenSSH public key"},
		{"an empty command", "runcmd: [[]]\n", "f:1:10: runcmd[0]: found an empty list"},
		{"a zone that climbs", "timezone: ../../etc/shadow\n", "f:1:11: timezone: want a time zone"},
		{"a server that is none", "ntp: {servers: ['a b']}\n", "f:1:17: ntp.servers[0]: want a host name or an address"},
		{"a remote with an unknown protocol", "testudo: {syslog: {remote: 'ftp://x'}}\n", "f:1:28: testudo.syslog.remote: want"},
		{"a terminal that is a path", "testudo: {console: {autologin: [/dev/tty1]}}\n", "f:1:33: testudo.console.autologin[0]: want a terminal"},
		{"what init reads before any file", "testudo: {state: {autoformat: 'true'}}\n", "f:1:31: testudo.state.autoformat: works on the kernel command line only"},
		{"a second document", "hostname: a\n---\nhostname: b\n", "a second document"},
		{"text that is no YAML", "a: [\n", "f:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := Parse("f", []byte(tt.text))
			if err == nil {
				t.Fatalf("accepted: %+v", cfg)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestParseReportsEverythingAtOnce(t *testing.T) {
	_, err := Parse("f", []byte("hostname: a_b\ntimezone: '!'\nusers: [{name: A}]\nhostnam: x\n"))
	if got := strings.Count(err.Error(), "\n") + 1; got != 4 {
		t.Errorf("got %d findings, want 4:\n%v", got, err)
	}
	_, err = Parse("f", []byte("users: [{name: 5}]\n"))
	if got := strings.Count(err.Error(), "\n") + 1; got != 1 {
		t.Errorf("one mistake is told %d times:\n%v", got, err)
	}
}

func TestUserDataMustSayWhatItIs(t *testing.T) {
	tests := []struct{ name, data, want string }{
		{"a script", "#!/bin/sh\n", "found a script in the first line"},
		{"gzip", "\x1f\x8b\x08\x00", "found gzip data"},
		{"MIME", "Content-Type: multipart/mixed\n", "found a MIME message"},
		{"noise", "\xff\xfe\x00", "found binary data"},
		{"YAML without the header", "hostname: a\n", `found "hostname: a"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseUserData("user-data", []byte(tt.data))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	for _, ok := range []string{"", "\n", "#cloud-config", "#cloud-config\r\nhostname: a\r\n", "\xef\xbb\xbf#cloud-config\nhostname: a\n"} {
		if _, err := ParseUserData("user-data", []byte(ok)); err != nil {
			t.Errorf("%q is refused: %v", ok, err)
		}
	}
}

func TestJSONCarriesTheWholeConfiguration(t *testing.T) {
	cfg, err := Parse("f", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var back Config
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(*cfg, back) {
		t.Errorf("got  %s\nwant %s", mustJSON(t, back), data)
	}
}

func TestDeclaredServicesKeepTheirPlaceAndSurviveExport(t *testing.T) {
	cfg := mustParse(t, "testudo:\n  services:\n    declare:\n      web: {image: i, environment: {A: '1'}}\n")
	declared := cfg.Testudo.Services.Declare
	if len(declared) != 1 || declared[0].File != "f" || declared[0].Node.Content[0].Line != 4 {
		t.Fatalf("got %+v", declared)
	}
	exported, err := cfg.Export()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseUserData("export", exported)
	if err != nil {
		t.Fatalf("%v\n%s", err, exported)
	}
	if got, want := mustJSON(t, again), mustJSON(t, cfg); !bytes.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, err := Parse("f", []byte("testudo: {services: {declare: [web]}}")); err == nil || !strings.Contains(err.Error(), "want services by name") {
		t.Errorf("got %v", err)
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestModes(t *testing.T) {
	for text, want := range map[Mode]uint32{"": 0o644, "0644": 0o644, "755": 0o755, "0o600": 0o600, "4755": 0o4755} {
		if got, err := text.Bits(); got != want || err != nil {
			t.Errorf("%q: got %o, %v; want %o", text, got, err, want)
		}
	}
	for _, text := range []Mode{"0999", "-1", "10000", "rw", "0o", "0x1ff"} {
		if got, err := text.Bits(); err == nil {
			t.Errorf("%q is taken as %o", text, got)
		}
	}
}

func TestLogRemotes(t *testing.T) {
	for text, want := range map[string]Remote{
		"log.example":             {"udp", "log.example", 514},
		"tcp://log.example":       {"tcp", "log.example", 514},
		"tls://log.example":       {"tls", "log.example", 6514},
		"tls://[2001:db8::1]:601": {"tls", "2001:db8::1", 601},
	} {
		if got, err := ParseLogRemote(text); got != want || err != nil {
			t.Errorf("%s: got %+v (%v)", text, got, err)
		}
	}
	for _, text := range []string{"", "http://log.example", "tls://", "tls://a:0", "tls://a b"} {
		if got, err := ParseLogRemote(text); err == nil {
			t.Errorf("%q is taken for %+v", text, got)
		}
	}
	_, err := Parse("x.yaml", []byte("#cloud-config\ntestudo:\n  logging:\n    remote: [tls://log.example, ftp://log.example]\n    tls_ca: none\n"))
	for _, want := range []string{"x.yaml:4:", "want [udp://|tcp://|tls://]HOST[:PORT]", "x.yaml:5:", "want certificates in PEM"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not speak of %q: %v", want, err)
		}
	}
}

func TestRemotes(t *testing.T) {
	for text, want := range map[string]Remote{
		"log.example":          {"udp", "log.example", 514},
		"tcp://log.example":    {"tcp", "log.example", 514},
		"udp://192.0.2.1:5514": {"udp", "192.0.2.1", 5514},
		"[2001:db8::1]:601":    {"udp", "2001:db8::1", 601},
		"2001:db8::1":          {"udp", "2001:db8::1", 514},
		"tcp://[2001:db8::1]":  {"tcp", "2001:db8::1", 514},
	} {
		if got, err := ParseRemote(text); got != want || err != nil {
			t.Errorf("%s: got %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "a b", "x:0", "x:99999", "x:y", "http://x", `x";evil`, "fe80::1%eth0;x"} {
		if got, err := ParseRemote(text); err == nil {
			t.Errorf("%q is taken as %+v", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte("users: [default, {name: a, groups: a}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, err := Parse("f", data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f:") {
				t.Fatalf("an error without a place: %v", err)
			}
			return
		}
		for _, u := range cfg.Users {
			if strings.ContainsAny(u.Name+u.Gecos+u.Shell+u.Homedir+string(u.Passwd), ":\n") {
				t.Fatalf("a user that breaks passwd: %+v", u)
			}
		}
		exported, err := cfg.Export()
		if err != nil {
			t.Fatalf("accepted but not exported: %v", err)
		}
		for _, u := range cfg.Users {
			if u.Passwd != "" {
				return // the placeholder is no hash
			}
		}
		if _, err := ParseUserData("export", exported); err != nil {
			t.Fatalf("the export is not read back: %v\n%s", err, exported)
		}
	})
}
