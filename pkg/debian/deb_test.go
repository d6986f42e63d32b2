package debian

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// makeDeb builds a package with one file by the host's dpkg-deb.
func makeDeb(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("the host has no dpkg-deb")
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"DEBIAN/control": "Package: tiny\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b>\nDescription: x\n",
		"usr/share/tiny": "content",
	} {
		p := filepath.Join(dir, "x", name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	deb := filepath.Join(dir, "tiny.deb")
	if out, err := exec.Command("dpkg-deb", "--build", "--root-owner-group", filepath.Join(dir, "x"), deb).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return deb
}

func TestAPackageIsWalkedUnpackedAndDescribed(t *testing.T) {
	deb, ctx := makeDeb(t), context.Background()
	found := map[string]string{}
	err := Walk(ctx, deb, func(h *tar.Header, r io.Reader) error {
		data, err := io.ReadAll(r)
		found[h.Name] = string(data)
		return err
	})
	if err != nil || found["./usr/share/tiny"] != "content" {
		t.Errorf("walked %v, %v", found, err)
	}
	dir := filepath.Join(t.TempDir(), "new")
	if err := Unpack(ctx, deb, dir); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "usr/share/tiny")); string(data) != "content" {
		t.Errorf("unpacked %q, %v", data, err)
	}
	if text, err := Control(ctx, deb); !strings.Contains(text, "Package: tiny\n") {
		t.Errorf("control is %q, %v", text, err)
	}
}

func TestAnErrorEndsTheWalk(t *testing.T) {
	stop := errors.New("stop")
	calls := 0
	err := Walk(context.Background(), makeDeb(t), func(*tar.Header, io.Reader) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("got %v after %d calls", err, calls)
	}
}

func TestAFileThatIsNoPackageIsAnError(t *testing.T) {
	makeDeb(t) // or skip
	bad := filepath.Join(t.TempDir(), "bad.deb")
	if err := os.WriteFile(bad, []byte("not a package"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Walk(context.Background(), bad, func(*tar.Header, io.Reader) error { return nil }); err == nil {
		t.Error("it was walked")
	}
}
