package apply

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/testudo-os/testudo/pkg/config"
)

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("f", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func newRoot(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to give files to users")
	}
	root := t.TempDir()
	put(t, root, "/etc/passwd", "root:x:0:0::/:/bin/sh\nann:x:1500:1600::/:/bin/sh\n")
	put(t, root, "/etc/group", "root:x:0:\nadm:x:4:\n")
	return root
}

func put(t *testing.T, root, path, text string) {
	t.Helper()
	full := filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestWriteFiles(t *testing.T) {
	tests := []struct {
		name, entry string
		before      string // content of /f before
		want        string
		mode        os.FileMode
		uid, gid    uint32
	}{
		{"plain", "{path: /f, content: hello}", "", "hello", 0o644, 0, 0},
		{"a file that is there is replaced", "{path: /f, content: new}", "old", "new", 0o644, 0, 0},
		{"base64 and gzip", "{path: /f, encoding: gz+b64, content: H4sIAAAAAAAAA8tIzcnJBwCGphA2BQAAAA==}", "", "hello", 0o644, 0, 0},
		{"an octal mode", "{path: /f, permissions: 0750, content: x}", "", "x", 0o750, 0, 0},
		{"setuid survives the change of owner", "{path: /f, permissions: '4755', owner: ann, content: x}", "", "x", 0o755 | os.ModeSetuid, 1500, 1600},
		{"an owner and a group", "{path: /f, owner: 'ann:adm', content: x}", "", "x", 0o644, 1500, 4},
		{"numbers", "{path: /f, owner: '77:88', content: x}", "", "x", 0o644, 77, 88},
		{"append", "{path: /f, append: true, content: two}", "one", "onetwo", 0o644, 0, 0},
		{"append once", "{path: /f, append: true, content: two}", "onetwo", "onetwo", 0o644, 0, 0},
		{"append to nothing", "{path: /f, append: true, content: two}", "", "two", 0o644, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := newRoot(t)
			if tt.before != "" {
				put(t, root, "/f", tt.before)
			}
			if err := WriteFiles(t.Context(), root, parse(t, "write_files: ["+tt.entry+"]")); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(root, "f"))
			if err != nil || string(got) != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
			info, err := os.Stat(filepath.Join(root, "f"))
			if err != nil {
				t.Fatal(err)
			}
			stat := info.Sys().(*syscall.Stat_t)
			if info.Mode() != tt.mode || stat.Uid != tt.uid || stat.Gid != tt.gid {
				t.Errorf("got %v %d:%d, want %v %d:%d", info.Mode(), stat.Uid, stat.Gid, tt.mode, tt.uid, tt.gid)
			}
		})
	}
}

func TestOneBadEntryDoesNotKeepTheOthersFromBeingWritten(t *testing.T) {
	root := newRoot(t)
	err := WriteFiles(t.Context(), root, parse(t, "write_files: [{path: /a, owner: nobodyhere}, {path: /new/dir/b}, {path: /c, defer: true}]"))
	if err == nil || err.Error() != `write_files[0]: /a: owner: user "nobodyhere" is not there` {
		t.Errorf("got %v", err)
	}
	exists := func(path string) bool { _, err := os.Lstat(filepath.Join(root, path)); return err == nil }
	if exists("/a") || !exists("/new/dir/b") || exists("/c") {
		t.Errorf("a %v, b %v, c %v; want false, true, false", exists("/a"), exists("/new/dir/b"), exists("/c"))
	}
	if err := DeferredFiles(t.Context(), root, parse(t, "write_files: [{path: /c, defer: true}]")); err != nil || !exists("/c") {
		t.Errorf("deferred: %v, %v", exists("/c"), err)
	}
}

func TestFilesStayBelowTheRoot(t *testing.T) {
	outside := t.TempDir()
	tests := []struct{ name, link, to string }{
		{"a link to an absolute path", "out", outside},
		{"a link that climbs", "out", strings.Repeat("../", 20) + outside},
		{"the file itself a link", "out/f", filepath.Join(outside, "f")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := newRoot(t)
			if err := os.MkdirAll(filepath.Dir(filepath.Join(root, tt.link)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(tt.to, filepath.Join(root, tt.link)); err != nil {
				t.Fatal(err)
			}
			if err := WriteFiles(t.Context(), root, parse(t, "write_files: [{path: /out/f, content: x}]")); err != nil {
				t.Log(err) // refusing is as good
			}
			if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
				t.Errorf("written outside: %v, %v", entries, err)
			}
		})
	}
}

func TestTimezone(t *testing.T) {
	root := newRoot(t)
	put(t, root, zoneinfo+"/Europe/Lisbon", "TZif2")
	put(t, root, zoneinfo+"/Etc/UTC", "TZif2")
	put(t, root, zoneinfo+"/zone.tab", "# no zone")
	for _, tt := range []struct{ zone, want, problem string }{
		{"Europe/Lisbon", "Europe/Lisbon", ""},
		{"Mars/Base", "Etc/UTC", `there is no zone "Mars/Base"`},
		{"Europe/Lisbon", "Europe/Lisbon", ""},
		{"Europe", "Etc/UTC", `there is no zone "Europe"`},
		{"zone.tab", "Etc/UTC", `there is no zone "zone.tab"`},
		{"Europe/Lisbon", "Europe/Lisbon", ""},
		{"", "Etc/UTC", ""},
	} {
		err := Timezone(root, tt.zone)
		if tt.problem == "" && err != nil || tt.problem != "" && (err == nil || !strings.Contains(err.Error(), tt.problem)) {
			t.Errorf("%q: got the error %v", tt.zone, err)
		}
		if link, err := os.Readlink(filepath.Join(root, "etc/localtime")); link != zoneinfo+"/"+tt.want || err != nil {
			t.Errorf("%q: /etc/localtime leads to %q, %v", tt.zone, link, err)
		}
		if name, err := os.ReadFile(filepath.Join(root, "etc/timezone")); string(name) != tt.want+"\n" || err != nil {
			t.Errorf("%q: /etc/timezone says %q, %v", tt.zone, name, err)
		}
	}
}

// sh runs programs for real and keeps what they say.
func sh(out *bytes.Buffer) Runner {
	return func(ctx context.Context, argv ...string) error {
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Stdout, cmd.Stderr = out, out
		var exit *exec.ExitError
		if err := cmd.Run(); !errors.As(err, &exit) {
			return err
		}
		return ctx.Err()
	}
}

func TestRuncmd(t *testing.T) {
	tests := []struct{ name, commands, want string }{
		{"in order", "[echo one, echo two]", "one\ntwo\n"},
		{"a failing command does not stop the next", "['false', 'sh -c \"exit 3\"', echo on]", "runcmd[0]: exit status 1\nruncmd[1]: exit status 3\non\n"},
		{"the directory carries on", "[cd /usr, pwd]", "/usr\n"},
		{"variables carry on", "['x=1; export x', 'echo $x']", "1\n"},
		{"a list is taken as it is", "[[echo, '$HOME', \"it's\", 'a  b']]", "$HOME it's a  b\n"},
		{"several lines", "[\"echo a\\necho b\"]", "a\nb\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := Runcmd(t.Context(), parse(t, "runcmd: "+tt.commands), t.TempDir(), "i", sh(&out)); err != nil {
				t.Fatal(err)
			}
			if out.String() != tt.want {
				t.Errorf("got  %q\nwant %q", out.String(), tt.want)
			}
		})
	}
}

func TestACommandThatIsNoShellTextDoesNotStopTheNext(t *testing.T) {
	var out bytes.Buffer
	if err := Runcmd(t.Context(), parse(t, `runcmd: ["echo 'open", "if", "echo on"]`), t.TempDir(), "i", sh(&out)); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, "runcmd[0]: exit status") || !strings.Contains(got, "runcmd[1]: exit status") || !strings.HasSuffix(got, "on\n") {
		t.Errorf("got %q", got)
	}
}

func TestRuncmdRunsOncePerInstance(t *testing.T) {
	dir := t.TempDir()
	cfg := parse(t, "runcmd: [echo ran]")
	runs := func(instance string) string {
		var out bytes.Buffer
		if err := Runcmd(t.Context(), cfg, dir, instance, sh(&out)); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if got := runs("one"); got != "ran\n" {
		t.Errorf("first: got %q", got)
	}
	if got := runs("one"); got != "" {
		t.Errorf("second start of the same instance: got %q", got)
	}
	if got := runs("two"); got != "ran\n" {
		t.Errorf("another instance: got %q", got)
	}
	if got := runs("../../climb"); got != "ran\n" {
		t.Errorf("a climbing instance id: got %q", got)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 3 {
		t.Errorf("got %v, %v; want three instances", entries, err)
	}
}

func TestRuncmdThatWasCutOffRunsAgain(t *testing.T) {
	dir := t.TempDir()
	cfg := parse(t, "runcmd: [echo ran]")
	cut := errors.New("power cut")
	if err := Runcmd(t.Context(), cfg, dir, "i", func(context.Context, ...string) error { return cut }); !errors.Is(err, cut) {
		t.Fatalf("got %v", err)
	}
	var out bytes.Buffer
	if err := Runcmd(t.Context(), cfg, dir, "i", sh(&out)); err != nil || out.String() != "ran\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

func TestScripts(t *testing.T) {
	script := func(name, when string) config.Script {
		return config.Script{Name: name, Kind: "script", When: when, Text: []byte("#!/bin/sh\necho " + name + "\n")}
	}
	scripts := []config.Script{
		script("b-instance", "instance"), script("a-boot", "boot"), script("once", "once"),
		{Name: "hook", Kind: "boothook", Text: []byte("echo hook\n")},
	}
	disk := t.TempDir()
	boot, other := t.TempDir(), t.TempDir()
	for _, step := range []struct {
		name, boot, instance string
		hooks, scripts       string
	}{
		{"the first boot", boot, "one", "hook\n", "b-instance\na-boot\nonce\n"},
		{"the service restarts", boot, "one", "", ""},
		{"the next boot", other, "one", "hook\n", "a-boot\n"},
		{"another instance", t.TempDir(), "../two", "hook\n", "b-instance\na-boot\n"},
	} {
		dirs := ScriptDirs{Instances: disk, Boot: step.boot}
		var hooks, rest bytes.Buffer
		err := errors.Join(Boothooks(t.Context(), scripts, dirs, step.instance, sh(&hooks)), Scripts(t.Context(), scripts, dirs, step.instance, sh(&rest)))
		if err != nil || hooks.String() != step.hooks || rest.String() != step.scripts {
			t.Errorf("%s: got %q and %q, %v", step.name, hooks.String(), rest.String(), err)
		}
	}
	if entries, err := os.ReadDir(filepath.Dir(disk)); err != nil || slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == "two" }) {
		t.Errorf("a climbing instance id: %v, %v", entries, err)
	}
}

func TestAScriptThatWasCutOffRunsAgain(t *testing.T) {
	dirs := ScriptDirs{Instances: t.TempDir(), Boot: t.TempDir()}
	scripts := []config.Script{{Name: "a", Kind: "script", When: "instance", Text: []byte("#!/bin/sh\necho a\n")}, {Name: "b", Kind: "script", When: "instance", Text: []byte("#!/bin/sh\nexit 1\n")}}
	cut := errors.New("power cut")
	if err := Scripts(t.Context(), scripts, dirs, "i", func(context.Context, ...string) error { return cut }); !errors.Is(err, cut) {
		t.Fatalf("got %v", err)
	}
	var out bytes.Buffer
	if err := Scripts(t.Context(), scripts, dirs, "i", sh(&out)); err != nil || out.String() != "a\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
	info, err := os.Stat(filepath.Join(dirs.Instances, "i", "scripts", "script-a"))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("a script may hold secrets: %v, %v", info, err)
	}
}

func FuzzScript(f *testing.F) {
	f.Add("it's", "$(x)")
	f.Fuzz(func(t *testing.T, a, b string) {
		// Every quote that opens closes, whatever the words are: what is left
		// outside of quotes is our own text alone.
		text := Script("runcmd", []config.Command{{Argv: []string{a, b}}, {Shell: a}})
		var outside strings.Builder
		quoted := false
		for i := 0; i < len(text); i++ {
			switch {
			case text[i] == '\'':
				quoted = !quoted
			case quoted:
			case text[i] == '\\':
				i++
			default:
				outside.WriteByte(text[i])
			}
		}
		want := "#!/bin/sh\ncommand eval  || echo \"runcmd[0]: exit status $?\" >&2\ncommand eval  || echo \"runcmd[1]: exit status $?\" >&2\nexit 0\n"
		if quoted || outside.String() != want {
			t.Fatalf("got %q", outside.String())
		}
	})
}
