package filetree

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func add(t *testing.T, tree *Tree, p string, n *Node) {
	t.Helper()
	if err := tree.Add(p, n); err != nil {
		t.Fatal(err)
	}
}

func file(text string) *Node { return NewFile([]byte(text), 0o644) }

func paths(tree *Tree) string { return strings.Join(tree.Paths(), " ") }

func TestPathsMoveIntoTheMergedUsr(t *testing.T) {
	for in, want := range map[string]string{
		"./bin/sh": "/usr/bin/sh", "/lib64/ld.so": "/usr/lib64/ld.so", "/lib": "/lib", "lib/x/../y": "/usr/lib/y",
		"/library/x": "/library/x", "/usr/bin/sh": "/usr/bin/sh", "../../etc": "/etc", "/": "/",
	} {
		if got := Merged(in); got != want {
			t.Errorf("%s became %s, want %s", in, got, want)
		}
	}
}

func TestParentsAreMade(t *testing.T) {
	tree := New()
	add(t, tree, "/a/b/c", file("x"))
	if got := paths(tree); got != "/ /a /a/b /a/b/c" {
		t.Errorf("the tree is %s", got)
	}
}

func TestWhatCannotBeIsRefused(t *testing.T) {
	tree := New()
	add(t, tree, "/a/b", file("x"))
	add(t, tree, "/f", file("x"))
	if err := tree.Add("/a", file("y")); err == nil {
		t.Error("a directory with files became a file")
	}
	if err := tree.Add("/f/g", file("y")); err == nil {
		t.Error("a file got a file below it")
	}
}

func TestARecipesDirectoryIsNotChangedByAPackage(t *testing.T) {
	tree := New()
	add(t, tree, "/a", NewDir(0o700))
	add(t, tree, "/b/x", file("x")) // /b is implied
	for _, p := range []string{"/a", "/b"} {
		if err := tree.AddDir(p, NewDir(0o711)); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := tree.Get("/a").Mode, tree.Get("/b").Mode; a != 0o700 || b != 0o711 {
		t.Errorf("the modes are %o and %o", a, b)
	}
}

func TestALayerHoldsChangesAndTheirParents(t *testing.T) {
	lower := New()
	add(t, lower, "/etc/a", file("1"))
	add(t, lower, "/etc/b", file("1"))
	add(t, lower, "/usr/bin/sh", NewLink("busybox"))
	upper := lower.Clone()
	add(t, upper, "/etc/b", file("2"))
	add(t, upper, "/usr/bin/sh", NewLink("busybox")) // again, and the same
	add(t, upper, "/opt/new", file("3"))
	up, err := upper.Above(lower)
	if err != nil {
		t.Fatal(err)
	}
	if got := paths(up); got != "/ /etc /etc/b /opt /opt/new" {
		t.Errorf("the layer holds %s", got)
	}
}

func TestALayerCannotLeaveOut(t *testing.T) {
	lower := New()
	add(t, lower, "/a", file("1"))
	upper := lower.Clone()
	upper.Remove("/a")
	if _, err := upper.Above(lower); err == nil {
		t.Error("a removed file was not noticed")
	}
}

func TestAChangeOfModeOrOwnerIsAChange(t *testing.T) {
	a := file("x")
	for name, b := range map[string]*Node{
		"mode":    NewFile([]byte("x"), 0o600),
		"owner":   {Type: File, Mode: 0o644, UID: 1, Size: 1, sum: a.sum},
		"content": file("y"),
		"type":    NewLink("x"),
		"absence": nil,
	} {
		if a.Same(b) {
			t.Errorf("a change of %s is not seen", name)
		}
	}
	if !a.Same(file("x")) {
		t.Error("the same file is not the same")
	}
}

func TestLookupFollowsLinks(t *testing.T) {
	tree := New()
	add(t, tree, "/usr/lib/x/libc.so.6", file("c"))
	add(t, tree, "/lib", NewLink("usr/lib"))
	add(t, tree, "/usr/lib/y", NewLink("x"))
	add(t, tree, "/usr/lib/libc.so", NewLink("/lib/y/libc.so.6"))
	add(t, tree, "/loop", NewLink("loop"))
	for in, want := range map[string]string{
		"/lib/libc.so": "/usr/lib/x/libc.so.6", "/usr/lib/y/libc.so.6": "/usr/lib/x/libc.so.6",
	} {
		if got, n := tree.Lookup(in); got != want || n == nil {
			t.Errorf("%s leads to %s (%v), want %s", in, got, n, want)
		}
	}
	for _, p := range []string{"/lib/none", "/loop", "/loop/x"} {
		if got, n := tree.Lookup(p); n != nil {
			t.Errorf("%s leads to %s", p, got)
		}
	}
}

func sample(t *testing.T) *Tree {
	tree := New()
	add(t, tree, "/usr/bin/sudo", NewFile([]byte("x"), 0o4755))
	add(t, tree, "/tmp", NewDir(0o1777))
	add(t, tree, "/bin", NewLink("usr/bin"))
	return tree
}

func TestTheSameTreeGivesTheSameBytes(t *testing.T) {
	var a, b bytes.Buffer
	at := time.Unix(1000, 0)
	if err := errors.Join(sample(t).WriteTar(&a, at), sample(t).WriteTar(&b, at)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("the archives differ")
	}
	var got []string
	r := tar.NewReader(&a)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, h.FileInfo().Mode().String()+" "+h.Name+h.Linkname)
		if !h.ModTime.Equal(at) || h.Uname != "" {
			t.Errorf("%s: time %v, owner %q", h.Name, h.ModTime, h.Uname)
		}
	}
	want := "drwxr-xr-x ./, Lrwxrwxrwx binusr/bin, dtrwxrwxrwx tmp/, drwxr-xr-x usr/, drwxr-xr-x usr/bin/, urwxr-xr-x usr/bin/sudo"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("the archive holds %s", s)
	}
}

func TestATreeIsLaidOutOnDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	at := time.Unix(1000, 0)
	if err := sample(t).WriteDir(dir, at); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "bin/sudo")) // through the link
	if err != nil || info.Mode() != 0o755|os.ModeSetuid || !info.ModTime().Equal(at) {
		t.Errorf("sudo is %v, %v", info, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "tmp")); err != nil || info.Mode()&os.ModeSticky == 0 {
		t.Errorf("tmp is %v, %v", info, err)
	}
}
