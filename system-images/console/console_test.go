package main

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/netplan"
	"github.com/testudo-os/testudo/pkg/supervise"
)

func TestALoginIsOfferedOnEachTerminalTheKernelUsesOnce(t *testing.T) {
	for active, want := range map[string][]string{
		"ttyS0\n": {"ttyS0"}, "tty0 ttyS0\n": {"tty1", "ttyS0"}, "tty0 tty1\n": {"tty1"}, "hvc0 ttyS1": {"hvc0", "ttyS1"},
		"": nil, "ttynull\n": nil, "../sda": nil,
	} {
		if got := terminals(active); !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", active, got, want)
		}
	}
}

func TestVirtualTerminalsAreLinuxAndSerialOnesVT220(t *testing.T) {
	for name, want := range map[string]string{"tty1": "linux", "tty12": "linux", "ttyS0": "vt220", "ttyAMA0": "vt220", "hvc0": "vt220", "tty": "vt220"} {
		if got := terminalType(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestTheGreetingSaysHowToGetIn(t *testing.T) {
	addresses := []ifaceAddresses{{"eth0", []netip.Addr{netip.MustParseAddr("10.0.2.15"), netip.MustParseAddr("fec0::15")}}}
	withKey := &config.Resolved{Config: config.Config{SSHAuthorizedKeys: []string{"ssh-ed25519 AAAA"}}}
	for _, tt := range []struct {
		name   string
		facts  facts
		has    []string
		hasNot []string
	}{
		{"all is well", facts{addresses: addresses, user: "ros", config: withKey},
			[]string{"eth0: 10.0.2.15, fec0::15\n", "ssh ros@10.0.2.15\n"}, []string{"no key", "mistakes"}},
		{"a key of one user is enough", facts{addresses: addresses, user: "root", config: &config.Resolved{Config: config.Config{Users: []config.User{{SSHAuthorizedKeys: []string{"k"}}}}}},
			[]string{"ssh root@10.0.2.15\n"}, []string{"no key"}},
		{"no key", facts{addresses: addresses, config: &config.Resolved{}}, []string{"eth0: 10.0.2.15", "no key is configured", "cidata", "testudo.console.autologin", "ros config set ssh_authorized_keys", "ros config apply"}, []string{"  ssh ros"}},
		{"no key, and a password", facts{addresses: addresses, config: &config.Resolved{Config: config.Config{Password: "x"}}}, []string{"log in here with a name and its password"}, []string{"cidata"}},
		{"a configuration that is refused", facts{config: &config.Resolved{Problems: []string{"x"}, Refused: []string{"y"}}}, []string{"REFUSED, the last good one is used"}, []string{"has mistakes"}},
		{"no address", facts{config: withKey}, []string{"no network address yet"}, []string{"ssh ros@"}},
		{"no configuration", facts{addresses: addresses}, []string{"cannot be read"}, nil},
		{"a configuration with mistakes", facts{config: &config.Resolved{Problems: []string{"x"}}}, []string{"mistakes"}, nil},
		{"a release that getty would read as instructions", facts{release: `A\l%d` + "\n\nB"}, []string{"\nAld  B on"}, nil},
	} {
		got := issue(tt.facts)
		for _, s := range tt.has {
			if !strings.Contains(got, s) {
				t.Errorf("%s: %q is missing in\n%s", tt.name, s, got)
			}
		}
		for _, s := range tt.hasNot {
			if strings.Contains(got, s) {
				t.Errorf("%s: %q is in\n%s", tt.name, s, got)
			}
		}
	}
}

func TestTheMessageOfTheDayIsShortAndTrue(t *testing.T) {
	f := facts{release: "Testudo 0.1", hostname: "box", addresses: []ifaceAddresses{{"eth0", []netip.Addr{netip.MustParseAddr("10.0.2.15")}}}, lasting: true}
	want := "Testudo 0.1 on box (10.0.2.15). How it is: ros status. All commands: ros --help.\n" +
		"What lasts is in /home, /root, /var/log, /var/lib/docker and /var/lib/testudo.\n"
	if got := motd(f); got != want {
		t.Errorf("got %q", got)
	}
	want = "Testudo 0.1 on box. How it is: ros status. All commands: ros --help.\n" +
		"Nothing outlives a power-off: there is no state disk in use.\n"
	if got := motd(facts{release: "Testudo 0.1", hostname: "box"}); got != want {
		t.Errorf("got %q", got)
	}
}

func TestWhetherTheStateLastsIsReadFromTheRecordOfInit(t *testing.T) {
	for text, want := range map[string]bool{
		`{"state_mode":"disk"}`: true, `{"state_mode":"ram"}`: false, `{"state_mode":"read-only"}`: false,
	} {
		record := filepath.Join(t.TempDir(), "machine.json")
		if err := os.WriteFile(record, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := stateLasts(record); err != nil || got != want {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
	if _, err := stateLasts(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no error where there is no record")
	}
}

func TestAFileIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lastlog")
	for _, want := range []string{"", "kept"} {
		if err := ensureFile(path); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != want {
			t.Errorf("got %q, %v; want %q", b, err, want)
		}
		if err := os.WriteFile(path, []byte("kept"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOnlyAddressesThatOthersCanReachAreShown(t *testing.T) {
	var in []net.Addr
	for _, s := range []string{"127.0.0.1/8", "10.0.2.15/24", "fe80::1/64", "2001:db8::1/64", "169.254.3.4/16"} {
		ip, n, err := net.ParseCIDR(s)
		if err != nil {
			t.Fatal(err)
		}
		in = append(in, &net.IPNet{IP: ip, Mask: n.Mask})
	}
	want := []netip.Addr{netip.MustParseAddr("10.0.2.15"), netip.MustParseAddr("2001:db8::1")}
	if got := reachable(in); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTheReleaseIsReadFromOSRelease(t *testing.T) {
	for text, want := range map[string]string{
		"NAME=\"Testudo\"\nPRETTY_NAME=\"Testudo 0.1\"\n": "Testudo 0.1", "PRETTY_NAME=Plain": "Plain", "": "Testudo",
	} {
		if got := releaseName(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestHostKeysAreMadeOnceAndADamagedOneIsSetAside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ssh")
	ensure := func() {
		t.Helper()
		if err := ensureHostKeys(dir, "root@box", t.Logf); err != nil {
			t.Fatal(err)
		}
	}
	read := func(name string) string {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	ensure()
	for _, k := range hostKeys {
		private, err := ssh.ParsePrivateKey([]byte(read(k.name)))
		if err != nil {
			t.Fatal(err)
		}
		if string(ssh.MarshalAuthorizedKey(private.PublicKey())) != read(k.name+".pub") {
			t.Errorf("%s.pub is not its public half", k.name)
		}
		info, err := os.Stat(filepath.Join(dir, k.name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want 0600", k.name, info.Mode(), err)
		}
	}
	ed25519, ecdsa := read(hostKeys[0].name), read(hostKeys[1].name)
	if err := os.Chmod(filepath.Join(dir, hostKeys[1].name), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, hostKeys[0].name), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ensure()
	if read(hostKeys[1].name) != ecdsa {
		t.Error("the key that was whole is another one now")
	}
	if info, err := os.Stat(filepath.Join(dir, hostKeys[1].name)); err != nil || info.Mode().Perm() != 0o600 {
		t.Error("a key that others could read is left so")
	}
	if fresh := read(hostKeys[0].name); fresh == ed25519 || fresh == "" || read(hostKeys[0].name+".damaged") != "" {
		t.Error("the empty key was not replaced and set aside")
	}
}

// testConsole is a console that reaps until the test ends, and no longer: a
// process has one reaper.
func testConsole(t *testing.T) *console {
	c := newConsole(t.Logf)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); c.reaper.Loop(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return c
}

func TestKeepReturnsAfterTheFirstStartAlsoWhenItFails(t *testing.T) {
	c := testConsole(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, path := range []string{"/bin/sh", "/no/such/program"} {
		c.keep(ctx, supervise.Spec{
			Name: path,
			Command: func() (supervise.Command, error) {
				return supervise.Command{Path: path, Args: []string{path, "-c", "read x"}}, nil
			},
			Backoff: supervise.Backoff{Min: time.Millisecond},
		})
		if err := ctx.Err(); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	c.shutdown()
}

func TestACommandRunsToItsEndAndOneThatCannotBeStartedIsAnError(t *testing.T) {
	c := testConsole(t)
	out := filepath.Join(t.TempDir(), "out")
	if err := c.run(t.Context(), "/bin/sh", "-c", "echo $HOME > "+out); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(out); err != nil || string(b) != "/root\n" {
		t.Errorf("got %q, %v", b, err)
	}
	if err := c.run(t.Context(), "/no/such/program"); err == nil {
		t.Error("no error")
	}
}

func TestHostsNamesTheMachine(t *testing.T) {
	if got := hosts("box", ""); !strings.HasPrefix(got, "127.0.0.1 localhost\n") || !strings.HasSuffix(got, "127.0.1.1 box\n") {
		t.Errorf("got %q", got)
	}
}

func TestOnlyProcessesOfAContainersOwnGroupAreListed(t *testing.T) {
	mount := t.TempDir()
	self := filepath.Join(mount, "self")
	put := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(filepath.Join(mount, "cgroup.procs"), "1\n2\n")
	put(filepath.Join(mount, "system/console/cgroup.procs"), "1\n0\n40\n41\n")
	for group, want := range map[string][]int{
		"0::/system/console\n": {40, 41}, "0::/\n": nil, "0::/system/..\n": nil, "1:name=x:/system/console\n": nil,
	} {
		put(self, group)
		if got, err := processes(self, mount); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %v, %v; want %v", group, got, err, want)
		}
	}
	put(self, "0::/gone\n")
	if _, err := processes(self, mount); err == nil {
		t.Error("no error for a group that is not there")
	}
}

func TestChildrenDoNotSpeakForTheService(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "/run/x")
	t.Setenv("KEPT", "1")
	if env := environment(); slices.Contains(env, "NOTIFY_SOCKET=/run/x") || !slices.Contains(env, "KEPT=1") {
		t.Errorf("got %v", env)
	}
}

func TestWhatTheConfigurationSaysToSSHD(t *testing.T) {
	for text, want := range map[string][]string{
		"{}":                      nil,
		"{ssh_pwauth: false}":     nil,
		"{ssh_pwauth: true}":      {"AuthenticationMethods any", "PasswordAuthentication yes"},
		"{locale: C}":             {"SetEnv LANG=C PATH=/usr/local/sbin"},
		"{ssh_pwauth: 'true'}":    {"AuthenticationMethods any", "PasswordAuthentication yes"},
		"{ssh_pwauth: unchanged}": nil,
	} {
		cfg, err := config.Parse("test.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Split(strings.TrimSpace(sshdConfig(cfg, "/keys")), "\n")[1:]
		if len(got) != len(want) {
			t.Errorf("%s: got %q", text, got)
			continue
		}
		for i := range want {
			if !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("%s: got %q, want %q", text, got[i], want[i])
			}
		}
	}
}

func TestHostKeysOfTheConfiguration(t *testing.T) {
	made, dir := t.TempDir(), t.TempDir()
	if err := ensureHostKeys(made, "x", t.Logf); err != nil {
		t.Fatal(err)
	}
	private, err := os.ReadFile(filepath.Join(made, "ssh_host_ed25519_key"))
	if err != nil {
		t.Fatal(err)
	}
	public, err := os.ReadFile(filepath.Join(made, "ssh_host_ed25519_key.pub"))
	if err != nil {
		t.Fatal(err)
	}
	key := config.HostKey{Type: "ed25519", Private: config.Secret(private), Public: string(public)}
	for range 2 {
		if err := giveHostKeys(dir, []config.HostKey{key}); err != nil {
			t.Fatal(err)
		}
	}
	if err := ensureHostKeys(dir, "x", t.Logf); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "ssh_host_ed25519_key.pub")); err != nil || !sameKey(string(got), string(public)) {
		t.Errorf("got %s, %v", got, err)
	}
	key.Public = "ssh-ed25519 AAAAother"
	if err := giveHostKeys(dir, []config.HostKey{key}); err == nil || !strings.Contains(err.Error(), "not the public half") {
		t.Errorf("got %v", err)
	}
	if err := giveHostKeys(dir, []config.HostKey{{Type: "rsa", Private: "geheim"}}); err == nil || strings.Contains(err.Error(), "geheim") {
		t.Errorf("got %v", err)
	}
}

func TestACopyOfADiskMakesNewHostKeys(t *testing.T) {
	no := false
	for _, tt := range []struct {
		name        string
		was, is     string
		wanted      *bool
		keys, noted bool // are they still there; is the instance noted
	}{
		{"the same instance", "a", "a", nil, true, true},
		{"another instance", "a", "b", nil, false, true},
		{"another, which is not to", "a", "b", &no, true, true},
		{"the first to be known", "", "b", nil, true, true},
		{"none any more", "a", "local", nil, true, true},
		{"none at all", "", "local", nil, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := ensureHostKeys(dir, "x", t.Logf); err != nil {
				t.Fatal(err)
			}
			if tt.was != "" {
				if err := os.WriteFile(filepath.Join(dir, instanceOfKeys), []byte(tt.was+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := forgetHostKeys(dir, tt.is, config.LocalInstance, tt.wanted); err != nil {
				t.Fatal(err)
			}
			_, err := os.Stat(filepath.Join(dir, "ssh_host_ed25519_key"))
			if (err == nil) != tt.keys {
				t.Errorf("the key: %v", err)
			}
			if _, err := os.Stat(filepath.Join(dir, instanceOfKeys)); (err == nil) != tt.noted {
				t.Errorf("the note: %v", err)
			}
		})
	}
}

func TestTheMachineFindsItselfByItsNames(t *testing.T) {
	for _, tt := range []struct{ name, full, want string }{
		{"box", "", "127.0.1.1 box\n"},
		{"box", "box.example.org", "127.0.1.1 box.example.org box\n"},
		{"box.example.org", "box.example.org", "127.0.1.1 box.example.org box\n"},
		{"box", "other.example.org", "127.0.1.1 box\n"},
	} {
		if got := hosts(tt.name, tt.full); !strings.HasSuffix(got, tt.want) {
			t.Errorf("%s %s: got %q", tt.name, tt.full, got)
		}
	}
}

func TestLoginShellsKnowTheProxy(t *testing.T) {
	text := proxyProfile(netplan.Proxy{HTTP: "http://p.example:3128", NoProxy: []string{".example.com"}})
	for _, want := range []string{"export http_proxy='http://p.example:3128'\n", "export HTTP_PROXY=", "export no_proxy='localhost,127.0.0.1,::1,.example.com'\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
	if text := proxyProfile(netplan.Proxy{}); strings.Contains(text, "export") {
		t.Errorf("without a proxy: %s", text)
	}
}
