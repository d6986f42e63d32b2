package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/netstatus"
)

var update = flag.Bool("update", false, "write the golden files")

var boot = time.Date(2026, 11, 21, 4, 0, 0, 0, time.UTC)

func services() []api.Service {
	return []api.Service{
		{Name: "docker", State: api.StateCrashLoop, Reason: "exit 1, 5 times in 40 s, next try in 12 s", Image: "testudo/docker:1", Restarts: 5, Since: boot.Add(50 * time.Second), Source: "docker.yaml:2"},
		{Name: "network", State: api.StateRunning, Reason: "eth0: 10.0.2.15/24 from DHCP, gateway 10.0.2.2; eth1: no carrier", Ready: true, Essential: true, PID: 212, Image: "testudo/network:1", Since: boot.Add(2 * time.Second), Source: "network.yaml:2",
			Layers: []api.Layer{{Label: "built-in", Place: "network.yaml:2"}, {Label: "user", Place: "/var/lib/testudo/services/network.yaml:2"}}},
		{Name: "syslog", State: api.StateDisabled, Reason: "disabled by the configuration", Image: "testudo/syslog:1", Since: boot},
	}
}

// networkState is a machine with a bond, online or not.
func networkState(online bool) api.Network {
	until := boot.Add(50 * time.Minute)
	n := api.Network{Time: boot, Online: online, Ready: true, DNS: netstatus.NetworkNames{Servers: []string{"10.0.2.3"}, Search: []string{"example.com"}},
		Checks: []netstatus.NetworkCheck{{Name: "carrier", OK: true, Detail: "eth0"}},
		Links: []netstatus.NetworkLink{
			{Name: "eth0", Index: 2, ID: "eth0", Kind: "card", State: "up", MAC: "52:54:00:12:34:56", MTU: 1500, Driver: "virtio_net", Path: "pci-0000:00:03.0", Text: "10.0.2.15/24 from DHCP, gateway 10.0.2.2",
				Addresses: []netstatus.NetworkAddress{{Address: "10.0.2.15/24", From: "dhcp4", Until: &until}, {Address: "2001:db8::5/64", From: "static", Note: "tentative"}},
				Routes:    []netstatus.NetworkRoute{{To: "0.0.0.0/0", Gateway: "10.0.2.2", Metric: 1026, From: "dhcp4"}, {To: "10.9.0.0/16", Type: "blackhole", Metric: 5, Table: 7, From: "static"}},
				Leases:    []netstatus.NetworkLease{{Protocol: "dhcp4", State: "bound", Server: "10.0.2.2", Address: "10.0.2.15/24", Renew: &until, Expires: &until}},
				DNS:       netstatus.NetworkNames{Servers: []string{"10.0.2.3"}, Search: []string{"example.com"}}},
			{Name: "eth9", ID: "eth9", Kind: "card", State: "absent", Text: "no interface here has the name eth9"},
		}}
	if !online {
		n.Why = "no interface has a way out (eth0: no answer to DHCP, retrying in 8 s (attempt 4))"
		n.Checks = append(n.Checks, netstatus.NetworkCheck{Name: "route", Detail: n.Why})
		n.Links[0].Problems = []string{"add address 10.0.0.1/24 to eth0: permission denied"}
		n.Firewall, n.Problems = true, []string{"firewall: operation not supported"}
	}
	return n
}

// fake is a rosd that says what tests want to see.
func fake(healthy bool) http.Handler {
	mux := http.NewServeMux()
	answer := func(pattern string, v any) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(v) })
	}
	version := api.Version{Name: "Testudo", Version: "0.1.0", Build: "abc123", Kernel: "6.12.1"}
	answer("GET /v1/version", version)
	st := api.Status{Hostname: "tortoise", Version: version, Healthy: healthy, Uptime: 192.4, Problems: []string{}, Services: services()[1:], Machine: api.Machine{StateDevice: "/dev/vda", StateMode: "disk"},
		Disks: []api.Disk{{Path: "/state", Device: "/dev/vda", Size: 4 << 30, Free: 3 << 30}}, Addresses: []api.Address{{Interface: "eth0", Address: "10.0.2.15/24"}}}
	if !healthy {
		st.Config.Refused = []string{"/var/lib/testudo/config/cloud-config.yaml is refused, its last good content is used"}
		until := boot.Add(time.Hour)
		st.Config.TryUntil = &until
		st.Problems = []string{"/var/lib/testudo/config/cloud-config.yaml:2:1: hostnam: unknown key", "service docker: crash-loop"}
		st.Services = services()
		st.Services[1].Ready, st.Services[1].State = false, api.StateStarting
		st.Machine = api.Machine{StateMode: "ram", StateReason: "no disk with the label TESTUDO_STATE", Warnings: []string{"e2fsck repaired /dev/vda"}}
	}
	answer("GET /v1/status", st)
	answer("GET /v1/services", services())
	answer("GET /v1/network", networkState(healthy))
	answer("GET /v1/network/watch", networkState(healthy))
	answer("GET /v1/services/network/inspect", map[string]any{"Name": "network", "Image": "testudo/network"})
	answer("GET /v1/boot", []api.BootStep{
		{Name: "mounts", Kind: "init", Start: 1_000_000, End: 1_020_000},
		{Name: "system image", Kind: "init", Start: 1_020_000, End: 1_500_000},
		{Name: "network", Kind: "service", Start: 1_800_000, End: 2_000_000, Error: "no carrier"},
		{Name: "ntp", Kind: "service", Waits: []api.BootWait{{Reason: "waiting for network to be ready", From: 1_700_000, To: 2_000_000}}, Start: 2_000_000, Runs: 2_100_000, End: 2_200_000},
	})
	usage := []api.Usage{
		{Service: "network", PID: 212, Time: boot, CPU: 1_000_000, Memory: 12 << 20, MemoryLimit: 64 << 20, Processes: 3},
		{Service: "docker", PID: 300, Time: boot, CPU: 5_000_000, Memory: 150 << 20, Processes: 40, ReadBytes: 1 << 30},
	}
	var looks atomic.Int64
	mux.HandleFunc("GET /v1/usage", func(w http.ResponseWriter, _ *http.Request) {
		now := slices.Clone(usage)
		if looks.Add(1)%2 == 0 { // two seconds later
			for i := range now {
				now[i].Time = now[i].Time.Add(2 * time.Second)
			}
			now[0].CPU += 500_000
			now[1].WriteBytes += 3 << 20
		}
		_ = json.NewEncoder(w).Encode(now)
	})
	exit := 1
	mux.HandleFunc("GET /v1/events", func(w http.ResponseWriter, _ *http.Request) {
		encoder := json.NewEncoder(w)
		_ = encoder.Encode(api.SystemEvent{Time: boot, Kind: "service", Name: "network", State: api.StateRunning, PID: 212})
		_ = encoder.Encode(api.SystemEvent{Time: boot.Add(time.Second), Kind: "service", Name: "docker", State: api.StateCrashLoop, Reason: "exit 1", ExitCode: &exit})
	})
	answer("GET /v1/config", json.RawMessage(`{"hostname":"tortoise","users":[{"default":true},{"name":"ann","passwd":"[redacted]"}],"testudo":{"console":{"autologin":["ttyS0"]}}}`))
	entry := api.ConfigEntry{ID: 4, Time: boot, Change: "set hostname", Files: []string{"cloud-config.yaml"}}
	answer("GET /v1/config/file", api.ConfigFile{Path: "/var/lib/testudo/config/cloud-config.yaml", Text: "#cloud-config\nhostname: tortoise\n", Base: 3})
	mux.HandleFunc("POST /v1/config/edit", func(w http.ResponseWriter, r *http.Request) {
		var o api.ConfigEdit
		_ = json.NewDecoder(r.Body).Decode(&o)
		if o.Key == "hostname" && o.Value == "a_b" {
			w.WriteHeader(http.StatusBadRequest)
			_ = json.NewEncoder(w).Encode(api.Error{Message: "invalid request: set hostname: want a host name"})
			return
		}
		e := entry
		e.Overridden = o.Key == "timezone"
		e.Change = fmt.Sprintf("%s %s %q %q %d", o.Verb, o.Key, o.Value, o.Text, o.Base)
		_ = json.NewEncoder(w).Encode(e)
	})
	until := boot.Add(5 * time.Minute)
	applied := api.ConfigApplied{Entry: 4, Reboot: true, Actions: []api.ConfigAction{
		{What: "call the machine tortoise", When: "live", Keys: []string{"hostname"}},
		{What: "restart ntp, which reads its files at its start", When: "restart", Keys: []string{"ntp.servers"}, Error: "it is in state crash-loop"},
		{What: "done at the next boot", When: "reboot", Keys: []string{"bootcmd"}},
	}}
	mux.HandleFunc("POST /v1/config/apply", func(w http.ResponseWriter, r *http.Request) {
		var o api.ConfigApply
		_ = json.NewDecoder(r.Body).Decode(&o)
		a := applied
		if o.DryRun {
			a.Actions = slices.Clone(a.Actions)
			a.Actions[1].Error = ""
		}
		if o.Try != 0 {
			a.TryUntil = &until
		}
		_ = json.NewEncoder(w).Encode(a)
	})
	answer("POST /v1/config/rollback", api.ConfigApplied{Entry: 5})
	answer("POST /v1/config/confirm", entry)
	before := entry
	before.ID, before.Change, before.Applied = 3, "changed by hand", true
	answer("GET /v1/config/history", []api.ConfigEntry{before, entry})
	answer("GET /v1/config/diff", api.ConfigDiff{From: "in force", To: "next", Keys: []string{"hostname"}, Text: "--- in force\n+++ next\n@@ -1 +1 @@\n-hostname: a\n+hostname: b\n"})
	mux.HandleFunc("POST /v1/services/{name}/{verb}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("name") != "network" {
			w.WriteHeader(http.StatusNotFound)
			_ = json.NewEncoder(w).Encode(api.Error{Message: "no service has this name"})
			return
		}
		_ = json.NewEncoder(w).Encode(services()[1])
	})
	for _, verb := range []string{"enable", "disable", "create", "remove"} {
		mux.HandleFunc("POST /v1/services/{name}/"+verb, func(w http.ResponseWriter, r *http.Request) {
			if r.PathValue("name") == "other" {
				w.WriteHeader(http.StatusNotFound)
				_ = json.NewEncoder(w).Encode(api.Error{Message: "no service has this name"})
				return
			}
			var d api.Declaration
			_ = json.NewDecoder(r.Body).Decode(&d)
			_ = json.NewEncoder(w).Encode(api.Declared{Name: r.PathValue("name"), File: "web.yaml", Message: fmt.Sprintf("%s %q", verb, d.File)})
		})
	}
	mux.HandleFunc("GET /v1/logs", func(w http.ResponseWriter, r *http.Request) {
		for i, service := range []string{"network", "ntp"} {
			if want := r.URL.Query()["service"]; want == nil || slices.Contains(want, service) {
				_ = json.NewEncoder(w).Encode(api.LogLine{Time: boot.Add(time.Duration(i) * 1500 * time.Millisecond), BootID: fmt.Sprint("boot", i), Service: service, Stream: "stdout", Priority: 6, Line: "line of " + service})
			}
		}
		_ = json.NewEncoder(w).Encode(api.LogLine{Time: boot, BootID: "boot1", Service: "network", Stream: "stderr", Priority: 3, Line: "query " + r.URL.RawQuery})
	})
	image := api.Image{Ref: "local/web:1", Digest: "sha256:0123456789abcdef", Size: 3 << 20, Used: []string{"web"}}
	moved := api.Upgraded{Service: "network", Image: "10.0.2.2:5000/network@sha256:1", Previous: "testudo/network"}
	answer("GET /v1/services/network", services()[0])
	answer("GET /v1/images", []api.Image{image})
	answer("POST /v1/images/import", api.Progress{Image: &image})
	answer("POST /v1/images/remove", struct{}{})
	answer("POST /v1/services/network/kill", services()[0])
	answer("POST /v1/services/network/pull", api.Progress{Image: &image})
	answer("POST /v1/services/network/upgrade", api.Progress{Upgraded: &moved})
	answer("POST /v1/services/network/rollback", moved)
	answer("POST /v1/up", []api.Change{{Service: "network", Action: api.ChangeRestart, Reason: "it is to run otherwise", Keys: []string{"image"}}})
	mux.HandleFunc("POST /v1/power", func(w http.ResponseWriter, r *http.Request) {
		var p api.Power
		_ = json.NewDecoder(r.Body).Decode(&p)
		w.Header().Set("X-Action", p.Action)
		w.WriteHeader(http.StatusAccepted)
	})
	return mux
}

// listen serves a handler on a unix socket until the test ends.
func listen(t *testing.T, handler http.Handler) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ros") // short: a socket's path holds 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); <-done; _ = os.RemoveAll(dir) })
	return socket
}

type result struct {
	code     int
	out, err string
}

func ros(t *testing.T, socket, in string, argv ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	s := &session{in: strings.NewReader(in), out: &out, err: &errs, socket: socket, now: func() time.Time { return boot.Add(192 * time.Second) }}
	edits := []string{"timezone: UTC\n"}
	if in != "" { // there are answers: the first edit is a mistake
		edits = []string{"timezon: UTC\n", "timezone: UTC\n"}
	}
	s.editor = func(_ context.Context, path string) error {
		old, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text := strings.TrimSuffix(string(old), "timezon: UTC\n") + edits[0]
		edits = edits[1:]
		return os.WriteFile(path, []byte(text), 0o600)
	}
	code := run(t.Context(), s, argv)
	return result{code, out.String(), errs.String()}
}

// onTerminal runs a command as if on a terminal with colours.
func onTerminal(ctx context.Context, socket string, argv ...string) (string, int) {
	var out bytes.Buffer
	s := &session{out: &out, err: &out, socket: socket, now: time.Now, terminal: true, color: true}
	code := run(ctx, s, argv)
	return out.String(), code
}

func TestGolden(t *testing.T) {
	healthy, sick := listen(t, fake(true)), listen(t, fake(false))
	tests := []struct {
		name   string
		socket string
		line   string
		in     string
		code   int
	}{
		{"overview", healthy, "ros help", "", 0},
		{"usage-of-a-group", healthy, "ros service", "", 2},
		{"usage-of-a-verb", healthy, "ros service logs --help", "", 0},
		{"service-ls", healthy, "ros service ls", "", 0},
		{"service-ls-all", healthy, "ros service ls --all", "", 0},
		{"service-ls-json", healthy, "ros service ls --format json", "", 0},
		{"service-ps", healthy, "ros service ps", "", 0},
		{"service-restart", healthy, "ros service restart network", "", 0},
		{"service-stop-unknown", healthy, "ros service stop netwrk", "", 1},
		{"service-stop-two", healthy, "ros service stop netwrk network", "", 1},
		{"service-inspect", healthy, "ros service inspect network", "", 0},
		{"service-logs", healthy, "ros service logs network --tail 5", "", 0},
		{"service-logs-times", healthy, "ros service logs -t -f network", "", 0},
		{"logs", healthy, "ros logs", "", 0},
		{"logs-json", healthy, "ros logs -n 1 --format json", "", 0},
		{"logs-options", healthy, "ros logs network --since 10m --until 2026-11-21T04:00:00Z --boot -1 --priority err --grep a|b", "", 0},
		{"logs-wrong-time", healthy, "ros logs --since yesterday", "", 2},
		{"logs-wrong-priority", healthy, "ros logs --priority loud", "", 2},
		{"logs-wrong-boot", healthy, "ros logs --boot 1", "", 2},
		{"service-logs-two", healthy, "ros service logs network ntp", "", 0},
		{"events", healthy, "ros events", "", 0},
		{"events-json", healthy, "ros events --format json", "", 0},
		{"top", healthy, "ros top", "", 0},
		{"top-json", healthy, "ros top --sort name --format json", "", 0},
		{"top-wrong-sort", healthy, "ros top --sort size", "", 2},
		{"logs-follow-json", healthy, "ros logs -f --format=json", "", 0},
		{"version", healthy, "ros os version", "", 0},
		{"version-json", healthy, "ros os version --format json", "", 0},
		{"status", healthy, "ros status", "", 0},
		{"status-sick", sick, "ros status", "", 1},
		{"blame", healthy, "ros boot blame", "", 0},
		{"blame-json", healthy, "ros boot blame --format json", "", 0},
		{"chart", healthy, "ros boot chart --format text", "", 0},
		{"chart-svg", healthy, "ros boot chart", "", 0},
		{"network-status", healthy, "ros network status", "", 0},
		{"network-status-sick", sick, "ros network status", "", 1},
		{"network-status-json", healthy, "ros network status --format json", "", 0},
		{"network-watch", healthy, "ros network watch", "", 0},
		{"network-diag", healthy, "ros network diag", "", 0},
		{"network-diag-sick", sick, "ros network diag", "", 1},
		{"network-diag-json", sick, "ros network diag --format json", "", 1},
		{"export", healthy, "ros config export", "", 0},
		{"export-json", healthy, "ros config export --format json", "", 0},
		{"config-get", healthy, "ros config get hostname", "", 0},
		{"config-get-list", healthy, "ros config get testudo.console.autologin", "", 0},
		{"config-get-unset", healthy, "ros config get timezone", "", 1},
		{"config-get-wrong", healthy, "ros config get hostnam", "", 2},
		{"config-set", healthy, "ros config set hostname tortoise", "", 0},
		{"config-set-overridden", healthy, "ros config set timezone UTC", "", 0},
		{"config-set-json", healthy, "ros config set hostname tortoise --format json", "", 0},
		{"config-set-wrong", healthy, "ros config set hostname a_b", "", 1},
		{"config-unset-wrong", healthy, "ros config unset sysctl", "", 2},
		{"config-merge-json", healthy, "ros config merge - --format json", "timezone: UTC\n", 0},
		{"config-edit-json", healthy, "ros config edit --format json", "y\n", 0},
		{"config-edit-given-up", healthy, "ros config edit", "n\n", 1},
		{"config-apply", healthy, "ros config apply", "", 1},
		{"config-apply-dry", healthy, "ros config apply --dry-run", "", 0},
		{"config-apply-try", healthy, "ros config apply --try 2m", "", 1},
		{"config-apply-both", healthy, "ros config apply --try 2m --dry-run", "", 2},
		{"config-confirm", healthy, "ros config confirm", "", 0},
		{"config-history", healthy, "ros config history", "", 0},
		{"config-diff", healthy, "ros config diff", "", 0},
		{"config-diff-wrong", healthy, "ros config diff one", "", 2},
		{"config-rollback", healthy, "ros config rollback 3", "", 0},
		{"config-import", healthy, "ros config import -", "hostname: a\nrancher: {sysctl: {a.b: 1}, console: alpine}\n", 0},
		{"validate-notes", healthy, "ros config validate -", "hostname: a\npackages: [vim]\n", 0},
		{"validate-good", healthy, "ros config validate -", "#cloud-config\nhostname: a\n", 0},
		{"validate-bad", healthy, "ros config validate -", "hostnam: a\nusers: [{}]\n", 1},
		{"validate-bad-json", healthy, "ros config validate - --format json", "hostnam: a\n", 1},
		{"service-validate-good", healthy, "ros service validate testdata/services/good", "", 0},
		{"service-validate-file", healthy, "ros service validate testdata/services/good/web.yaml --base testdata/services/base", "", 0},
		{"service-validate-bad", healthy, "ros service validate testdata/services/bad --base testdata/services/base --images testdata/services/images", "", 1},
		{"service-validate-bad-json", healthy, "ros service validate testdata/services/bad/limits.yaml --format json", "", 1},
		{"service-validate-missing", healthy, "ros service validate testdata/services/nowhere", "", 1},
		{"service-create-dry-run", healthy, "ros service create web --image testudo/syslog --command sleep --command $HOME -e A=1 -v /home:/data:ro --network host --memory 64m --depends-on network --dry-run", "", 0},
		{"service-create", healthy, "ros service create web --image testudo/syslog", "", 0},
		{"service-create-from-file", healthy, "ros service create web --file -", "services: {}\n", 0},
		{"service-create-nothing", healthy, "ros service create web", "", 2},
		{"service-enable", healthy, "ros service enable web", "", 0},
		{"service-disable-two", healthy, "ros service disable other web", "", 1},
		{"service-rm-json", healthy, "ros service rm web --format json", "", 0},
		{"did-you-mean", healthy, "ros servic ls", "", 2},
		{"did-you-mean-verb", healthy, "ros service restrat x", "", 2},
		{"unknown", healthy, "ros frobnicate", "", 2},
		{"unknown-flag", healthy, "ros service ls --frmt json", "", 2},
		{"unknown-format", healthy, "ros service ls --format yaml", "", 2},
		{"missing-argument", healthy, "ros service start", "", 2},
		{"unreachable", "/nonexistent/api.sock", "ros status", "", 1},
		{"shutdown-without-time", healthy, "shutdown -h", "", 2},
		{"completion", healthy, "ros completion bash", "", 0},
		{"completion-zsh", healthy, "ros completion zsh", "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := ros(t, tt.socket, tt.in, strings.Fields(tt.line)...)
			if r.code != tt.code {
				t.Errorf("exit code %d, want %d", r.code, tt.code)
			}
			got := fmt.Sprintf("$ %s\n%s-- stderr --\n%s-- exit %d --\n", tt.line, r.out, r.err, r.code)
			file := filepath.Join("testdata", tt.name+".golden")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestTheWayDownByEachName(t *testing.T) {
	tests := []struct{ line, want string }{
		{"ros poweroff", "poweroff"}, {"ros reboot", "reboot"}, {"ros halt", "halt"},
		{"/usr/sbin/poweroff", "poweroff"}, {"reboot", "reboot"}, {"halt", "halt"}, {"halt -p", "poweroff"}, {"reboot -f", "reboot"}, {"poweroff --reboot", "reboot"},
		{"shutdown now", "poweroff"}, {"shutdown -h now", "poweroff"}, {"shutdown -P +0", "poweroff"}, {"shutdown -r now", "reboot"}, {"shutdown -H now", "halt"}, {"shutdown -r +0", "reboot"}, {"shutdown -h now going down", "poweroff"},
		{"shutdown", ""}, {"shutdown -h +5", ""}, {"shutdown 23:00", ""}, {"shutdown -c", ""}, {"reboot now", ""}, {"poweroff -x", ""}, {"ros reboot now", ""}, {"shutdown --help", ""},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			got := ""
			socket := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var p api.Power
				if err := json.NewDecoder(r.Body).Decode(&p); err != nil || r.URL.Path != "/v1/power" {
					t.Errorf("%s: %v", r.URL, err)
				}
				got = p.Action
			}))
			r := ros(t, socket, "", strings.Fields(tt.line)...)
			wantCode := 0
			if tt.want == "" && !strings.Contains(tt.line, "--help") {
				wantCode = 2
			}
			if got != tt.want || r.code != wantCode {
				t.Errorf("got %q, exit %d: %s", got, r.code, r.err)
			}
		})
	}
}

func TestCompletion(t *testing.T) {
	socket := listen(t, fake(true))
	tests := []struct{ words, want string }{
		{"", "service network image os status logs events top boot config reboot poweroff halt completion"},
		{"s", "service status"},
		{"service st", "start stop"},
		{"service stop ", "docker network syslog"},
		{"service stop net", "network"},
		{"service logs --f", "--format --follow"},
		{"logs net", "network"},
		{"logs network k", "kernel"},
		{"logs ", "docker network syslog kernel rosd"},
		{"boot chart ", ""},
		{"nonsense ", ""},
		{"status ", ""},
	}
	for _, tt := range tests {
		argv := append([]string{"ros", completeVerb}, strings.Split(tt.words, " ")...)
		r := ros(t, socket, "", argv...)
		if got := strings.Join(strings.Fields(r.out), " "); got != tt.want || r.code != 0 {
			t.Errorf("%q: got %q, want %q (exit %d, %s)", tt.words, got, tt.want, r.code, r.err)
		}
	}
	if r := ros(t, "/nonexistent/s", "", "ros", completeVerb, "service", "stop", ""); r.out+r.err != "" {
		t.Errorf("without rosd completion says %q %q", r.out, r.err)
	}
}

// The scripts are run by the shells themselves; ros is a function that answers
// the right question only.
func TestShellsCompleteWithTheirScripts(t *testing.T) {
	const stub = "ros() { [ \"$*\" = '__complete service st' ] && printf '%s\\n' start stop; }\n"
	for shell, c := range map[string]struct{ script, test string }{
		"bash": {bashScript, `COMP_WORDS=(ros service st); COMP_CWORD=2; _ros; echo "${COMPREPLY[@]}"`},
		"zsh":  {"compdef() { :; }\n" + zshScript, `compadd() { echo $found; }; words=(ros service st); CURRENT=3; _ros`},
	} {
		t.Run(shell, func(t *testing.T) {
			program, err := exec.LookPath(shell)
			if err != nil {
				t.Skip("there is no", shell)
			}
			out, err := exec.CommandContext(t.Context(), program, "-c", stub+c.script+c.test).CombinedOutput()
			if got := string(out); err != nil || got != "start stop\n" {
				t.Errorf("got %q (%v)", got, err)
			}
		})
	}
}

func TestFollowingEndsWithoutAComplaint(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	socket := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(api.LogLine{Line: "one"})
		w.(http.Flusher).Flush()
		cancel() // ctrl-C
		<-r.Context().Done()
	}))
	var out, errs bytes.Buffer
	s := &session{out: &out, err: &errs, socket: socket, now: time.Now}
	if code := run(ctx, s, []string{"ros", "logs", "-f"}); code != 0 || errs.Len() > 0 {
		t.Errorf("exit %d, %s", code, errs.String())
	}
}

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 59900 * time.Millisecond: "59s", 192 * time.Second: "3m12s", 7500 * time.Second: "2h5m", 99 * time.Hour: "4d3h",
	} {
		if got := age(d); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
	}
}

// verbs calls f for every command that people may see.
func verbs(f func(c *command, path []string)) {
	var walk func(c *command, path []string)
	walk = func(c *command, path []string) {
		for _, sub := range c.sub {
			way := append(path[:len(path):len(path)], sub.name)
			switch {
			case sub.sub != nil:
				walk(sub, way)
			case !sub.hidden:
				f(sub, way)
			}
		}
	}
	walk(root(), []string{"ros"})
}

func TestEveryVerbSaysWhatItDoesAndGivesAnExampleOfItself(t *testing.T) {
	verbs(func(c *command, path []string) {
		if c.summary == "" || strings.HasSuffix(c.summary, ".") {
			t.Errorf("%v: summary %q", path, c.summary)
		}
		if !strings.Contains(c.example, strings.Join(path, " ")) {
			t.Errorf("%v: its example is %q", path, c.example)
		}
		if r := ros(t, "", "", append(path, "--help")...); r.code != 0 || !strings.Contains(r.out, "--format") || !strings.Contains(r.out, "Example: "+c.example+"\n") {
			t.Errorf("%v --help: exit %d, %q %q", path, r.code, r.out, r.err)
		}
		for _, argv := range [][]string{append(path, "--no-such-flag"), append(path, "--format", "xml")} {
			if r := ros(t, "", "", argv...); r.code != 2 || r.out != "" {
				t.Errorf("%q: exit %d, %q", argv, r.code, r.out)
			}
		}
	})
}

// Verbs that say nothing on standard output, or only what is no data.
var withoutJSON = map[string]bool{
	"ros reboot": true, "ros poweroff": true, "ros halt": true, "ros completion bash": true, "ros completion zsh": true,
}

// Verbs that need no running system.
var withoutRosd = map[string]bool{"ros config validate": true, "ros service validate": true, "ros config schema": true, "ros config import": true}

func TestEveryVerbsExampleSpeaksJSONAndFailsWithoutRosd(t *testing.T) {
	socket := listen(t, fake(true))
	file := filepath.Join(t.TempDir(), "cloud-config.yaml")
	if err := os.WriteFile(file, []byte("#cloud-config\nhostname: a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	verbs(func(c *command, path []string) {
		name := strings.Join(path, " ")
		if withoutJSON[name] {
			return
		}
		line, _, _ := strings.Cut(c.example, ">")
		argv := append(strings.Fields(strings.NewReplacer("cloud-config.yaml", file, "web.yaml", "testdata/services/good/web.yaml").Replace(line)), "--format", "json")
		r := ros(t, socket, "", argv...)
		decoder := json.NewDecoder(strings.NewReader(r.out))
		values := 0
		for decoder.More() {
			var value any
			if err := decoder.Decode(&value); err != nil {
				t.Errorf("%q: %v in %q", argv, err, r.out)
				return
			}
			values++
		}
		if values == 0 || r.code > 1 {
			t.Errorf("%q: exit %d without JSON: %q %q", argv, r.code, r.out, r.err)
		}
		if withoutRosd[name] {
			return
		}
		if r := ros(t, "/nonexistent/api.sock", "", argv...); r.code != 1 || !strings.Contains(r.err, "not reachable") {
			t.Errorf("%q without rosd: exit %d, %q", argv, r.code, r.err)
		}
	})
}

func TestLogsOnATerminalAreColouredAndCannotControlIt(t *testing.T) {
	socket := listen(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(api.LogLine{Time: boot, Service: "web", Priority: 3, Line: "bad\x1b]0;title\x07\u009b2J\tend"})
		_ = json.NewEncoder(w).Encode(api.LogLine{Time: boot, Service: "web", Priority: 6, Line: "good"})
	}))
	got, code := onTerminal(t.Context(), socket, "ros", "logs")
	want := "\x1b[2m2026-11-21T04:00:00.000Z\x1b[0m \x1b[36mweb\x1b[0m: \x1b[31mbad^[]0;title^G\\u009b2J\tend\x1b[0m\n" +
		"\x1b[2m2026-11-21T04:00:00.000Z\x1b[0m \x1b[36mweb\x1b[0m: good\n"
	if got != want || code != 0 {
		t.Errorf("got  %q, exit %d\nwant %q", got, code, want)
	}
}

func TestTopGoesOnOnATerminalUntilItIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	handler := fake(true)
	looks := 0
	socket := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if looks++; looks == 4 {
			cancel()
		}
		handler.ServeHTTP(w, r)
	}))
	got, code := onTerminal(ctx, socket, "ros", "top")
	if n := strings.Count(got, "SERVICE"); n < 2 || code != 0 {
		t.Errorf("%d tables, exit %d:\n%s", n, code, got)
	}
}

func TestTimesAndHowLongAgo(t *testing.T) {
	zone := time.FixedZone("CET", 3600)
	now := time.Date(2026, 11, 21, 12, 30, 0, 0, zone)
	for text, want := range map[string]string{
		"10m": "2026-11-21T12:20:00+01:00", "1h30m": "2026-11-21T11:00:00+01:00", "2d": "2026-11-19T12:30:00+01:00", "0.5d": "2026-11-21T00:30:00+01:00",
		"2026-11-20": "2026-11-20T00:00:00+01:00", "2026-11-20 08:15": "2026-11-20T08:15:00+01:00", "08:15": "2026-11-21T08:15:00+01:00",
		"2026-11-20T08:15:00Z": "2026-11-20T08:15:00Z", "-10m": "", "10": "", "now": "", "d": "",
	} {
		got, err := parseWhen("--since", text, now)
		if want == "" {
			if err == nil {
				t.Errorf("%q is taken for %v", text, got)
			}
		} else if err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%q: got %v (%v), want %s", text, got, err, want)
		}
	}
}
