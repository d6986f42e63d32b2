package ocibuild

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/testudo-os/testudo/pkg/filetree"
)

// Layer is one layer of an image, as kept in a blob directory.
type Layer struct {
	DiffID string `json:"diff_id"` // sha256 of the tar archive, hex
	Digest string `json:"digest"`  // sha256 of the compressed archive, hex
	Size   int64  `json:"size"`    // of the compressed archive
	Plain  int64  `json:"plain"`   // of the tar archive
}

// WriteLayer writes a tree as a compressed layer into blobs/sha256/DIGEST, and
// as a plain tar archive into tarFile.
func WriteLayer(t *filetree.Tree, epoch time.Time, blobs, tarFile string) (l Layer, err error) {
	plain, err := os.Create(tarFile)
	if err != nil {
		return Layer{}, err
	}
	defer plain.Close()
	dir := filepath.Join(blobs, "sha256")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Layer{}, err
	}
	packed, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return Layer{}, err
	}
	defer func() {
		packed.Close()
		if err != nil {
			os.Remove(packed.Name())
		}
	}()
	diffID, digest := counter{h: sha256.New()}, counter{h: sha256.New()}
	// One goroutine: how blocks are split must not depend on the machine.
	zw, err := zstd.NewWriter(io.MultiWriter(packed, &digest),
		zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBetterCompression))
	if err != nil {
		return Layer{}, err
	}
	if err := t.WriteTar(io.MultiWriter(zw, plain, &diffID), epoch); err != nil {
		return Layer{}, fmt.Errorf("write layer: %w", err)
	}
	if err := zw.Close(); err != nil {
		return Layer{}, fmt.Errorf("write layer: %w", err)
	}
	if err := plain.Close(); err != nil {
		return Layer{}, err
	}
	if err := packed.Chmod(0o644); err != nil {
		return Layer{}, err
	}
	l = Layer{DiffID: diffID.hex(), Digest: digest.hex(), Size: digest.n, Plain: diffID.n}
	return l, os.Rename(packed.Name(), filepath.Join(dir, l.Digest))
}

// counter hashes and counts what is written to it.
type counter struct {
	h hash.Hash
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return c.h.Write(p)
}

func (c *counter) hex() string { return hex.EncodeToString(c.h.Sum(nil)) }
