package render

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/netplan"
)

func TestFiles(t *testing.T) {
	tests := []struct {
		name string
		cfg  config.Config
		want map[string]string
	}{
		{"nothing configured leaves the images' own", config.Config{}, map[string]string{}},
		{"time servers", config.Config{NTP: config.NTP{Servers: []string{"192.0.2.1"}, Pools: []string{"time.example"}, Peers: []string{"peer.example"}}},
			map[string]string{"ntp/default.sources": "server 192.0.2.1 iburst\npool time.example iburst maxsources 4\npeer peer.example\n"}},
		{"a remote log", config.Config{Testudo: config.Testudo{Syslog: config.Syslog{Remote: "tcp://[2001:db8::1]:601"}}},
			map[string]string{"syslog/remote.conf": `action(type="omfwd" target="2001:db8::1" port="601" protocol="tcp"`}},
		{"a remote log by default", config.Config{Testudo: config.Testudo{Syslog: config.Syslog{Remote: "log.example"}}},
			map[string]string{"syslog/remote.conf": `target="log.example" port="514" protocol="udp"`}},
		{"certificates", config.Config{CACerts: config.CACerts{Trusted: []string{"PEM"}}}, map[string]string{"docker/trusted.crt": "PEM\n"}},
		{"certificates in place of the image's", config.Config{CACerts: config.CACerts{Trusted: []string{"PEM"}, RemoveDefaults: true}},
			map[string]string{"docker/trusted.crt": "PEM\n", "docker/only-trusted": "do not count"}},
		{"no certificates at all", config.Config{CACerts: config.CACerts{RemoveDefaults: true}}, map[string]string{"docker/trusted.crt": "", "docker/only-trusted": "do not count"}},
		{"mirrors", config.Config{Testudo: config.Testudo{Docker: config.Docker{RegistryMirrors: []string{"https://m.example"}}}},
			map[string]string{"docker/daemon.json": "{\n  \"registry-mirrors\": [\n    \"https://m.example\"\n  ]\n}\n"}},
		{"a proxy", config.Config{Testudo: config.Testudo{Network: netplan.Testudo{Proxy: netplan.Proxy{HTTP: "http://p:1", NoProxy: []string{"a", "b"}}}}},
			map[string]string{"docker/daemon.json": `"http-proxy": "http://p:1",
    "no-proxy": "a,b"`, "network/network.json": `"http": "http://p:1"`}},
		{"a network", config.Config{Network: &netplan.Config{Version: 2, Ethernets: map[string]*netplan.Ethernet{"eth0": {}}}},
			map[string]string{"network/network.json": `"eth0": {}`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Files(&tt.cfg)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(tt.want))) {
				t.Fatalf("got %q, want %q", got, tt.want)
			}
			for path, want := range tt.want {
				if !strings.Contains(got[path], want) {
					t.Errorf("%s: got %q, want %q", path, got[path], want)
				}
			}
		})
	}
}

func TestWriteLeavesNothingStale(t *testing.T) {
	dir := t.TempDir()
	foreign := filepath.Join(dir, "other", "file")
	if err := os.MkdirAll(filepath.Dir(foreign), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(foreign, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Write(dir, map[string]string{"ntp/default.sources": "a", "syslog/remote.conf": "b"}); err != nil {
		t.Fatal(err)
	}
	if err := Write(dir, map[string]string{"ntp/default.sources": "c"}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "ntp/default.sources")); string(got) != "c" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, service := range Services() {
		if _, err := os.Stat(filepath.Join(dir, service)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "syslog/remote.conf")); err == nil {
		t.Error("a file that is no longer wanted is still there")
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Errorf("another's folder was touched: %v", err)
	}
}

// What may stand in quotes of rsyslog's language or on a line of chrony's is
// decided by config's checks; this sees that they are enough.
func FuzzSyslog(f *testing.F) {
	f.Add("tcp://log.example:601")
	f.Fuzz(func(t *testing.T, remote string) {
		got, err := syslog(config.Syslog{Remote: remote})
		if err == nil && got != "" && (strings.Count(got, `"`) != 32 || strings.Count(got, "\n") != 6) {
			t.Fatalf("%q gives %q", remote, got)
		}
	})
}

func TestTheNetworksFilesAreForRootAlone(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, map[string]string{"network/network.json": "{}", "ntp/default.sources": "a"}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"network/network.json": 0o600, "ntp/default.sources": 0o644} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}
