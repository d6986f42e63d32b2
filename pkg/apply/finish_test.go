package apply

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// shell runs programs as the console does: what they exit with is not told.
func shell(ctx context.Context, argv ...string) error {
	_ = exec.CommandContext(ctx, argv[0], argv[1:]...).Run()
	return nil
}

func TestPhoneHomeOncePerInstanceUntilItIsTaken(t *testing.T) {
	dir, bin, keys := t.TempDir(), t.TempDir(), t.TempDir()
	// A curl that fails the first time and notes what it was given.
	script := "#!/bin/sh\nprintf '%s\\n' \"$@\" > " + bin + "/args\n[ -e " + bin + "/up ]\n"
	if err := os.WriteFile(filepath.Join(bin, "curl"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(keys, "ssh_host_ed25519_key.pub"), []byte("ssh-ed25519 AAAA root@it's\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	cfg := &config.Config{FQDN: "box.example", PhoneHome: config.PhoneHome{URL: "http://a.example/?x=1&y=2", Tries: 3, Post: config.PostKeys{"pub_key_ed25519", "pub_key_rsa", "instance_id", "fqdn"}}}
	home := func() error { return PhoneHome(t.Context(), cfg, dir, "i-1", "box", keys, shell) }
	if err := home(); err == nil || !strings.Contains(err.Error(), "did not take it") {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(filepath.Join(bin, "up"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := home(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(bin, "args"))
	if err != nil {
		t.Fatal(err)
	}
	args := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, want := range []string{"2", "pub_key_ed25519=ssh-ed25519 AAAA root@it's", "pub_key_rsa=N/A", "instance_id=i-1", "fqdn=box.example", "http://a.example/?x=1&y=2"} {
		if !slices.Contains(args, want) {
			t.Errorf("%q is missing in %q", want, args)
		}
	}
	if slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "hostname=") }) {
		t.Error("what was not asked for is told")
	}
	if err := os.Remove(filepath.Join(bin, "args")); err != nil {
		t.Fatal(err)
	}
	if err := home(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(bin, "args")); err == nil {
		t.Error("it phoned again")
	}
}

func TestFinalMessage(t *testing.T) {
	f := Facts{Version: "Testudo 1", Timestamp: time.Unix(0, 0), Uptime: 12340 * time.Millisecond}
	got := FinalMessage("v $version t ${timestamp} d $DATASOURCE u $UPTIME $other $", f)
	if want := "v Testudo 1 t Thu, 01 Jan 1970 00:00:00 +0000 d none u 12.34 $other $"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPowerState(t *testing.T) {
	for _, tt := range []struct {
		text string
		want *Power
	}{
		{"{}", nil},
		{"{mode: poweroff}", &Power{Mode: "poweroff"}},
		{"{mode: reboot, delay: +5, message: bye}", &Power{Mode: "reboot", Delay: 5 * time.Minute, Message: "bye"}},
		{"{mode: halt, delay: now, condition: true}", &Power{Mode: "halt"}},
		{"{mode: poweroff, condition: false}", nil},
		{"{mode: poweroff, condition: 'test -d /'}", &Power{Mode: "poweroff"}},
		{"{mode: poweroff, condition: [test, -d, /nowhere]}", nil},
	} {
		cfg, err := config.Parse("test.yaml", []byte("power_state: "+tt.text))
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		for first := true; ; first = false {
			got, err := PowerState(t.Context(), cfg, dir, "i", shell)
			if err != nil {
				t.Fatal(err)
			}
			if !first {
				if got != nil {
					t.Errorf("%s: a second time", tt.text)
				}
				break
			}
			if (got == nil) != (tt.want == nil) || got != nil && *got != *tt.want {
				t.Errorf("%s: got %+v, want %+v", tt.text, got, tt.want)
			}
		}
	}
}

func TestSysctl(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"net/ipv4/ip_forward", "net/ipv4/conf/eth0.1/forwarding"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte("0"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	err := Sysctl(dir, map[string]strictyaml.Text{"net.ipv4.ip_forward": "1", "net.ipv4.conf.eth0/1.forwarding": "1", "kernel.nothing": "2"})
	if err == nil || !strings.Contains(err.Error(), "testudo.sysctl: kernel.nothing") {
		t.Errorf("got %v", err)
	}
	for _, name := range []string{"net/ipv4/ip_forward", "net/ipv4/conf/eth0.1/forwarding"} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(text) != "1\n" {
			t.Errorf("%s: got %q, %v", name, text, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "kernel")); err == nil {
		t.Error("a file was made for a setting that is not there")
	}
	if got := sysctlPath("net/ipv4/conf/eth0.1/forwarding"); got != "net/ipv4/conf/eth0.1/forwarding" {
		t.Errorf("got %s", got)
	}
}

func TestCACerts(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, caBundle)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("image\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		certs config.CACerts
		want  string
	}{
		{config.CACerts{}, "image\n"},
		{config.CACerts{Trusted: []string{"one", "two\n"}}, "image\none\ntwo\n"},
		{config.CACerts{Trusted: []string{"one"}, RemoveDefaults: true}, "one\n"},
		{config.CACerts{RemoveDefaults: true}, ""},
		{config.CACerts{}, "image\n"},
	} {
		if err := CACerts(root, tt.certs); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != tt.want {
			t.Errorf("%+v: got %q, %v", tt.certs, got, err)
		}
	}
}

func TestLocale(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "etc/profile.d/50-locale.sh")
	for locale, want := range map[string]string{"C": "export LANG='C'\n", "": ""} {
		if err := Locale(root, locale); err != nil {
			t.Fatal(err)
		}
		if text, _ := os.ReadFile(path); locale != "" && string(text) != want {
			t.Errorf("%s: got %q", locale, text)
		}
	}
	if err := Locale(root, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("it is still there")
	}
}

func TestModules(t *testing.T) {
	var loaded []string
	err := Modules(t.Context(), []config.Module{{Name: "a", Params: "x=1"}, {Name: "none"}, {Name: "b"}}, func(_ context.Context, name, params string) error {
		if name == "none" {
			return os.ErrNotExist
		}
		loaded = append(loaded, name+" "+params)
		return nil
	})
	if err == nil || !slices.Equal(loaded, []string{"a x=1", "b "}) {
		t.Errorf("got %q, %v", loaded, err)
	}
}
