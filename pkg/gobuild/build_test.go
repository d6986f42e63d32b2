package gobuild

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func write(t *testing.T, root, name, text string) {
	t.Helper()
	p := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFlagsReachGoBuild(t *testing.T) {
	got := buildArgs(Program{Package: "./x", Tags: []string{"a", "b"}, LDFlags: "-X m.v=1", GCFlags: "p=-lang=go1.26"}, "out")
	for _, want := range []string{"-trimpath", "a,b", "-s -w -X m.v=1", "p=-lang=go1.26", "./x"} {
		if !slices.Contains(got, want) {
			t.Errorf("%q is missing in %q", want, got)
		}
	}
	if got := buildArgs(Program{Package: "x", CGO: true}, "out"); !slices.Contains(got, "-s -w -buildid=") {
		t.Errorf("a cgo program keeps the build id: %q", got)
	}
}

func TestTheEnvironmentIsFixedUnlessTheProgramSaysOtherwise(t *testing.T) {
	if got := env(Program{}); !slices.Contains(got, "CGO_ENABLED=0") || !slices.IsSorted(got) {
		t.Errorf("got %q", got)
	}
	if got := env(Program{CGO: true, Env: map[string]string{"GOARCH": "arm64"}}); !slices.Contains(got, "CGO_ENABLED=1") || !slices.Contains(got, "GOARCH=arm64") {
		t.Errorf("got %q", got)
	}
}

func TestTheSourcesDigestFollowsWhatABuildReads(t *testing.T) {
	root := t.TempDir()
	write(t, root, "go.mod", "module m")
	write(t, root, "a/a.go", "package a")
	digest := func() string {
		t.Helper()
		s, err := hashSources(root)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	last := digest()
	for name, changes := range map[string]bool{
		"a/a_test.go": false, ".cache/x.go": false, "dist/x": false, "a/testdata/x": false, "docs/x.md": false,
	} {
		write(t, root, name, "x")
		if now := digest(); (now != last) != changes {
			t.Errorf("%s changed the digest: %v", name, now != last)
		}
	}
	for _, name := range []string{"a/b.go", "a/embedded.txt", "go.sum"} {
		write(t, root, name, "x")
		now := digest()
		if now == last {
			t.Errorf("%s did not change the digest", name)
		}
		last = now
	}
}

func TestAProgramIsBuiltAgainOnlyWhenSomethingChanged(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command")
	}
	root, cache := t.TempDir(), t.TempDir()
	write(t, root, "go.mod", "module m\n\ngo 1.26\n")
	write(t, root, "x/main.go", "package main\nfunc main() { println(\"one\") }\n")
	builds := 0
	build := func() string {
		t.Helper()
		b, err := New(context.Background(), root, cache, func(string, ...any) { builds++ })
		if err != nil {
			t.Fatal(err)
		}
		out, err := b.Build(context.Background(), Program{Package: "./x"})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	out := build()
	build()
	if builds != 1 {
		t.Errorf("built %d times, want once", builds)
	}
	write(t, root, "x/main.go", "package main\nfunc main() { println(\"two\") }\n")
	build()
	text, err := exec.Command(out).CombinedOutput()
	if builds != 2 || strings.TrimSpace(string(text)) != "two" {
		t.Errorf("after a change: built %d times, it says %q, %v", builds, text, err)
	}
}

func TestABrokenProgramTellsWhatTheCompilerSays(t *testing.T) {
	root := t.TempDir()
	write(t, root, "go.mod", "module m\n\ngo 1.26\n")
	write(t, root, "x/main.go", "package main\nfunc main() { nonsense }\n")
	b, err := New(context.Background(), root, t.TempDir(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Build(context.Background(), Program{Package: "./x"}); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("got %v", err)
	}
}
