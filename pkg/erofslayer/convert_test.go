package erofslayer

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/erofs/go-erofs"
)

func layer(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range headers {
		content := h.Linkname
		if h.Typeflag == tar.TypeReg {
			h.Linkname, h.Size = "", int64(len(content))
		}
		if h.Mode == 0 {
			h.Mode = 0o755
		}
		h.ModTime, h.Format = time.Unix(1000, 0), tar.FormatPAX
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			w.Write([]byte(content))
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// file is a regular file; Linkname carries its content.
func file(name, content string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeReg, Linkname: content, Uid: 5, Gid: 6, Mode: 0o4711}
}

func convert(t *testing.T, data []byte) (string, error) {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "blob"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	return out.Name(), Convert(out, bytes.NewReader(data), t.TempDir())
}

func TestALayerIsThereAsItWas(t *testing.T) {
	data := layer(t,
		tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o711},
		file("deep/in/a", "hello"),
		tar.Header{Name: "deep/", Typeflag: tar.TypeDir, Mode: 0o700},
		tar.Header{Name: "link", Typeflag: tar.TypeSymlink, Linkname: "deep/in/a"},
		tar.Header{Name: "hard", Typeflag: tar.TypeLink, Linkname: "deep/in/a"},
		tar.Header{Name: "deep/.wh.gone", Typeflag: tar.TypeReg},
		tar.Header{Name: "deep/in/.wh..wh..opq", Typeflag: tar.TypeReg},
		file("../../escape", "x"),
	)
	name, err := convert(t, data)
	if err != nil {
		t.Fatal(err)
	}
	blob, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Close()
	image, err := erofs.Open(blob)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"deep/in/a", "hard"} {
		if text, err := fs.ReadFile(image, name); err != nil || string(text) != "hello" {
			t.Errorf("%s: %q %v", name, text, err)
		}
	}
	mode := func(name string) fs.FileMode {
		info, err := fs.Lstat(image, name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return 0
		}
		// The reader leaves setuid as the on-disk bit.
		mode := info.Mode()
		if mode&0o4000 != 0 {
			mode |= fs.ModeSetuid
		}
		return mode & (fs.ModePerm | fs.ModeType | fs.ModeSetuid)
	}
	for name, want := range map[string]fs.FileMode{
		".": fs.ModeDir | 0o711, "deep": fs.ModeDir | 0o700, "deep/in": fs.ModeDir | 0o755, "deep/in/a": fs.ModeSetuid | 0o711,
		"deep/gone": fs.ModeDevice | fs.ModeCharDevice, "escape": fs.ModeSetuid | 0o711,
	} {
		if got := mode(name); got != want {
			t.Errorf("%s: mode %v, want %v", name, got, want)
		}
	}
	info, err := fs.Stat(image, "deep/in")
	if err != nil {
		t.Fatal(err)
	}
	if stat := info.Sys().(*erofs.Stat); stat.Xattrs["trusted.overlay.opaque"] != "y" {
		t.Errorf("deep/in is not opaque: %v", stat.Xattrs)
	}
	if mode("link").Type() != fs.ModeSymlink {
		t.Error("link is no link")
	}
	if _, err := fs.Stat(image, "deep/in/.wh..wh..opq"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the mark of an opaque folder is a file: %v", err)
	}
}

func TestTheSameLayerGivesTheSameBlob(t *testing.T) {
	data := layer(t, file("b", "1"), file("a", strings.Repeat("x", 10000)), file("c/d", ""))
	var sums [2][32]byte
	for i := range sums {
		name, err := convert(t, data)
		if err != nil {
			t.Fatal(err)
		}
		blob, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sums[i] = sha256.Sum256(blob)
	}
	if sums[0] != sums[1] {
		t.Error("they differ")
	}
}

func TestBadLayersAreRefused(t *testing.T) {
	for want, data := range map[string][]byte{
		"twice":         layer(t, file("a", "1"), file("a", "2")),
		"not a folder":  layer(t, file("a", "1"), file("a/b", "2")),
		"not a file":    layer(t, tar.Header{Name: "h", Typeflag: tar.TypeLink, Linkname: "none"}),
		"read the laye": []byte(strings.Repeat("no tar", 200)),
	} {
		if _, err := convert(t, data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
