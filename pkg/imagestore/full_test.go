package imagestore

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	imagespec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/imagestore/imagetest"
)

// noise is text that no compression makes smaller.
func noise(n int) string {
	random := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	return string(data)
}

// A disk that fills up while an image comes: it is said, nothing of the image
// stays, what was there is as it was, and with room it comes after all.
func TestADiskThatFillsUpWhileAnImageComes(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skip("needs root to make a small file system: ", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	s := New(filepath.Join(dir, "images"))
	small := imagetest.New(imagespec.ImageConfig{}, []imagetest.File{{Name: "a", Content: noise(100 << 10)}})
	if _, err := s.Add(t.Context(), "small:1", small, "", nil); err != nil {
		t.Fatal(err)
	}
	before := files(t, s)

	// Its first layer fits, the second does not.
	large := imagetest.New(imagespec.ImageConfig{}, []imagetest.File{{Name: "b", Content: noise(1 << 20)}}, []imagetest.File{{Name: "c", Content: noise(3 << 20)}})
	_, err := s.Add(t.Context(), "large:1", large, "", nil)
	if !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), "layer 2 of 2") {
		t.Fatalf("got %v", err)
	}
	if _, err := s.Find("large:1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a part of it is an image: %v", err)
	}
	if image, err := s.Find("small:1"); err != nil {
		t.Error(err)
	} else if _, _, err := s.Read(image); err != nil {
		t.Error(err)
	}
	if after := files(t, s); !slices.Equal(after, before) {
		t.Errorf("left behind: %q, before %q", after, before)
	}

	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size=16m"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Add(t.Context(), "large:1", large, "", nil); err != nil {
		t.Errorf("with room: %v", err)
	}
}
