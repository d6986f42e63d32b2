package ocispec

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	imagespec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/testudo-os/testudo/pkg/service"
)

var update = flag.Bool("update", false, "write the golden files anew")

func build(t *testing.T, svc service.Service, image imagespec.ImageConfig) *specs.Spec {
	t.Helper()
	if svc.Name == "" {
		svc.Name = "web"
	}
	if image.Cmd == nil && image.Entrypoint == nil {
		image.Cmd = []string{"/bin/web"}
	}
	s, err := Build(&svc, image, testHost(), Options{CgroupsPath: "/system/" + svc.Name})
	if err != nil {
		t.Fatalf("build: %v", err)
	}
	return s
}

func testHost() Host {
	return Host{
		User: func(name string) (User, error) {
			switch name {
			case "_chrony":
				return User{UID: 102, GID: 102, Home: "/var/lib/chrony"}, nil
			case "0:adm":
				return User{GID: 4}, nil
			}
			return User{}, errors.New("no such user in the image")
		},
		Device: func(path string) (specs.LinuxDevice, error) {
			if path != "/dev/kmsg" {
				return specs.LinuxDevice{}, os.ErrNotExist
			}
			return specs.LinuxDevice{Path: path, Type: "c", Major: 1, Minor: 11}, nil
		},
		Devices: func() ([]specs.LinuxDevice, error) {
			return []specs.LinuxDevice{{Path: "/dev/vda", Type: "b", Major: 254}}, nil
		},
	}
}

func TestAWholeServiceGivesTheGoldenSpec(t *testing.T) {
	svc := service.Service{
		Name: "ntp", User: "102:102", ReadOnly: true,
		CapDrop: []string{"ALL"}, CapAdd: []string{"CAP_SYS_TIME", "CAP_NET_BIND_SERVICE"},
		Environment: []string{"TZ=UTC"},
		NetworkMode: "host", MemLimit: 32 << 20, PidsLimit: 16, CPUs: 0.5, OOMScoreAdj: -500,
		Volumes: []service.Volume{
			{Source: "/var/lib/testudo/ntp", Target: "/var/lib/chrony"},
			{Source: "/etc/localtime", Target: "/etc/localtime", ReadOnly: true, Recursive: true},
		},
		Tmpfs:       []service.Tmpfs{{Target: "/run", Size: 1 << 20, Mode: 0o755}},
		Devices:     []service.Device{{Source: "/dev/kmsg", Target: "/dev/kmsg", Permissions: "w"}},
		Ulimits:     map[string]service.Ulimit{"core": {}, "memlock": {Soft: -1, Hard: -1}},
		Sysctls:     map[string]string{"net.ipv4.ip_forward": "0"},
		SecurityOpt: service.SecurityOpt{NoNewPrivileges: true},
	}
	image := imagespec.ImageConfig{
		Entrypoint: []string{"/usr/sbin/chronyd"}, Cmd: []string{"-d"}, Env: []string{"PATH=/usr/sbin"}, WorkingDir: "/var/lib/chrony",
	}
	s, err := Build(&svc, image, testHost(), Options{CgroupsPath: "/system/ntp", NotifyDir: "/run/testudo/notify/ntp"})
	if err != nil {
		t.Fatal(err)
	}
	if s.Linux.Seccomp == nil || s.Linux.Seccomp.DefaultAction != specs.ActErrno {
		t.Fatal("the default seccomp profile is missing")
	}
	s.Linux.Seccomp = nil // containerd's, and it depends on the running kernel
	got, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "ntp.json")
	if *update {
		if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != string(got)+"\n" {
		t.Errorf("spec differs from %s (rewrite with -update):\n%s", golden, got)
	}
}

func TestArguments(t *testing.T) {
	image := imagespec.ImageConfig{Entrypoint: []string{"/entry"}, Cmd: []string{"image-cmd"}}
	for _, c := range []struct {
		name string
		svc  service.Service
		img  imagespec.ImageConfig
		want string
	}{
		{"the image's entrypoint and command when the service has none", service.Service{}, image, "/entry image-cmd"},
		{"a command replaces the image's command only", service.Service{Command: []string{"c"}}, image, "/entry c"},
		{"an entrypoint clears the image's command", service.Service{Entrypoint: []string{"/e"}}, image, "/e"},
		{"an empty entrypoint clears the image's", service.Service{Entrypoint: []string{}, Command: []string{"/c"}}, image, "/c"},
		{"nothing to run is an error", service.Service{}, imagespec.ImageConfig{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := arguments(&c.svc, c.img)
			if c.want == "" {
				if !errors.Is(err, ErrNoCommand) {
					t.Fatalf("got %q and %v, want ErrNoCommand", got, err)
				}
				return
			}
			if err != nil || strings.Join(got, " ") != c.want {
				t.Errorf("got %q (%v), want %q", got, err, c.want)
			}
		})
	}
}

func TestInitGoesBeforeTheCommandAndIsMounted(t *testing.T) {
	svc := service.Service{Name: "x", Init: true}
	s, err := Build(&svc, imagespec.ImageConfig{Cmd: []string{"/x"}}, testHost(), Options{InitBinary: "/usr/bin/tini"})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(s.Process.Args, " "); got != "/.testudo-init -- /x" {
		t.Errorf("args %q", got)
	}
	if m := mountAt(s, "/.testudo-init"); m == nil || m.Source != "/usr/bin/tini" {
		t.Errorf("init is not mounted: %+v", m)
	}
}

func TestCapabilities(t *testing.T) {
	for _, c := range []struct {
		name    string
		svc     service.Service
		want    []string
		ambient []string
	}{
		{"docker's default", service.Service{}, defaultCapabilities, nil},
		{"drop all, add two", service.Service{CapDrop: []string{"ALL"}, CapAdd: []string{"CAP_SYS_TIME", "CAP_CHOWN"}}, []string{"CAP_CHOWN", "CAP_SYS_TIME"}, nil},
		{"add all, drop one", service.Service{CapAdd: []string{"ALL"}, CapDrop: []string{"CAP_SYS_MODULE"}}, without(allCapabilities, "CAP_SYS_MODULE"), nil},
		{"privileged means every one", service.Service{Privileged: true, CapDrop: []string{"ALL"}}, allCapabilities, nil},
		{"an added one works without root", service.Service{User: "5", CapDrop: []string{"ALL"}, CapAdd: []string{"CAP_SYS_TIME"}}, []string{"CAP_SYS_TIME"}, []string{"CAP_SYS_TIME"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := build(t, c.svc, imagespec.ImageConfig{}).Process.Capabilities
			if !slices.Equal(got.Bounding, c.want) || !slices.Equal(got.Effective, c.want) || !slices.Equal(got.Permitted, c.want) {
				t.Errorf("got %v, want %v", got.Bounding, c.want)
			}
			if !slices.Equal(got.Ambient, c.ambient) || !slices.Equal(got.Inheritable, c.ambient) {
				t.Errorf("ambient %v inheritable %v, want %v", got.Ambient, got.Inheritable, c.ambient)
			}
		})
	}
}

func without(list []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == one })
}

func TestUsers(t *testing.T) {
	for _, c := range []struct {
		name  string
		svc   service.Service
		image string
		want  specs.User
		home  string
		err   string
	}{
		{"root when nobody says otherwise", service.Service{}, "", specs.User{}, "/root", ""},
		{"a number alone has group 0", service.Service{User: "7"}, "", specs.User{UID: 7}, "/", ""},
		{"the image's user", service.Service{}, "101:102", specs.User{UID: 101, GID: 102}, "/", ""},
		{"the service's user wins", service.Service{User: "5:5"}, "101", specs.User{UID: 5, GID: 5}, "/", ""},
		{"a name is looked up", service.Service{User: "_chrony"}, "", specs.User{UID: 102, GID: 102}, "/var/lib/chrony", ""},
		{"groups by number and name", service.Service{GroupAdd: []string{"27", "adm"}}, "", specs.User{AdditionalGids: []uint32{27, 4}}, "/root", ""},
		{"an unknown name is an error that says who", service.Service{User: "nobody-here"}, "", specs.User{}, "", `user "nobody-here"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.svc.Name = "x"
			s, err := Build(&c.svc, imagespec.ImageConfig{User: c.image, Cmd: []string{"/x"}}, testHost(), Options{})
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("got %v, want an error with %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(s.Process.User, c.want) {
				t.Errorf("got %+v, want %+v", s.Process.User, c.want)
			}
			if !slices.Contains(s.Process.Env, "HOME="+c.home) {
				t.Errorf("env %v lacks HOME=%s", s.Process.Env, c.home)
			}
		})
	}
}

func TestPrivilegedIsDockers(t *testing.T) {
	s := build(t, service.Service{Privileged: true}, imagespec.ImageConfig{})
	if s.Linux.Seccomp != nil || s.Linux.MaskedPaths != nil || s.Linux.ReadonlyPaths != nil {
		t.Error("a privileged service must have no seccomp, masked or read-only paths")
	}
	if len(s.Linux.Devices) != 1 || s.Linux.Devices[0].Path != "/dev/vda" {
		t.Errorf("devices %+v, want the machine's", s.Linux.Devices)
	}
	if d := s.Linux.Resources.Devices; len(d) != 1 || !d[0].Allow {
		t.Errorf("device rules %+v, want all allowed", d)
	}
	for _, at := range []string{"/sys", "/sys/fs/cgroup"} {
		if m := mountAt(s, at); m == nil || slices.Contains(m.Options, "ro") {
			t.Errorf("%s must be writable: %+v", at, m)
		}
	}
}

func TestUnprivilegedIsConfined(t *testing.T) {
	s := build(t, service.Service{}, imagespec.ImageConfig{})
	if s.Linux.Seccomp == nil || len(s.Linux.MaskedPaths) == 0 || len(s.Linux.ReadonlyPaths) == 0 {
		t.Error("seccomp, masked and read-only paths must be set")
	}
	if m := mountAt(s, "/sys"); m == nil || !slices.Contains(m.Options, "ro") {
		t.Errorf("/sys must be read-only: %+v", m)
	}
	if m := mountAt(s, "/sys/fs/cgroup"); m != nil {
		t.Errorf("cgroups must not be visible: %+v", m)
	}
	if d := s.Linux.Resources.Devices; len(d) != 1 || d[0].Allow {
		t.Errorf("device rules %+v, want all denied", d)
	}
	if u := build(t, service.Service{SecurityOpt: service.SecurityOpt{Seccomp: "unconfined"}}, imagespec.ImageConfig{}); u.Linux.Seccomp != nil {
		t.Error("seccomp:unconfined must mean no profile")
	}
}

func TestHostDevReplacesTheContainersOwn(t *testing.T) {
	s := build(t, service.Service{Privileged: true, Volumes: []service.Volume{{Source: "/dev", Target: "/dev", Recursive: true}}}, imagespec.ImageConfig{})
	for _, at := range []string{"/dev/pts", "/dev/shm", "/dev/mqueue"} {
		if m := mountAt(s, at); m != nil {
			t.Errorf("%s is mounted over the host's: %+v", at, m)
		}
	}
	if len(s.Linux.Devices) != 0 {
		t.Errorf("devices %+v would be made in the host's /dev", s.Linux.Devices)
	}
}

func TestMountsComeParentsFirst(t *testing.T) {
	s := build(t, service.Service{
		Volumes: []service.Volume{{Source: "/a", Target: "/run/deep/er"}, {Source: "/b", Target: "/run"}},
	}, imagespec.ImageConfig{})
	at := map[string]int{}
	for i, m := range s.Mounts {
		at[m.Destination] = i
	}
	if at["/run"] > at["/run/deep/er"] {
		t.Errorf("/run would hide /run/deep/er: %v", at)
	}
}

func TestPropagation(t *testing.T) {
	for _, c := range []struct{ volume, root string }{{"", ""}, {"rprivate", ""}, {"rslave", "rslave"}, {"rshared", "rshared"}} {
		s := build(t, service.Service{Volumes: []service.Volume{{Source: "/a", Target: "/a", Propagation: c.volume}}}, imagespec.ImageConfig{})
		if s.Linux.RootfsPropagation != c.root {
			t.Errorf("volume %q: root %q, want %q", c.volume, s.Linux.RootfsPropagation, c.root)
		}
		want := c.volume
		if want == "" {
			want = "rprivate"
		}
		if m := mountAt(s, "/a"); !slices.Contains(m.Options, want) {
			t.Errorf("volume %q: options %v lack %q", c.volume, m.Options, want)
		}
	}
}

func TestTheNotifySocketIsWhereTheServiceSeesIt(t *testing.T) {
	const dir = "/run/testudo/notify/x"
	for _, c := range []struct {
		name    string
		volumes []service.Volume
		want    string
		mounted bool
	}{
		{"mounted on its own", nil, "/run/notify/notify.sock", true},
		{"through the host's /run", []service.Volume{{Source: "/run", Target: "/run"}}, dir + "/notify.sock", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			svc := service.Service{Name: "x", Volumes: c.volumes}
			s, err := Build(&svc, imagespec.ImageConfig{Cmd: []string{"/x"}}, testHost(), Options{NotifyDir: dir})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(s.Process.Env, "NOTIFY_SOCKET="+c.want) {
				t.Errorf("env %v", s.Process.Env)
			}
			if got := mountAt(s, "/run/notify") != nil; got != c.mounted {
				t.Errorf("mounted %v, want %v", got, c.mounted)
			}
		})
	}
}

func TestEnvironmentLaterWins(t *testing.T) {
	s := build(t, service.Service{Environment: []string{"A=2", "NAMEONLY"}}, imagespec.ImageConfig{Env: []string{"A=1", "PATH=/x"}})
	want := []string{"PATH=/x", "HOME=/root", "A=2"}
	if !slices.Equal(s.Process.Env, want) {
		t.Errorf("got %v, want %v", s.Process.Env, want)
	}
}

func TestNamespaces(t *testing.T) {
	host := build(t, service.Service{Pid: "host", Ipc: "host", Uts: "host", NetworkMode: "host", Cgroup: "host"}, imagespec.ImageConfig{})
	if n := host.Linux.Namespaces; len(n) != 1 || n[0].Type != specs.MountNamespace {
		t.Errorf("all host: %v", n)
	}
	if host.Hostname != "" {
		t.Errorf("hostname %q would change the machine's", host.Hostname)
	}
	own := build(t, service.Service{NetworkMode: "none"}, imagespec.ImageConfig{})
	if len(own.Linux.Namespaces) != 6 {
		t.Errorf("own: %v", own.Linux.Namespaces)
	}
}

func TestDeviceRules(t *testing.T) {
	for _, c := range []struct {
		text string
		ok   bool
	}{
		{"c 13:* r", true}, {"a *:* rwm", true}, {"b 8:0 rw", true},
		{"", false}, {"c 13 r", false}, {"x 1:1 r", false}, {"c -1:1 r", false}, {"c 1:1 q", false}, {"c 1:z r", false},
	} {
		if _, err := parseDeviceRule(c.text); (err == nil) != c.ok {
			t.Errorf("%q: %v", c.text, err)
		}
	}
}

func TestAMissingDeviceIsNamed(t *testing.T) {
	svc := service.Service{Name: "x", Devices: []service.Device{{Source: "/dev/none"}}}
	_, err := Build(&svc, imagespec.ImageConfig{Cmd: []string{"/x"}}, testHost(), Options{})
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "/dev/none") {
		t.Errorf("got %v", err)
	}
}

func FuzzDeviceRule(f *testing.F) {
	f.Add("c 13:* r")
	f.Fuzz(func(t *testing.T, text string) {
		rule, err := parseDeviceRule(text)
		if err == nil && (!rule.Allow || rule.Type == "" || rule.Access == "") {
			t.Errorf("%q gave %+v", text, rule)
		}
	})
}

func mountAt(s *specs.Spec, at string) *specs.Mount {
	for i, m := range s.Mounts {
		if m.Destination == at {
			return &s.Mounts[i]
		}
	}
	return nil
}

func TestTheOOMScoreIsAlwaysSaid(t *testing.T) {
	if got := build(t, service.Service{}, imagespec.ImageConfig{}).Process.OOMScoreAdj; got == nil || *got != 0 {
		t.Errorf("got %v, want 0: what is not said is inherited", got)
	}
}

func TestLimitsAndNames(t *testing.T) {
	s := build(t, service.Service{
		Hostname: "web.lan", Annotations: map[string]string{"a": "b"}, ShmSize: 1 << 20,
		MemLimit: 8 << 20, MemReservation: 4 << 20, MemswapLimit: -1,
		CPUShares: 512, CPUQuota: 5000, CPUPeriod: 10000, Cpuset: "0-1",
	}, imagespec.ImageConfig{})
	memory, cpu := s.Linux.Resources.Memory, s.Linux.Resources.CPU
	if s.Hostname != "web.lan" || s.Annotations["a"] != "b" {
		t.Errorf("hostname %q, annotations %v", s.Hostname, s.Annotations)
	}
	if *memory.Limit != 8<<20 || *memory.Reservation != 4<<20 || *memory.Swap != -1 {
		t.Errorf("memory %+v", memory)
	}
	if *cpu.Shares != 512 || *cpu.Quota != 5000 || *cpu.Period != 10000 || cpu.Cpus != "0-1" {
		t.Errorf("cpu %+v", cpu)
	}
	i := slices.IndexFunc(s.Mounts, func(m specs.Mount) bool { return m.Destination == "/dev/shm" })
	if !slices.Contains(s.Mounts[i].Options, "size=1048576") {
		t.Errorf("/dev/shm: %v", s.Mounts[i].Options)
	}
}
