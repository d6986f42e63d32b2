package debian

import (
	"archive/tar"
	"context"
	"io"
	"os"
	"testing"
)

// TestResolveFetchAndReadFromTheMirror needs a network and apt: it runs when
// TESTUDO_TEST_MIRROR is set.
func TestResolveFetchAndReadFromTheMirror(t *testing.T) {
	dir := os.Getenv("TESTUDO_TEST_MIRROR")
	if dir == "" {
		t.Skip("set TESTUDO_TEST_MIRROR to a cache directory")
	}
	ctx := context.Background()
	a, err := Open(ctx, dir, Options{Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	pkgs, paths, err := a.Get(ctx, func(p Package) bool { return p.Name == "zlib1g" }, "zlib1g")
	if err != nil {
		t.Fatal(err)
	}
	if len(pkgs) != 1 || len(paths) != 1 {
		t.Fatalf("got %v at %v, want zlib1g alone", pkgs, paths)
	}
	found := false
	err = Walk(ctx, paths[0], func(h *tar.Header, r io.Reader) error {
		found = found || h.Name == "./usr/lib/x86_64-linux-gnu/libz.so.1"
		return nil
	})
	if err != nil || !found {
		t.Fatalf("libz.so.1 found: %v, error: %v", found, err)
	}
}
