package imagestore

import (
	"archive/tar"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	imagespec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/testudo-os/testudo/pkg/imagestore/imagetest"
)

var (
	base   = []imagetest.File{{Name: "bin/sh", Content: strings.Repeat("x", 5000), Mode: 0o755}}
	first  = imagetest.New(imagespec.ImageConfig{Cmd: []string{"1"}}, base, []imagetest.File{{Name: "one", Content: "1"}})
	second = imagetest.New(imagespec.ImageConfig{Cmd: []string{"2"}}, base, []imagetest.File{{Name: "two", Content: "2"}})
)

// files lists all files of a store, by kind.
func files(t *testing.T, s *Store) (found []string) {
	t.Helper()
	err := filepath.WalkDir(s.dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			kind, _, _ := strings.Cut(strings.TrimPrefix(path, s.dir+"/"), "/")
			found = append(found, kind)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	slices.Sort(found)
	return found
}

func TestAnImageIsThereWithAllItsParts(t *testing.T) {
	s := New(filepath.Join(t.TempDir(), "images"))
	var told []Progress
	added, err := s.Add(t.Context(), "host/a:1", first, "", func(p Progress) { told = append(told, p) })
	if err != nil {
		t.Fatal(err)
	}
	found, err := s.Find("host/a:1")
	if err != nil || found != added || found.Size == 0 || found.Index != first.Index.Digest {
		t.Errorf("found %+v (%v), added %+v", found, err, added)
	}
	if last := told[len(told)-1]; last.Done != last.Total || last.Total == 0 {
		t.Errorf("progress ended with %+v", last)
	}
	manifest, config, err := s.Read(found)
	if err != nil || digest.FromBytes(manifest) != found.Digest || !strings.Contains(string(config), `"Cmd":["1"]`) {
		t.Errorf("%s %s %v", manifest, config, err)
	}
	for _, ref := range []string{"other@" + string(found.Digest), "other@" + string(found.Index)} {
		if i, err := s.Find(ref); err != nil || i != found {
			t.Errorf("%s: %+v %v", ref, i, err)
		}
	}
	if _, err := s.Find("host/b:1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("host/b:1: %v", err)
	}
}

func TestASharedLayerIsFetchedOnceAndKeptUntilNobodyNeedsIt(t *testing.T) {
	s := New(filepath.Join(t.TempDir(), "images"))
	if _, err := s.Add(t.Context(), "a", first, "", nil); err != nil {
		t.Fatal(err)
	}
	fetched := 0
	again := *second
	again.Fetched = func(d imagespec.Descriptor) error {
		if d.MediaType == imagespec.MediaTypeImageLayerGzip {
			fetched++
		}
		return nil
	}
	if _, err := s.Add(t.Context(), "b", &again, "", nil); err != nil || fetched != 1 {
		t.Errorf("%d layers were fetched (%v), want 1", fetched, err)
	}
	all := []string{"blobs", "blobs", "blobs", "blobs", "images.json", "layers", "layers", "layers"}
	if got := files(t, s); !slices.Equal(got, all) {
		t.Errorf("there are %q", got)
	}
	if err := s.Remove("a"); err != nil {
		t.Fatal(err)
	}
	if got := files(t, s); !slices.Equal(got, []string{"blobs", "blobs", "images.json", "layers", "layers"}) {
		t.Errorf("after one is removed there are %q", got)
	}
	if err := s.Remove("b"); err != nil {
		t.Fatal(err)
	}
	if got := files(t, s); !slices.Equal(got, []string{"images.json"}) {
		t.Errorf("after both are removed there are %q", got)
	}
}

func TestWhatIsNotWhatItSaysIsRefusedAndLeavesNothing(t *testing.T) {
	spoil := func(mediaType string, with func([]byte) []byte) *imagetest.Image {
		i := imagetest.New(imagespec.ImageConfig{}, base)
		for d, data := range i.Blobs {
			isLayer := len(data) > 2 && data[0] == 0x1f
			isConfig := strings.Contains(string(data), `"rootfs"`)
			if isLayer && mediaType == "layer" || isConfig && mediaType == "config" || d == i.Index.Digest && mediaType == "index" {
				i.Blobs[d] = with(slices.Clone(data))
			}
		}
		return i
	}
	flip := func(data []byte) []byte { data[len(data)/2] ^= 1; return data }
	for name, c := range map[string]struct {
		image *imagetest.Image
		want  digest.Digest
		text  string
	}{
		"a layer with a flipped bit":   {spoil("layer", flip), "", "layer 1 of 1"},
		"a layer that is cut short":    {spoil("layer", func(d []byte) []byte { return d[:len(d)-20] }), "", "layer 1 of 1"},
		"a layer that goes on":         {spoil("layer", func(d []byte) []byte { return append(d, d...) }), "", "what came is"},
		"another configuration":        {spoil("config", flip), "", "its configuration: what came is not"},
		"another index":                {spoil("index", flip), "", "its manifest: what came is not"},
		"not the digest that is asked": {first, digest.FromString("x"), "another digest than asked for"},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(filepath.Join(t.TempDir(), "images"))
			if _, err := s.Add(t.Context(), "a", c.image, c.want, nil); err == nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v, want %q", err, c.text)
			}
			if err := s.Recover(); err != nil {
				t.Fatal(err)
			}
			if got := files(t, s); len(got) != 0 {
				t.Errorf("left behind: %q", got)
			}
		})
	}
}

func TestDamageOnTheDiskIsNoticed(t *testing.T) {
	s := New(filepath.Join(t.TempDir(), "images"))
	image, err := s.Add(t.Context(), "a", first, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.blobPath(image.Digest), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Read(image); err == nil || !strings.Contains(err.Error(), "pull the image again") {
		t.Errorf("got %v", err)
	}
	if _, err := s.Add(t.Context(), "a", first, "", nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Read(image); err != nil {
		t.Errorf("after it was added again: %v", err)
	}
}

func TestALayoutAndAnArchiveOfOne(t *testing.T) {
	dir := t.TempDir()
	if err := first.WriteLayout(dir, "local/a:1"); err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(t.TempDir(), "a.tar")
	out, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(out)
	if err := errors.Join(w.AddFS(os.DirFS(dir)), w.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, archive} {
		from, err := OpenLayout(path, "")
		if err != nil {
			t.Fatal(err)
		}
		s := New(filepath.Join(t.TempDir(), "images"))
		image, err := s.Add(t.Context(), from.Name(), from, "", nil)
		if err != nil || image.Ref != "local/a:1" || image.Index != first.Index.Digest {
			t.Errorf("%s: %+v %v", path, image, err)
		}
		if err := from.Close(); err != nil {
			t.Error(err)
		}
	}
	for path, want := range map[string]string{t.TempDir(): "no OCI image layout", "/etc/passwd": "no tar archive", "/nonexistent": "no such file"} {
		if _, err := OpenLayout(path, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if _, err := OpenLayout(dir, "other"); err == nil || !strings.Contains(err.Error(), `only ["local/a:1"]`) {
		t.Errorf("another name: %v", err)
	}
}

func TestANewVersionUnderItsDigestLeavesTheTagAlone(t *testing.T) {
	s := New(filepath.Join(t.TempDir(), "images"))
	old, err := s.Add(t.Context(), "a:1", first, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	pin := func(d digest.Digest) (string, error) { return "a:1@" + d.String(), nil }
	moved, err := s.AddPinned(t.Context(), "a:1", pin, second, second.Index.Digest, nil)
	if err != nil || moved.Ref != "a:1@"+moved.Digest.String() {
		t.Errorf("%+v %v", moved, err)
	}
	if i, err := s.Find("a:1"); err != nil || i != old {
		t.Errorf("a:1 is %+v (%v), was %+v", i, err, old)
	}
}
