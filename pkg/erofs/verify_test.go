package erofs

import (
	"archive/tar"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAnImageThatDoesNotHoldItsFilesIsAnError(t *testing.T) {
	dir := t.TempDir()
	archive := filepath.Join(dir, "tree.tar")
	f, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(f)
	if err := w.WriteHeader(&tar.Header{Name: "etc/zone", Size: 4, Mode: 0o644, Typeflag: tar.TypeReg}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("TZif")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for extract, want := range map[string]string{
		`mkdir -p "$d/etc"; printf TZif >"$d/etc/zone"`:         "",
		`mkdir -p "$d/etc"; head -c 4 /dev/zero >"$d/etc/zone"`: "etc/zone is another file",
		`true`:                       "no such file",
		`echo bad magic >&2; exit 1`: "bad magic",
	} {
		// The first argument says where to.
		err := Verify(t.Context(), fake(`d=${1#--extract=}; `+extract), archive, filepath.Join(dir, "x.erofs"))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", extract, err, want)
		}
	}
}
