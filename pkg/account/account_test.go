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
			got := Plan(parse(t, tt.cfg), image, tt.kept, fixed{})
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
	first := Plan(cfg, image, Allocated{}, fixed{})
	second := Plan(cfg, first.Files, first.Allocated, fixed{})
	if first.Files != second.Files || first.Sudoers != second.Sudoers {
		t.Errorf("planning on its own result changes it:\n%+v\n%+v", first.Files, second.Files)
	}
	fresh := Plan(cfg, image, first.Allocated, fixed{})
	if fresh.Files != first.Files {
		t.Errorf("the next boot differs:\n%+v\n%+v", first.Files, fresh.Files)
	}
}

func TestLinesThatAreNotUnderstoodAreKept(t *testing.T) {
	odd := Files{Passwd: image.Passwd + "+@netgroup\n# note\n", Group: image.Group, Shadow: image.Shadow}
	got := Plan(parse(t, "users: [default]"), odd, Allocated{}, fixed{})
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
		if err := Apply(t.Context(), root, cfg, untold(t)); err != nil {
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
	if err := Apply(t.Context(), root, parse(t, "users: [{name: ann}]"), untold(t)); err != nil {
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
		first := Plan(cfg, Files{passwd, group, shadow}, Allocated{}, fixed{})
		for l := range strings.Lines(first.Passwd) {
			if strings.HasPrefix(l, "ann:") && len(first.Problems) == 0 && !strings.Contains(passwd, "ann") && !strings.HasPrefix(l, "ann:x:1") {
				t.Fatalf("got %q", l)
			}
		}
		if second := Plan(cfg, first.Files, first.Allocated, fixed{}); second.Files != first.Files {
			t.Fatalf("not stable:\n%q\n%q", first.Files, second.Files)
		}
	})
}

// fixed are secrets that a test can foresee.
type fixed struct{}

func (fixed) Hash(password string) (string, error) { return "$6$salt$" + password, nil }
func (fixed) Password() (string, error)            { return "random", nil }

// untold fails when a password is made up.
func untold(t *testing.T) func(user, password string) {
	return func(user, _ string) { t.Errorf("a password of %s was made up", user) }
}

func TestPasswordsOutsideOfUsers(t *testing.T) {
	cfg := parse(t, `users: [default, {name: ann, passwd: $6$a$b}, {name: bob, plain_text_passwd: plain, lock_passwd: false}, {name: eve, plain_text_passwd: locked}]
password: letmein
chpasswd: {users: [{name: ann, password: words, type: text}, {name: root, password: $6$c$d}, {name: eve, type: RANDOM}, {name: nobody-here, password: x, type: text}]}`)
	got := Plan(cfg, image, Allocated{}, fixed{})
	for name, want := range map[string]string{"ros": "$6$salt$letmein", "ann": "$6$salt$words", "bob": "$6$salt$plain", "root": "$6$c$d", "eve": "$6$salt$random"} {
		if l := lineOf(got.Shadow, name); !strings.HasPrefix(l, name+":"+want+":") {
			t.Errorf("got %s, want %s", l, want)
		}
	}
	if len(got.Problems) != 1 || !strings.Contains(got.Problems[0].Error(), "there is no user nobody-here") {
		t.Errorf("problems: %v", got.Problems)
	}
	if got.Random["eve"] != "random" || len(got.Random) != 1 {
		t.Errorf("made up: %v", got.Random)
	}
	if again := Plan(cfg, got.Files, got.Allocated, fixed{}); len(again.Random) != 0 || again.Shadow != got.Shadow {
		t.Errorf("a password is made up anew while the machine runs:\n%s\n%s", got.Shadow, again.Shadow)
	}
}

func TestTheDefaultUserByAnotherName(t *testing.T) {
	got := Plan(parse(t, "users: [default]\nuser: {name: admin, shell: /bin/sh, ssh_authorized_keys: [ssh-rsa AAAA2]}\nssh_authorized_keys: [ssh-rsa AAAA1]\npassword: x"), image, Allocated{}, fixed{})
	if l := lineOf(got.Passwd, "admin"); l != "admin:x:1001:1001:Testudo:/home/admin:/bin/sh" {
		t.Errorf("got %s", l)
	}
	if got.Keys["admin"] != "ssh-rsa AAAA1\nssh-rsa AAAA2\n" || got.Keys["ros"] != "" || !strings.Contains(got.Sudoers, "admin ALL=") {
		t.Errorf("keys %q, sudoers %s", got.Keys, got.Sudoers)
	}
	without := Plan(parse(t, "users: [default]\nuser: {name: admin, sudo: null}"), image, Allocated{}, fixed{})
	if without.Sudoers != "" {
		t.Errorf("sudo: null: %s", without.Sudoers)
	}
	if l := lineOf(got.Shadow, "admin"); !strings.HasPrefix(l, "admin:$6$salt$x:") {
		t.Errorf("got %s", l)
	}
}

func TestRootIsClosedToKeysWhenAsked(t *testing.T) {
	got := Plan(parse(t, "users: [default, {name: root, ssh_authorized_keys: ['from=\"a\" ssh-rsa AAAA2 me']}, {name: old, ssh_redirect_user: true}]\nssh_authorized_keys: [ssh-rsa AAAA1]\ndisable_root: true"), image, Allocated{}, fixed{})
	if got.Keys["ros"] != "ssh-rsa AAAA1\n" {
		t.Errorf("ros: %q", got.Keys["ros"])
	}
	for _, name := range []string{"root", "old"} {
		lines := strings.Split(strings.TrimSpace(got.Keys[name]), "\n")
		for _, l := range lines {
			if !strings.HasPrefix(l, "no-port-forwarding,") || !strings.Contains(l, `login as the user \"ros\" rather than the user \"`+name+`\"`) || !strings.Contains(l, "exit 142\" ssh-rsa AAAA") || strings.Contains(l, "from=") {
				t.Errorf("%s: %s", name, l)
			}
		}
		if want := map[string]int{"root": 2, "old": 1}[name]; len(lines) != want {
			t.Errorf("%s has %d keys, want %d", name, len(lines), want)
		}
	}
}

func TestAccountsThatEndAndThoseOfTheSystem(t *testing.T) {
	got := Plan(parse(t, "users: [{name: ann, expiredate: '1970-01-11', inactive: '5'}, {name: robot, system: true}, {name: guest, no_user_group: true}]\ngroups: [{workers: [ann]}, idlers]"), image, Allocated{}, fixed{})
	if l := lineOf(got.Shadow, "ann"); l != "ann:*::0:99999:7:5:10:" {
		t.Errorf("got %s", l)
	}
	if l := lineOf(got.Passwd, "robot"); !strings.HasPrefix(l, "robot:x:999:") {
		t.Errorf("got %s", l)
	}
	for _, h := range got.Homes {
		if h.Path == "/home/robot" {
			t.Error("a user of the system has a home")
		}
	}
	users, guest := lineOf(got.Group, "users"), lineOf(got.Passwd, "guest")
	if f := strings.Split(users, ":"); len(f) < 3 || strings.Split(guest, ":")[3] != f[2] {
		t.Errorf("users %q, guest %q", users, guest)
	}
	if l := lineOf(got.Group, "workers"); !strings.HasSuffix(l, ":ann") {
		t.Errorf("got %s", l)
	}
	if lineOf(got.Group, "idlers") == "" {
		t.Error("no group idlers")
	}
}

func TestWhoLeavesTheConfigurationLeavesTheMachine(t *testing.T) {
	first := Plan(parse(t, "users: [default, {name: ann, groups: [sudo, work], passwd: $6$a$b, lock_passwd: false}, {name: bob, uid: 1500}]\nchpasswd: {users: [{name: root, password: $6$c$d}]}"), image, Allocated{}, fixed{})
	second := Plan(parse(t, "users: [default, {name: ann, groups: [work]}]"), first.Files, first.Allocated, fixed{})
	if lineOf(second.Passwd, "bob") != "" || lineOf(second.Shadow, "bob") != "" || second.Allocated.Users["bob"] != 1500 {
		t.Errorf("bob is still there, or his number is not kept:\n%s", second.Passwd)
	}
	if l := lineOf(second.Shadow, "root"); !strings.HasPrefix(l, "root:*:") {
		t.Errorf("got %s", l)
	}
	if l := lineOf(second.Group, "sudo"); strings.Contains(l, "ann") || !strings.Contains(l, "ros") {
		t.Errorf("got %s", l)
	}
	if !strings.HasSuffix(lineOf(second.Group, "work"), ":ann") || !strings.HasPrefix(lineOf(second.Shadow, "ann"), "ann:*:") {
		t.Errorf("got %s and %s", lineOf(second.Group, "work"), lineOf(second.Shadow, "ann"))
	}
}

// The hashes are those of `openssl passwd -6 -salt SALT WORD`.
func TestHashesAreThoseOfCrypt(t *testing.T) {
	for _, tt := range []struct{ password, salt, want string }{
		{"password", "saltsalt", "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/"},
	} {
		if got := sha512crypt(tt.password, tt.salt); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
	a, err := random{}.Hash("x")
	b, err2 := random{}.Hash("x")
	if err != nil || err2 != nil || a == b || !config.IsHash(config.Secret(a)) {
		t.Errorf("got %s and %s", a, b)
	}
}
