package account

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/testudo-os/testudo/pkg/config"
)

var image = Files{
	Passwd: "root:x:0:0:root:/root:/bin/bash\nsshd:x:101:101::/run/sshd:/usr/sbin/nologin\nros:x:1000:1000:Testudo:/home/ros:/bin/bash\n",
	Group:  "root:x:0:\nadm:x:4:\nsudo:x:27:\ndocker:x:998:\nros:x:1000:\n",
	Shadow: "root:!:19000:0:99999:7:::\nsshd:!*:19000::::::\n",
}

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// lineOf gives the line of a table that begins with name.
func lineOf(text, name string) string {
	for l := range strings.Lines(text) {
		if strings.HasPrefix(l, name+":") {
			return strings.TrimSpace(l)
		}
	}
	return ""
}

func TestPlan(t *testing.T) {
	const hash = "$6$salt$hash"
	type want map[string]string // "passwd ann" -> line
	tests := []struct {
		name     string
		cfg      string
		kept     Allocated
		want     want
		problems []string
	}{
		{"the default user", "users: [default]\nssh_authorized_keys: [ssh-rsa AAAA1]", Allocated{}, want{
			"passwd ros": "ros:x:1000:1000:Testudo:/home/ros:/bin/bash", "group docker": "docker:x:998:ros", "group sudo": "sudo:x:27:ros", "group adm": "adm:x:4:ros",
			"shadow ros": "ros:*::0:99999:7:::", "shadow root": "root:*:19000:0:99999:7:::", "keys ros": "ssh-rsa AAAA1\n", "keys root": "ssh-rsa AAAA1\n",
			"sudoers": "ros ALL=(ALL) NOPASSWD:ALL"}, nil},
		{"without the default user the image's own stays, without keys", "users: [{name: ann}]", Allocated{}, want{
			"passwd ros": "ros:x:1000:1000:Testudo:/home/ros:/bin/bash", "keys ros": "", "passwd ann": "ann:x:1001:1001::/home/ann:/bin/bash", "group ann": "ann:x:1001:"}, nil},
		{"a new user may not log in by password", "users: [{name: ann}]", Allocated{}, want{"shadow ann": "ann:*::0:99999:7:::"}, nil},
		{"nor with a password that is locked", "users: [{name: ann, passwd: " + hash + "}]", Allocated{}, want{"shadow ann": "ann:*::0:99999:7:::"}, nil},
		{"but with one that is not", "users: [{name: ann, passwd: " + hash + ", lock_passwd: false}]", Allocated{}, want{"shadow ann": "ann:" + hash + "::0:99999:7:::"}, nil},
		{"all fields", "users: [{name: ann, gecos: A, uid: 1500, shell: /bin/sh, homedir: /srv/a, primary_group: adm, groups: [docker, newgroup]}]", Allocated{}, want{
			"passwd ann": "ann:x:1500:4:A:/srv/a:/bin/sh", "group docker": "docker:x:998:ann", "group newgroup": "newgroup:x:1001:ann"}, nil},
		{"a number given earlier is kept", "users: [{name: bob}, {name: ann}]", Allocated{Users: map[string]int{"ann": 1001, "gone": 1002}}, want{
			"passwd ann": "ann:x:1001:1001::/home/ann:/bin/bash", "passwd bob": "bob:x:1003:1003::/home/bob:/bin/bash"}, nil},
		{"a number asked for is given before others", "users: [{name: ann}, {name: bob, uid: 1001}]", Allocated{}, want{
			"passwd ann": "ann:x:1002:1002::/home/ann:/bin/bash", "passwd bob": "bob:x:1001:1001::/home/bob:/bin/bash"}, nil},
		{"a number of someone who has gone can be asked for", "users: [{name: bob, uid: 1001}]", Allocated{Users: map[string]int{"ann": 1001}}, want{
			"passwd bob": "bob:x:1001:1001::/home/bob:/bin/bash"}, nil},
		{"a number twice", "users: [{name: ann, uid: 1500}, {name: bob, uid: 1500}, {name: eve}]", Allocated{}, want{
			"passwd ann": "ann:x:1500:1500::/home/ann:/bin/bash", "passwd bob": "", "passwd eve": "eve:x:1001:1001::/home/eve:/bin/bash"}, []string{"user bob: the number 1500 is that of ann"}},
		{"a second root", "users: [{name: toor, uid: 0}]", Allocated{}, want{"passwd toor": ""}, []string{"user toor: the number 0 is root's"}},
		{"an account of the system", "users: [{name: sshd, shell: /bin/bash}]", Allocated{}, want{"passwd sshd": "sshd:x:101:101::/run/sshd:/usr/sbin/nologin"}, []string{"user sshd: is an account of the system"}},
		{"root", "users: [{name: root, shell: /bin/sh, ssh_authorized_keys: [ssh-rsa AAAA9]}]\nssh_authorized_keys: [ssh-rsa AAAA1]", Allocated{}, want{
			"passwd root": "root:x:0:0:root:/root:/bin/sh", "keys root": "ssh-rsa AAAA9\nssh-rsa AAAA1\n", "shadow root": "root:*:19000:0:99999:7:::"}, nil},
		{"the default user changed by name", "users: [default, {name: ros, shell: /bin/sh}]\nssh_authorized_keys: [ssh-rsa AAAA1]", Allocated{}, want{
			"passwd ros": "ros:x:1000:1000:Testudo:/home/ros:/bin/sh", "keys ros": "ssh-rsa AAAA1\n"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Plan(parse(t, tt.cfg), image, tt.kept)
			for key, want := range tt.want {
				table, name, _ := strings.Cut(key, " ")
				have := map[string]func() string{
					"passwd": func() string { return lineOf(got.Passwd, name) }, "group": func() string { return lineOf(got.Group, name) },
					"shadow": func() string { return lineOf(got.Shadow, name) }, "keys": func() string { return got.Keys[name] },
					"sudoers": func() string { return got.Sudoers },
				}[table]()
				if table == "sudoers" && strings.Contains(have, want) {
					continue
				}
				if have != want {
					t.Errorf("%s: got %q, want %q", key, have, want)
				}
			}
			if len(got.Problems) != len(tt.problems) {
				t.Fatalf("problems: got %v, want %q", got.Problems, tt.problems)
			}
			for i, p := range tt.problems {
				if got.Problems[i].Error() != p {
					t.Errorf("got %v, want %s", got.Problems[i], p)
				}
			}
		})
	}
}

func TestPlanIsStable(t *testing.T) {
	cfg := parse(t, "users: [default, {name: ann, groups: [new]}, {name: bob, passwd: $6$a$b, lock_passwd: false}]\nssh_authorized_keys: [ssh-rsa AAAA1]")
	first := Plan(cfg, image, Allocated{})
	second := Plan(cfg, first.Files, first.Allocated)
	if first.Files != second.Files || first.Sudoers != second.Sudoers {
		t.Errorf("planning on its own result changes it:\n%+v\n%+v", first.Files, second.Files)
	}
	fresh := Plan(cfg, image, first.Allocated)
	if fresh.Files != first.Files {
		t.Errorf("the next boot differs:\n%+v\n%+v", first.Files, fresh.Files)
	}
}

func TestLinesThatAreNotUnderstoodAreKept(t *testing.T) {
	odd := Files{Passwd: image.Passwd + "+@netgroup\n# note\n", Group: image.Group, Shadow: image.Shadow}
	got := Plan(parse(t, "users: [default]"), odd, Allocated{})
	if !strings.Contains(got.Passwd, "+@netgroup\n# note\n") {
		t.Errorf("got %s", got.Passwd)
	}
	if len(got.Problems) != 1 || !strings.Contains(got.Problems[0].Error(), "/etc/passwd: line 4: 1 fields, want 7") {
		t.Errorf("got %v", got.Problems)
	}
}

func write(t *testing.T, root, path, text string) {
	t.Helper()
	full := filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
}

func TestApply(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to give files to users")
	}
	root := t.TempDir()
	write(t, root, Passwd, image.Passwd)
	write(t, root, Group, image.Group)
	write(t, root, Shadow, image.Shadow)
	write(t, root, Skel+"/.bashrc", "# rc")
	write(t, root, KeysDir+"/old", "ssh-rsa AAAA0\n")
	cfg := parse(t, "users: [default, {name: ann, ssh_authorized_keys: [ssh-rsa AAAA2]}]\nssh_authorized_keys: [ssh-rsa AAAA1]")
	for range 2 { // the second time changes nothing
		if err := Apply(t.Context(), root, cfg); err != nil {
			t.Fatal(err)
		}
	}
	read := func(path string) string {
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Error(err)
		}
		return string(text)
	}
	if got := read(KeysDir + "/ann"); got != "ssh-rsa AAAA2\n" {
		t.Errorf("keys: got %q", got)
	}
	if _, err := os.Stat(filepath.Join(root, KeysDir, "old")); err == nil {
		t.Error("a key that is no longer configured is still there")
	}
	if got := read("/home/ann/.bashrc"); got != "# rc" {
		t.Errorf("skeleton: got %q", got)
	}
	info, err := os.Stat(filepath.Join(root, "/home/ann"))
	if err != nil {
		t.Fatal(err)
	}
	if uid, gid := owner(info); uid != 1001 || gid != 1001 || info.Mode().Perm() != 0o700 {
		t.Errorf("home: %d:%d %v, want 1001:1001 0700", uid, gid, info.Mode())
	}
	if info, err = os.Stat(filepath.Join(root, Shadow)); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("shadow's mode changed: %v, %v", info.Mode(), err)
	}
	if info, err = os.Stat(filepath.Join(root, Sudoers)); err != nil || info.Mode().Perm() != 0o440 {
		t.Errorf("sudo rules: %v, %v; want 0440", info, err)
	}
}

func TestApplyStaysBelowItsRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to give files to users")
	}
	root, outside := t.TempDir(), t.TempDir()
	write(t, root, Passwd, image.Passwd)
	if err := os.Symlink(outside, filepath.Join(root, "home")); err != nil {
		t.Fatal(err)
	}
	if err := Apply(t.Context(), root, parse(t, "users: [{name: ann}]")); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
		t.Errorf("written outside: %v, %v", entries, err)
	}
}

func FuzzTables(f *testing.F) {
	f.Add(image.Passwd, image.Group, image.Shadow)
	f.Fuzz(func(t *testing.T, passwd, group, shadow string) {
		cfg := &config.Config{Users: []config.User{{Default: true}, {Name: "ann", Groups: []string{"docker"}}}, SSHAuthorizedKeys: []string{"ssh-rsa AAAA1"}}
		first := Plan(cfg, Files{passwd, group, shadow}, Allocated{})
		for l := range strings.Lines(first.Passwd) {
			if strings.HasPrefix(l, "ann:") && len(first.Problems) == 0 && !strings.Contains(passwd, "ann") && !strings.HasPrefix(l, "ann:x:1") {
				t.Fatalf("got %q", l)
			}
		}
		if second := Plan(cfg, first.Files, first.Allocated); second.Files != first.Files {
			t.Fatalf("not stable:\n%q\n%q", first.Files, second.Files)
		}
	})
}
