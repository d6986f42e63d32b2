package ocibuild

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/testudo-os/testudo/pkg/filetree"
)

var epoch = time.Unix(1000, 0)

func layer(t *testing.T, blobs string) (Layer, []byte) {
	t.Helper()
	tree := filetree.New()
	if err := tree.Add("/a", filetree.NewFile(bytes.Repeat([]byte("abc"), 1<<16), 0o644)); err != nil {
		t.Fatal(err)
	}
	tarFile := filepath.Join(t.TempDir(), "layer.tar")
	l, err := WriteLayer(tree, epoch, blobs, tarFile)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := os.ReadFile(tarFile)
	if err != nil {
		t.Fatal(err)
	}
	return l, plain
}

func digestOf(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

func TestALayerIsWhatItsDigestsSay(t *testing.T) {
	blobs := t.TempDir()
	l, plain := layer(t, blobs)
	if l.DiffID != digestOf(plain) || l.Plain != int64(len(plain)) {
		t.Errorf("the archive is not %+v", l)
	}
	packed, err := os.ReadFile(filepath.Join(blobs, "sha256", l.Digest))
	if err != nil {
		t.Fatal(err)
	}
	if l.Digest != digestOf(packed) || l.Size != int64(len(packed)) {
		t.Errorf("the blob is not %+v", l)
	}
	r, err := zstd.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if unpacked, err := io.ReadAll(r); err != nil || !bytes.Equal(unpacked, plain) {
		t.Errorf("the blob does not unpack to the archive: %v", err)
	}
	if again, _ := layer(t, t.TempDir()); again != l {
		t.Errorf("made again it is %+v, not %+v", again, l)
	}
	if left, _ := filepath.Glob(filepath.Join(blobs, "sha256", ".new*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestALayoutHoldsEveryImageByDigest(t *testing.T) {
	blobs, dir := t.TempDir(), filepath.Join(t.TempDir(), "oci")
	l, _ := layer(t, blobs)
	img, err := NewImage("testudo/x:1", v1.ImageConfig{Entrypoint: []string{"/x"}}, []Layer{l}, epoch)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it replaces the first
		if err := WriteLayout(dir, blobs, []Image{img}); err != nil {
			t.Fatal(err)
		}
	}
	read := func(name string, into any) {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, into); err != nil {
			t.Fatal(err)
		}
		if base := filepath.Base(name); len(base) == 64 && digestOf(data) != base {
			t.Errorf("%s holds something else", name)
		}
	}
	var layoutFile v1.ImageLayout
	var index v1.Index
	var manifest v1.Manifest
	var config v1.Image
	read("oci-layout", &layoutFile)
	read("index.json", &index)
	if layoutFile.Version != "1.0.0" || len(index.Manifests) != 1 || index.Manifests[0].Annotations["io.containerd.image.name"] != "testudo/x:1" {
		t.Fatalf("layout %+v, index %+v", layoutFile, index)
	}
	read("blobs/sha256/"+index.Manifests[0].Digest.Encoded(), &manifest)
	read("blobs/sha256/"+manifest.Config.Digest.Encoded(), &config)
	if config.Config.Entrypoint[0] != "/x" || config.RootFS.DiffIDs[0].Encoded() != l.DiffID || manifest.Layers[0].Digest.Encoded() != l.Digest {
		t.Errorf("config %+v, manifest %+v", config, manifest)
	}
	if info, err := os.Stat(filepath.Join(dir, "blobs/sha256", l.Digest)); err != nil || info.Size() != l.Size {
		t.Errorf("the layer is %v, %v", info, err)
	}
}
