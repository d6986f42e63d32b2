// Package imagetest makes small OCI images for tests.
package imagetest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	imagespec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Image is an image in memory: a Source for the image store.
type Image struct {
	Index    imagespec.Descriptor
	Manifest imagespec.Descriptor // the one for this machine
	Blobs    map[digest.Digest][]byte
	// Fetched is called before each fetch, if it is set; its error is the
	// fetch's.
	Fetched func(imagespec.Descriptor) error
}

// File is a file of a layer.
type File struct {
	Name, Content string
	Mode          int64
}

// New makes an image for this machine, and one for another that nobody should
// take, of one layer for each list of files.
func New(config imagespec.ImageConfig, layers ...[]File) *Image {
	i := &Image{Blobs: map[digest.Digest][]byte{}}
	manifest := imagespec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: imagespec.MediaTypeImageManifest}
	image := imagespec.Image{Platform: imagespec.Platform{OS: "linux", Architecture: runtime.GOARCH}, Config: config, RootFS: imagespec.RootFS{Type: "layers"}}
	for _, files := range layers {
		plain, packed := layer(files)
		image.RootFS.DiffIDs = append(image.RootFS.DiffIDs, digest.FromBytes(plain))
		manifest.Layers = append(manifest.Layers, i.add(imagespec.MediaTypeImageLayerGzip, packed))
	}
	manifest.Config = i.add(imagespec.MediaTypeImageConfig, encode(image))
	mine := i.add(manifest.MediaType, encode(manifest))
	mine.Platform = &imagespec.Platform{OS: "linux", Architecture: runtime.GOARCH}
	i.Manifest = mine
	other := i.add(manifest.MediaType, []byte(`{"not": "for us"}`))
	other.Platform = &imagespec.Platform{OS: "linux", Architecture: "s390x"}
	i.Index = i.add(imagespec.MediaTypeImageIndex, encode(imagespec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: imagespec.MediaTypeImageIndex, Manifests: []imagespec.Descriptor{other, mine},
	}))
	return i
}

func (i *Image) add(mediaType string, data []byte) imagespec.Descriptor {
	d := imagespec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
	i.Blobs[d.Digest] = data
	return d
}

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // of types that always can be
	}
	return data
}

func layer(files []File) (plain, packed []byte) {
	var out, zipped bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		mode := f.Mode
		if mode == 0 {
			mode = 0o644
		}
		err := w.WriteHeader(&tar.Header{Name: f.Name, Typeflag: tar.TypeReg, Mode: mode, Size: int64(len(f.Content))})
		if err == nil {
			_, err = w.Write([]byte(f.Content))
		}
		if err != nil {
			panic(err) // a buffer takes everything
		}
	}
	w.Close()
	z := gzip.NewWriter(&zipped)
	z.Write(out.Bytes())
	z.Close()
	return out.Bytes(), zipped.Bytes()
}

// Resolve gives the index.
func (i *Image) Resolve(context.Context) (imagespec.Descriptor, error) { return i.Index, nil }

// Fetch opens a blob.
func (i *Image) Fetch(_ context.Context, d imagespec.Descriptor) (io.ReadCloser, error) {
	if i.Fetched != nil {
		if err := i.Fetched(d); err != nil {
			return nil, err
		}
	}
	data, ok := i.Blobs[d.Digest]
	if !ok {
		return nil, fmt.Errorf("blob %s: %w", d.Digest, fs.ErrNotExist)
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

// WriteLayout writes the image as an OCI image layout, called name.
func (i *Image) WriteLayout(dir, name string) error {
	blobs := filepath.Join(dir, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		return err
	}
	for d, data := range i.Blobs {
		if err := os.WriteFile(filepath.Join(blobs, d.Encoded()), data, 0o644); err != nil {
			return err
		}
	}
	top := i.Index
	top.Annotations = map[string]string{imagespec.AnnotationRefName: name}
	index := imagespec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, Manifests: []imagespec.Descriptor{top}}
	if err := os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion": "1.0.0"}`), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "index.json"), encode(index), 0o644)
}
