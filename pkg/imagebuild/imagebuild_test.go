package imagebuild

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/testudo-os/testudo/pkg/filetree"
	"github.com/testudo-os/testudo/pkg/recipe"
)

func TestPatternsMatchPaths(t *testing.T) {
	for _, c := range []struct {
		glob, path string
		want       bool
	}{
		{"/usr/bin/x", "/usr/bin/x", true},
		{"/usr/bin/x", "/usr/bin/xy", false},
		{"/usr/share/doc", "/usr/share/doc/a/b", true},
		{"/usr/share/doc", "/usr/share/doc-base/a", false},
		{"/usr/*/x", "/usr/bin/x", true},
		{"/usr/*/x", "/usr/a/b/x", false},
		{"/usr/**/x", "/usr/a/b/x", true},
		{"/usr/**/x", "/usr/x", true},
		{"/usr/lib/**.a", "/usr/lib/z/q.a", true},
		{"/usr/lib/**.a", "/usr/lib/z/qa", false},
		{"/lib?", "/lib6", true},
		{"/a+b", "/a+b", true},
		{"/a+b", "/aab", false},
	} {
		if got := matches(compile([]string{c.glob}), c.path); got != c.want {
			t.Errorf("%s matches %s: %v", c.glob, c.path, got)
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add("/usr/**/x*?", "/usr/a")
	f.Fuzz(func(t *testing.T, glob, p string) {
		ps := compile([]string{glob})
		if matches(ps, p) == (len(unused(ps)) == 1) {
			t.Errorf("%q on %q: matched and unused do not agree", glob, p)
		}
	})
}

func TestTheFilterKeepsWhatARecipeWants(t *testing.T) {
	f := newFilter(&recipe.Recipe{
		Only:  map[string][]string{"narrow": {"/usr/bin/one", "/etc/init.d/two"}},
		Paths: recipe.Paths{Include: []string{"/usr/lib/systemd/systemd-udevd"}, Exclude: []string{"/usr/bin/bad"}},
	})
	for _, c := range []struct {
		pkg, path string
		want      bool
	}{
		{"p", "/usr/bin/good", true},
		{"p", "/usr/bin/bad", false},
		{"p", "/usr/share/doc/p/copyright", false},
		{"p", "/usr/lib/systemd/system/p.service", false},
		{"p", "/usr/lib/systemd/systemd-udevd", true},
		{"narrow", "/usr/bin/one", true},
		{"narrow", "/usr/bin/three", false},
		{"narrow", "/etc/init.d/two", true}, // asked for by name
	} {
		if got := f.keep(c.pkg, c.path); got != c.want {
			t.Errorf("%s of %s is kept: %v", c.path, c.pkg, got)
		}
	}
	if err := f.check(); err != nil {
		t.Errorf("all patterns were used, and yet: %v", err)
	}
}

func TestAPatternThatMatchesNothingIsAnError(t *testing.T) {
	f := newFilter(&recipe.Recipe{
		Only:  map[string][]string{"p": {"/gone/1"}},
		Paths: recipe.Paths{Include: []string{"/gone/2"}, Exclude: []string{"/gone/3"}},
	})
	err := f.check()
	for _, want := range []string{"/gone/1", "/gone/2", "/gone/3"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is missing in: %v", want, err)
		}
	}
}

func text(t *testing.T, tree *filetree.Tree, p string) string {
	t.Helper()
	n := tree.Get(p)
	if n == nil {
		t.Fatalf("there is no %s", p)
	}
	data, err := n.Read()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestSetuidBitsAreDroppedUnlessAllowed(t *testing.T) {
	tree := filetree.New()
	entries := []entry{
		{"/usr/bin", filetree.NewDir(0o711)},
		{"/usr/empty", filetree.NewDir(0o755)},
		{"/usr/bin/sudo", filetree.NewFile(nil, 0o4755)},
		{"/usr/bin/mount", filetree.NewFile(nil, 0o6755)},
	}
	if err := addEntries(tree, "p", entries, newFilter(&recipe.Recipe{}), []string{"/usr/bin/sudo"}); err != nil {
		t.Fatal(err)
	}
	if a, b := tree.Get("/usr/bin/sudo").Mode, tree.Get("/usr/bin/mount").Mode; a != 0o4755 || b != 0o755 {
		t.Errorf("modes are %o and %o", a, b)
	}
	if tree.Get("/usr/bin").Mode != 0o711 || tree.Get("/usr/empty") != nil {
		t.Error("a package's directory comes with its files, and only then")
	}
}

func TestAccountsAreAppended(t *testing.T) {
	tree := filetree.New()
	first := &recipe.Recipe{
		Groups: []recipe.Group{{Name: "root"}, {Name: "sudo", GID: 27}},
		Users:  []recipe.User{{Name: "root", Home: "/root", Shell: "/bin/sh"}},
	}
	second := &recipe.Recipe{Users: []recipe.User{
		{Name: "ros", UID: 1000, GID: 1000, Groups: []string{"sudo"}},
		{Name: "two", UID: 2, GID: 2, Groups: []string{"sudo"}},
	}}
	for _, r := range []*recipe.Recipe{first, second} {
		if err := addAccounts(tree, r); err != nil {
			t.Fatal(err)
		}
	}
	if got := text(t, tree, "/etc/passwd"); got != "root:x:0:0::/root:/bin/sh\n"+
		"ros:x:1000:1000::/nonexistent:/usr/sbin/nologin\ntwo:x:2:2::/nonexistent:/usr/sbin/nologin\n" {
		t.Errorf("passwd is %q", got)
	}
	if got := text(t, tree, "/etc/group"); got != "root:x:0:\nsudo:x:27:ros,two\n" {
		t.Errorf("group is %q", got)
	}
	if n := tree.Get("/etc/shadow"); n.Mode != 0o640 || n.GID != shadowGID || !strings.HasPrefix(text(t, tree, "/etc/shadow"), "root:*:") {
		t.Errorf("shadow is %o, group %d", n.Mode, n.GID)
	}
}

func TestAccountsThatClashAreErrors(t *testing.T) {
	base := filetree.New()
	if err := addAccounts(base, &recipe.Recipe{Groups: []recipe.Group{{Name: "g"}}, Users: []recipe.User{{Name: "u"}}}); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]*recipe.Recipe{
		"a group twice":      {Groups: []recipe.Group{{Name: "g"}}},
		"another number":     {Users: []recipe.User{{Name: "u", UID: 7}}},
		"a user twice":       {Users: []recipe.User{{Name: "v"}, {Name: "v"}}},
		"a group of nowhere": {Users: []recipe.User{{Name: "v", Groups: []string{"none"}}}},
	} {
		if err := addAccounts(base.Clone(), r); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestAnImageGivesAUserOfItsBaseAnotherShell(t *testing.T) {
	tree := filetree.New()
	for _, shell := range []string{"/bin/sh", "/bin/bash"} {
		if err := addAccounts(tree, &recipe.Recipe{Users: []recipe.User{{Name: "root", Home: "/root", Shell: shell}}}); err != nil {
			t.Fatal(err)
		}
	}
	if got := text(t, tree, "/etc/passwd"); got != "root:x:0:0::/root:/bin/bash\n" {
		t.Errorf("passwd is %q", got)
	}
	if got := text(t, tree, "/etc/shadow"); got != "root:*:::::::\n" {
		t.Errorf("shadow is %q", got)
	}
}

func TestFilesAreJoinedInOrder(t *testing.T) {
	tree := filetree.New()
	for p, s := range map[string]string{"/c/b.crt": "b", "/c/a.crt": "a\n", "/c/x.txt": "no"} {
		if err := tree.Add(p, filetree.NewFile([]byte(s), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := concatenate(tree, []recipe.Concatenate{{Path: "/all", From: []string{"/c/*.crt"}}}); err != nil {
		t.Fatal(err)
	}
	if got := text(t, tree, "/all"); got != "a\nb\n" || tree.Get("/c/a.crt") != nil || tree.Get("/c/x.txt") == nil {
		t.Errorf("got %q and %v", got, tree.Paths())
	}
	if err := concatenate(tree, []recipe.Concatenate{{Path: "/all", From: []string{"/none"}}}); err == nil {
		t.Error("joining nothing is no error")
	}
}

func TestMissingLibrariesAreFoundAlongTheProgramsOwnPathFirst(t *testing.T) {
	tree := filetree.New()
	for _, p := range []string{"/usr/lib/x86_64-linux-gnu/liba.so.1.2", "/usr/lib/own/libb.so"} {
		if err := tree.Add(p, filetree.NewFile([]byte("x"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	for p, to := range map[string]string{
		"/usr/lib/x86_64-linux-gnu/liba.so.1": "liba.so.1.2", "/usr/lib/x86_64-linux-gnu/libdead.so": "gone",
		"/usr/lib64/ld.so": "../lib/own/libb.so", "/lib64": "usr/lib64",
	} {
		if err := tree.Add(p, filetree.NewLink(to)); err != nil {
			t.Fatal(err)
		}
	}
	n := needs{
		sonames: []string{"liba.so.1", "libb.so", "libdead.so", "libnone.so"},
		dirs:    append([]string{"/usr/lib/own"}, libraryDirs[:]...),
		interp:  "/lib64/ld.so",
	}
	if got, want := n.missing(tree), []string{"libdead.so", "libnone.so"}; !reflect.DeepEqual(got, want) {
		t.Errorf("missing are %v, want %v", got, want)
	}
}

func TestLibrariesOfThisVeryProgramAreRead(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	n, err := filetree.FileFrom(self, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := readELF("/x", n); err != nil || found == nil {
		t.Errorf("a program is not seen as one: %v, %v", found, err)
	}
	if found, err := readELF("/x", filetree.NewFile([]byte(strings.Repeat("#!/bin/sh\n", 20)), 0o755)); err != nil || found != nil {
		t.Errorf("a script is seen as a program: %v, %v", found, err)
	}
	if _, err := readELF("/x", filetree.NewFile([]byte("\x7fELF"+strings.Repeat("x", 100)), 0o755)); err == nil {
		t.Error("a broken program is no error")
	}
}

func TestRootfsIsLaidOverWithItsExecutableBitOnly(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"rootfs/etc/os": 0o600, "rootfs/usr/sbin/run": 0o711} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte("v @VERSION@"), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("run", filepath.Join(dir, "rootfs/usr/sbin/link")); err != nil {
		t.Fatal(err)
	}
	b := &Builder{cfg: Config{Version: "9"}}
	tree := filetree.New()
	if err := b.addRootfs(&recipe.Recipe{Dir: dir, Expand: []string{"/etc/os"}}, tree); err != nil {
		t.Fatal(err)
	}
	if text(t, tree, "/etc/os") != "v 9" || text(t, tree, "/usr/sbin/run") != "v @VERSION@" {
		t.Error("only the listed file is expanded")
	}
	if tree.Get("/etc/os").Mode != 0o644 || tree.Get("/usr/sbin/run").Mode != 0o755 || tree.Get("/etc").Mode != 0o755 ||
		tree.Get("/usr/sbin/link").Target != "run" {
		t.Error("modes or links are not as git would have them")
	}
	if err := b.addRootfs(&recipe.Recipe{Dir: dir, Expand: []string{"/none"}}, tree); err == nil {
		t.Error("expanding a file that is not there is no error")
	}
}

func TestTheRootfsDigestFollowsContentNamesModesAndLinks(t *testing.T) {
	root := filepath.Join(t.TempDir(), "rootfs")
	seen := map[string]string{}
	note := func(what string) {
		t.Helper()
		d, err := rootfsDigest(root)
		if err != nil {
			t.Fatal(err)
		}
		if was, ok := seen[d]; ok {
			t.Errorf("%s and %s have the same digest", was, what)
		}
		seen[d] = what
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	note("nothing")
	must(os.Mkdir(root, 0o755))
	note("an empty folder")
	must(os.WriteFile(filepath.Join(root, "a"), []byte("1"), 0o644))
	note("a file")
	must(os.WriteFile(filepath.Join(root, "a"), []byte("2"), 0o644))
	note("another content")
	must(os.Chmod(filepath.Join(root, "a"), 0o755))
	note("executable")
	must(os.Rename(filepath.Join(root, "a"), filepath.Join(root, "b")))
	note("another name")
	must(os.Symlink("b", filepath.Join(root, "l")))
	note("a link")
}

func TestLinkFlagsComeFromThePcFile(t *testing.T) {
	lib := t.TempDir()
	p := filepath.Join(lib, "pkgconfig")
	if err := os.MkdirAll(p, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p, "libx.pc"), []byte("Name: x\nLibs: -L${libdir} -lx\nLibs.private: -lm\nCflags: -lno\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := pkgConfigCases(lib)
	if err != nil || !strings.Contains(got, "*--libs*libx*) echo \"-lx -lm\"") {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestHotFilesAreThoseOfTheTreeThatTheRecipeNames(t *testing.T) {
	tree := filetree.New()
	for _, p := range []string{"/usr/sbin/sshd", "/usr/lib/openssh/sshd-session", "/usr/bin/nano"} {
		if err := tree.Add(p, filetree.NewFile([]byte(p), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tree.Add("/usr/sbin/in.sshd", filetree.NewLink("sshd")); err != nil {
		t.Fatal(err)
	}
	got, err := hotFiles(&recipe.Recipe{Hot: []string{"/usr/sbin/**", "/usr/lib/openssh"}}, tree)
	if want := []string{"/usr/lib/openssh/sshd-session", "/usr/sbin/sshd"}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	// A recipe follows when a package moves its files.
	if got, err := hotFiles(&recipe.Recipe{Hot: []string{"/usr/sbin/sshd", "/usr/sbin/gone"}}, tree); err == nil || !strings.Contains(err.Error(), "/usr/sbin/gone") {
		t.Errorf("got %v, %v", got, err)
	}
}
