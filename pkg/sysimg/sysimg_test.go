package sysimg

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerd/go-dmverity/pkg/verity"

	"github.com/testudo-os/testudo/pkg/filetree"
	"github.com/testudo-os/testudo/pkg/layout"
)

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func sample(t *testing.T) Content {
	t.Helper()
	dir := t.TempDir()
	diffID := strings.Repeat("ab", 32)
	write(t, filepath.Join(dir, "modules", "kernel", "a.ko"), "module")
	write(t, filepath.Join(dir, "modules", "modules.dep"), "kernel/a.ko:\n")
	write(t, filepath.Join(dir, "modules", "modules.order"), "dropped")
	return Content{
		Root: filetree.New(), Release: "6.12", Modules: filepath.Join(dir, "modules"),
		Services: []string{write(t, filepath.Join(dir, "ntp.yaml"), "services: {}")},
		Images: []Image{{
			Name: "ntp", Ref: "testudo/ntp:1", Manifest: []byte("{}"), Config: []byte("{}"),
			Layers: []Layer{{DiffID: diffID, Blob: write(t, filepath.Join(dir, "blob"), "layer")}},
		}},
	}
}

func TestEverythingLiesWhereLayoutSays(t *testing.T) {
	tree, err := sample(t).tree()
	if err != nil {
		t.Fatal(err)
	}
	diffID := strings.Repeat("ab", 32)
	for _, p := range []string{
		layout.Modules + "/6.12/kernel/a.ko", layout.Modules + "/6.12/modules.dep", layout.Services + "/ntp.yaml",
		layout.Images + "/ntp/ref", layout.Images + "/ntp/manifest.json", layout.Images + "/ntp/config.json",
		layout.Layers + "/sha256/ab/" + diffID + ".erofs",
	} {
		if tree.Get(p) == nil {
			t.Errorf("%s is missing", p)
		}
	}
	if tree.Get(layout.Modules+"/6.12/modules.order") != nil {
		t.Error("modules.order is of no use on the machine")
	}
}

func TestABadLayerNameIsRefused(t *testing.T) {
	c := sample(t)
	c.Images[0].Layers[0].DiffID = "../../etc"
	if _, err := c.tree(); err == nil {
		t.Error("no error")
	}
}

// fakeMkfs stands in for mkfs.erofs: it copies the archive, padded to blocks,
// and counts its runs. For fsck.erofs it unpacks what was copied.
func fakeMkfs(runs *int) func(ctx context.Context, name string, args ...string) *exec.Cmd {
	return func(ctx context.Context, name string, args ...string) *exec.Cmd {
		if name == "fsck.erofs" {
			return exec.CommandContext(ctx, "tar", "-C", strings.TrimPrefix(args[0], "--extract="), "-xf", args[len(args)-1])
		}
		*runs++
		in, out := args[len(args)-1], args[len(args)-2]
		return exec.CommandContext(ctx, "dd", "if="+in, "of="+out, "bs=4096", "conv=sync", "status=none")
	}
}

func TestEqualContentIsBuiltOnceAndVerifies(t *testing.T) {
	c, cache, runs := sample(t), t.TempDir(), 0
	o := Options{Epoch: time.Unix(1e9, 0)}
	first, err := Build(t.Context(), fakeMkfs(&runs), c, o, cache)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Build(t.Context(), fakeMkfs(&runs), c, o, cache)
	if err != nil {
		t.Fatal(err)
	}
	if runs != 1 || *first != *second {
		t.Errorf("%d runs; first %+v, second %+v", runs, first, second)
	}
	elsewhere, err := Build(t.Context(), fakeMkfs(&runs), c, o, t.TempDir())
	if err != nil || elsewhere.RootHash != first.RootHash {
		t.Errorf("built again, the root hash is %v and not %s (%v)", elsewhere, first.RootHash, err)
	}
	p := verity.DefaultParams()
	p.HashAreaOffset = uint64(first.HashOffset)
	root, err := os.ReadFile(first.Path + ".roothash")
	if err != nil || string(root) != first.RootHashFile() {
		t.Errorf("the record says %q (%v)", root, err)
	}
	if err := verity.Verify(&p, first.Path, first.Path, decode(t, first.RootHash)); err != nil {
		t.Error(err)
	}
}

func TestAFlippedBitDoesNotVerify(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "img"), strings.Repeat("x", 3*blockSize))
	root, offset, err := appendVerity(path, sha256.Sum256([]byte("content")))
	if err != nil || offset != 3*blockSize {
		t.Fatalf("offset %d, %v", offset, err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{'y'}, blockSize+7); err != nil {
		t.Fatal(err)
	}
	p := verity.DefaultParams()
	p.HashAreaOffset = uint64(offset)
	if verity.Verify(&p, path, path, decode(t, root)) == nil {
		t.Error("the image still verifies")
	}
}

func decode(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLayersThatImagesShareAreStoredOnce(t *testing.T) {
	c := sample(t)
	c.Images = append(c.Images, c.Images[0])
	want := layout.Layers + "/sha256/ab/" + strings.Repeat("ab", 32) + ".erofs"
	if got := c.layers(); len(got) != 1 || got[0] != want {
		t.Errorf("got %v, want %s once", got, want)
	}
}
