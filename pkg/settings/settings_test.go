package settings

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/datasource"
)

// source is a datasource that gives what it is told to.
type source struct {
	data *datasource.Data
	err  error
}

func (source) Name() string { return "test" }

func (s source) Fetch(context.Context) (*datasource.Data, error) {
	if s.data == nil && s.err == nil {
		return nil, datasource.ErrNone
	}
	if s.data == nil {
		return nil, s.err
	}
	copied := *s.data
	return &copied, s.err
}

type machine struct {
	t *testing.T
	Options
}

func newMachine(t *testing.T) *machine {
	m := &machine{t: t, Options: Options{ConfigDir: t.TempDir(), Cmdline: filepath.Join(t.TempDir(), "cmdline")}}
	m.cmdline("quiet")
	return m
}

func (m *machine) cmdline(line string) {
	if err := os.WriteFile(m.Cmdline, []byte(line), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) file(name, text string) {
	m.t.Helper()
	path := filepath.Join(m.ConfigDir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) load() *config.Resolved {
	m.t.Helper()
	r, err := Load(m.t.Context(), m.Options)
	if err != nil {
		m.t.Fatal(err)
	}
	return r
}

// problems wants each text in the problem of its index, and no more problems.
func problems(t *testing.T, r *config.Resolved, want ...string) {
	t.Helper()
	if len(r.Problems) != len(want) {
		t.Fatalf("got %d problems, want %d:\n%s", len(r.Problems), len(want), strings.Join(r.Problems, "\n"))
	}
	for i, w := range want {
		if !strings.Contains(r.Problems[i], w) {
			t.Errorf("problem %d: got %s\nwant %s", i, r.Problems[i], w)
		}
	}
}

func TestAMachineWithoutAnythingHasTheDefaultUser(t *testing.T) {
	r := newMachine(t).load()
	problems(t, r)
	if len(r.Config.Users) != 1 || !r.Config.Users[0].Default || r.InstanceID != LocalInstance || r.Datasource != "" {
		t.Errorf("got %+v", r)
	}
}

func TestLaterSourcesWin(t *testing.T) {
	steps := []struct {
		name string
		add  func(m *machine)
	}{
		{"vendor", func(m *machine) {
			m.file("vendor.yaml", "hostname: vendor")
			m.Vendor = filepath.Join(m.ConfigDir, "vendor.yaml")
		}},
		{"metadata", func(m *machine) {
			m.Sources = []datasource.Source{source{data: &datasource.Data{Source: "test", Meta: datasource.Meta{InstanceID: "i", Hostname: "metadata"}}}}
		}},
		{"a", func(m *machine) { m.file("conf.d/a.yaml", "hostname: a") }},
		{"b", func(m *machine) { m.file("conf.d/b.yaml", "hostname: b") }},
		{"file", func(m *machine) { m.file("cloud-config.yaml", "hostname: file") }},
		{"userdata", func(m *machine) {
			m.Sources = []datasource.Source{source{data: &datasource.Data{Source: "test", Meta: datasource.Meta{InstanceID: "i", Hostname: "metadata"}, UserData: []byte("#cloud-config\nhostname: userdata")}}}
		}},
		{"kernel", func(m *machine) { m.cmdline("testudo.hostname=kernel") }},
	}
	m := newMachine(t)
	for _, step := range steps {
		step.add(m)
		r := m.load()
		problems(t, r)
		if r.Config.Hostname != step.name {
			t.Fatalf("got %s, want %s", r.Config.Hostname, step.name)
		}
	}
}

func TestABadFileFallsBackOnItsLastGoodContent(t *testing.T) {
	m := newMachine(t)
	m.file("cloud-config.yaml", "hostname: good")
	m.file("conf.d/x.yaml", "timezone: UTC")
	problems(t, m.load())

	m.file("cloud-config.yaml", "hostname: better\nhostnam: x")
	m.file("conf.d/x.yaml", "timezone: UTC\nruncmd: [a]") // good, and counts at once
	r := m.load()
	problems(t, r, `cloud-config.yaml:2:1: hostnam: unknown key (did you mean "hostname"?)`, "cloud-config.yaml is refused, its last good content is used")
	if r.Config.Hostname != "good" || len(r.Config.Runcmd) != 1 {
		t.Errorf("got %s", &r.Config)
	}

	m.file("cloud-config.yaml", "hostname: mended")
	r = m.load()
	problems(t, r)
	if r.Config.Hostname != "mended" {
		t.Errorf("got %s", &r.Config)
	}
}

func TestABadFileWithoutAnyGoodContentIsLeftOut(t *testing.T) {
	m := newMachine(t)
	m.file("cloud-config.yaml", "hostname: [")
	m.file("conf.d/x.yaml", "timezone: UTC")
	r := m.load()
	if len(r.Problems) != 2 || !strings.Contains(r.Problems[1], "no last good content") || r.Config.Timezone != "UTC" {
		t.Errorf("got %q and %s", r.Problems, &r.Config)
	}
}

func TestAFileTakenAwayDoesNotComeBack(t *testing.T) {
	m := newMachine(t)
	m.file("cloud-config.yaml", "hostname: good")
	m.load()
	if err := os.Remove(filepath.Join(m.ConfigDir, "cloud-config.yaml")); err != nil {
		t.Fatal(err)
	}
	if r := m.load(); r.Config.Hostname != "" {
		t.Errorf("got %q", r.Config.Hostname)
	}
	m.file("cloud-config.yaml", "hostname: [")
	if r := m.load(); r.Config.Hostname != "" {
		t.Errorf("the copy of a file that was taken away is used: %q", r.Config.Hostname)
	}
}

func TestAFIFOInsteadOfAFileDoesNotStopTheBoot(t *testing.T) {
	m := newMachine(t)
	if err := unix.Mkfifo(filepath.Join(m.ConfigDir, "cloud-config.yaml"), 0o644); err != nil {
		t.Fatal(err)
	}
	problems(t, m.load(), "not a regular file", "is refused")
}

func TestSecretsOfTheLastGoodContentAreForRootAlone(t *testing.T) {
	m := newMachine(t)
	m.file("cloud-config.yaml", "hostname: good")
	m.load()
	info, err := os.Stat(filepath.Join(m.ConfigDir, lastGood, "cloud-config.yaml"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info, err)
	}
}

func TestDatasource(t *testing.T) {
	data := func(instance, user string) *datasource.Data {
		return &datasource.Data{Source: "seed", Meta: datasource.Meta{InstanceID: instance, PublicKeys: []string{"ssh-rsa AAAA1", "nonsense"}}, UserData: []byte(user)}
	}
	good := data("one", "#cloud-config\nhostname: good")
	bad := data("two", "#cloud-config\nhostnam: bad")
	partial := data("two", "")
	partial.Partial = true
	tests := []struct {
		name           string
		first, second  source
		wantHost       string
		wantInstance   string
		wantDatasource string
		wantProblem    string
	}{
		{"gone at the second boot: the kept copy counts", source{data: good}, source{}, "good", "one", "seed, kept copy", ""},
		{"bad at the second boot: the kept copy counts, its instance too", source{data: good}, source{data: bad}, "good", "one", "seed, kept copy", `seed user-data:2:1: hostnam: unknown key`},
		{"unreadable at the second boot", source{data: good}, source{err: errors.New("I/O error")}, "good", "one", "seed, kept copy", "datasource test: I/O error"},
		{"read in part at the second boot", source{data: good}, source{data: partial, err: errors.New("I/O error")}, "good", "one", "seed, kept copy", "datasource test: I/O error"},
		{"bad from the start: its meta-data count", source{}, source{data: bad}, "", "two", "seed", "seed user-data is refused, and no last good content is there"},
		{"new and good", source{data: good}, source{data: data("two", "#cloud-config\nhostname: new")}, "new", "two", "seed", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			m.Sources = []datasource.Source{tt.first}
			m.load()
			m.Sources = []datasource.Source{tt.second}
			r := m.load()
			if r.Config.Hostname != tt.wantHost || r.InstanceID != tt.wantInstance || r.Datasource != tt.wantDatasource {
				t.Errorf("got %q %q %q", r.Config.Hostname, r.InstanceID, r.Datasource)
			}
			if !slices.Contains(r.Config.SSHAuthorizedKeys, "ssh-rsa AAAA1") || slices.Contains(r.Config.SSHAuthorizedKeys, "nonsense") {
				t.Errorf("keys: got %q", r.Config.SSHAuthorizedKeys)
			}
			all := strings.Join(r.Problems, "\n")
			if !strings.Contains(all, tt.wantProblem) {
				t.Errorf("got %s\nwant %s", all, tt.wantProblem)
			}
			if strings.Count(all, "public-keys: want an OpenSSH public key") != 1 {
				t.Errorf("a key that is none is to be told once:\n%s", all)
			}
		})
	}
}

func TestNTPSwitchedOffDisablesTheService(t *testing.T) {
	m := newMachine(t)
	m.file("cloud-config.yaml", "ntp: {enabled: false}")
	if r := m.load(); !slices.Equal(r.Config.Testudo.Services.Disable, []string{"ntp"}) {
		t.Errorf("got %+v", r.Config.Testudo.Services)
	}
}

func TestAnEndedContextIsAnError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Load(ctx, newMachine(t).Options); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestADiskThatTakesNoWritesIsReportedAndNoMore(t *testing.T) {
	m := newMachine(t)
	m.file("cloud-config.yaml", "hostname: good")
	m.file(lastGood, "a file where the directory should be")
	r := m.load()
	if r.Config.Hostname != "good" || !strings.Contains(strings.Join(r.Problems, "\n"), "keep the last good configuration") {
		t.Errorf("got %q, %q", r.Config.Hostname, r.Problems)
	}
}

func TestWhatIsRefusedIsListedWithWhatIsUsedInstead(t *testing.T) {
	m := newMachine(t)
	m.Vendor = filepath.Join(t.TempDir(), "vendor.yaml")
	problems(t, m.load()) // none is no mistake
	if err := os.WriteFile(m.Vendor, []byte("hostnam: x"), 0o644); err != nil {
		t.Fatal(err)
	}
	m.file("cloud-config.yaml", "hostname: good")
	m.load()
	m.file("cloud-config.yaml", "hostname: [")
	m.file("conf.d/a.yaml", "timezon: UTC")
	m.cmdline("testudo.hostnam=x")
	r := m.load()
	if r.Config.Hostname != "good" {
		t.Errorf("got %q", r.Config.Hostname)
	}
	all := strings.Join(r.Refused, "\n")
	for _, want := range []string{m.Vendor + " is refused", "conf.d/a.yaml is refused, and no last good content is there", "cloud-config.yaml is refused, its last good content is used", "an argument of the kernel command line is ignored"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing in\n%s", want, all)
		}
	}
	if len(r.Refused) != 4 {
		t.Errorf("got %q", r.Refused)
	}
}

func TestWhatIsBuiltInIsNotTheMachinesOwn(t *testing.T) {
	m := newMachine(t)
	m.file("cloud-config.yaml", "hostname: file\ntimezone: UTC")
	m.cmdline("testudo.hostname=kernel")
	r := m.load()
	if len(r.Config.Users) != 1 || len(r.Own.Users) != 0 || r.Own.Hostname != "kernel" {
		t.Errorf("own: %s", &r.Own)
	}
	if r.Above.Hostname != "kernel" || r.Above.Timezone != "" {
		t.Errorf("above the file: %s", &r.Above)
	}
}

func TestResolvConfIsTheNetworksDNSUnlessThatIsSaid(t *testing.T) {
	m := newMachine(t)
	m.file("cloud-config.yaml", "resolv_conf: {nameservers: [192.0.2.53, '2001:db8::53'], searchdomains: [a.example], domain: b.example, options: {rotate: true, timeout: 1, edns0: false}, sortlist: [10.0.0.1/255]}")
	r := m.load()
	problems(t, r)
	dns := r.Config.Testudo.Network.DNS
	if len(dns.Servers) != 2 || !slices.Equal(dns.Search, []string{"b.example", "a.example"}) || !slices.Equal(dns.Options, []string{"rotate", "timeout:1"}) {
		t.Errorf("got %+v", dns)
	}
	if len(r.Config.Notes) != 1 || r.Config.Notes[0].Path != "resolv_conf.sortlist" {
		t.Errorf("notes: %v", r.Config.Notes)
	}
	m.file("conf.d/x.yaml", "testudo: {network: {dns: {search: [c.example]}}}")
	if dns := m.load().Config.Testudo.Network.DNS; !slices.Equal(dns.Search, []string{"c.example"}) || len(dns.Servers) != 2 {
		t.Errorf("got %+v", dns)
	}
}
