package bench

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// ImageSize is what one image weighs. Layers that several images share count
// for each.
type ImageSize struct {
	Name   string `json:"name"`
	Packed int64  `json:"packed_bytes"` // as shipped: compressed layers
	Plain  int64  `json:"plain_bytes"`  // the files
}

// ociLayout is an OCI image layout on disk.
type ociLayout struct {
	dir   string
	known map[digest.Digest]*Files // layers that were read already
}

// countImages looks at every image of a layout that wanted names: their sizes,
// and their files, each layer once.
func countImages(dir string, wanted func(name string) bool) ([]ImageSize, *Files, error) {
	l := &ociLayout{dir: dir, known: map[digest.Digest]*Files{}}
	var index ocispec.Index
	if err := readJSON(filepath.Join(dir, ocispec.ImageIndexFile), &index); err != nil {
		return nil, nil, err
	}
	var sizes []ImageSize
	for _, d := range index.Manifests {
		name := d.Annotations[ocispec.AnnotationRefName]
		if full := d.Annotations["io.containerd.image.name"]; full != "" {
			name = full
		}
		if !wanted(name) {
			continue
		}
		size, err := l.image(name, d)
		if err != nil {
			return nil, nil, fmt.Errorf("image %s in %s: %w", name, dir, err)
		}
		sizes = append(sizes, size)
	}
	all := &Files{}
	for _, f := range l.known {
		all.Bytes += f.Bytes
		all.ELF += f.ELF
		all.Setuid = append(all.Setuid, f.Setuid...)
	}
	return sizes, all, nil
}

func (l *ociLayout) image(name string, d ocispec.Descriptor) (ImageSize, error) {
	var m ocispec.Manifest
	if err := readJSON(l.blob(d.Digest), &m); err != nil {
		return ImageSize{}, err
	}
	size := ImageSize{Name: name}
	for _, layer := range m.Layers {
		files, err := l.layer(layer)
		if err != nil {
			return size, fmt.Errorf("layer %s: %w", layer.Digest, err)
		}
		size.Packed += layer.Size
		size.Plain += files.Bytes
	}
	return size, nil
}

func (l *ociLayout) layer(d ocispec.Descriptor) (*Files, error) {
	if f, ok := l.known[d.Digest]; ok {
		return f, nil
	}
	blob, err := os.Open(l.blob(d.Digest))
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	r, err := unpacked(d.MediaType, blob)
	if err != nil {
		return nil, err
	}
	files := &Files{}
	err = errors.Join(files.addTar(r), r.Close())
	l.known[d.Digest] = files
	return files, err
}

func (l *ociLayout) blob(d digest.Digest) string {
	return filepath.Join(l.dir, ocispec.ImageBlobsDir, d.Algorithm().String(), d.Encoded())
}

func unpacked(mediaType string, r io.Reader) (io.ReadCloser, error) {
	switch {
	case strings.HasSuffix(mediaType, "+zstd"):
		z, err := zstd.NewReader(r)
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	case strings.HasSuffix(mediaType, "gzip"):
		return gzip.NewReader(r)
	case strings.HasSuffix(mediaType, ".tar"):
		return io.NopCloser(r), nil
	}
	return nil, fmt.Errorf("cannot read layers of type %s", mediaType)
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
