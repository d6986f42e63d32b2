package erofs

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestEverythingThatVariesIsSaid(t *testing.T) {
	o := Options{Epoch: time.Unix(7, 0)}
	for i := range o.UUID {
		o.UUID[i] = byte(i)
	}
	got := strings.Join(args([]string{"--tar=f"}, "in", "out", "hints", o), " ")
	want := "--quiet --tar=f -T7 --all-time -U00010203-0405-0607-0809-0a0b0c0d0e0f " +
		"-zzstd,level=9:lz4hc,12 -C262144 --compress-hints=hints out in"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestHotAndStoredFilesAreNamedExactly(t *testing.T) {
	c := Compression{Hot: []string{"/usr/bin/a+b"}, Stored: []string{"/l/x.erofs"}}
	want := "16384 1 ^usr/bin/a\\+b$\n0 0 ^l/x\\.erofs$\n"
	if got := c.hints(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if c.String() == (Compression{}).String() {
		t.Error("two ways of compressing are told apart by nothing")
	}
}

// fake stands in for mkfs.erofs: a shell that gets the real arguments as $@.
func fake(script string) Command {
	return func(ctx context.Context, name string, args ...string) *exec.Cmd {
		return exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", script, name}, args...)...)
	}
}

func TestAnImageIsPutInPlaceWhole(t *testing.T) {
	out := filepath.Join(t.TempDir(), "x.erofs")
	// The last two arguments are image and input.
	err := FromTar(context.Background(), fake(`while [ $# -gt 2 ]; do shift; done; cp "$2" "$1"`), strings.NewReader("content"), out, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(out); string(data) != "content" {
		t.Errorf("the image is %q, %v", data, err)
	}
}

func TestAFailureLeavesNothingAndTellsWhy(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "x.erofs")
	err := FromDir(context.Background(), fake(`while [ $# -gt 2 ]; do shift; done; echo half >"$1"; echo no space >&2; exit 3`), dir, out, Options{})
	if err == nil || !strings.Contains(err.Error(), "no space") {
		t.Errorf("got %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
