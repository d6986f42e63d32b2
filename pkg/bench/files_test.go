package bench

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestATreeAndItsArchiveCountTheSame(t *testing.T) {
	root := t.TempDir()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, f := range []struct {
		name, text string
		mode       os.FileMode
		tarMode    int64
	}{
		{"su", "\x7fELF and more", 0o755 | os.ModeSetuid, 0o4755},
		{"mail", "\x7fELF", 0o755 | os.ModeSetgid, 0o2755},
		{"script", "#!", 0o755, 0o755},
		{"locked", "x", 0o644 | os.ModeSetgid, 0o2644}, // mandatory locking, not a program
		{"empty", "", 0o644, 0o644},
	} {
		path := filepath.Join(root, f.name)
		if err := os.WriteFile(path, []byte(f.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, f.mode); err != nil {
			t.Fatal(err)
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: f.tarMode, Size: int64(len(f.text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var fromTree, fromTar Files
	if err := fromTree.addTree(root); err != nil {
		t.Fatal(err)
	}
	if err := fromTar.addTar(&archive); err != nil {
		t.Fatal(err)
	}
	for what, f := range map[string]Files{"tree": fromTree, "archive": fromTar} {
		if f.Bytes != 13+4+2+1 || f.ELF != 2 || !slices.Equal(f.Setuid, []string{"/mail", "/su"}) {
			t.Errorf("%s: %+v", what, f)
		}
	}
}

func TestAnImageIsKnownByTheLastPartOfItsReference(t *testing.T) {
	for ref, want := range map[string]string{"testudo/docker:0.1.0": "docker", "docker": "docker", "h:5000/a/ntp:1": "ntp"} {
		if got := imageName(ref); got != want {
			t.Errorf("imageName(%q) = %q, want %q", ref, got, want)
		}
	}
}
