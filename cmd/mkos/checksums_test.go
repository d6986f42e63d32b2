package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestChecksumsAreThoseOfTheFilesAsTheyAre(t *testing.T) {
	dir, cache := t.TempDir(), filepath.Join(t.TempDir(), "cache")
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "file"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sums := func() string {
		if err := writeChecksums(dir, cache); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	// printf a | sha256sum
	const a = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb  file\n"
	write("a")
	if got := sums(); got != a {
		t.Errorf("got %s", got)
	}
	if got := sums(); got != a {
		t.Errorf("the second time: %s", got)
	}
	write("ab")
	if got := sums(); strings.HasPrefix(got, a[:64]) {
		t.Errorf("after a change: %s", got)
	}
	if err := os.WriteFile(cache, []byte("garbage"), 0o644); err != nil {
		t.Fatal(err)
	}
	write("a")
	if got := sums(); got != a {
		t.Errorf("with a broken cache: %s", got)
	}
}
