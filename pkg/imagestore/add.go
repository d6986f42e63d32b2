package imagestore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	imagespec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/atomicfile"
	"github.com/testudo-os/testudo/pkg/erofslayer"
	"github.com/testudo-os/testudo/pkg/fault"
)

// Source is where an image comes from.
type Source interface {
	// Resolve gives the image's manifest or index.
	Resolve(ctx context.Context) (imagespec.Descriptor, error)
	Fetch(ctx context.Context, what imagespec.Descriptor) (io.ReadCloser, error)
}

// Progress of an Add, in bytes as they are fetched.
type Progress struct {
	Done, Total int64
}

// Docker's own media types, where they differ from OCI's.
const (
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
)

// ErrDigest says that an image is not the one that was asked for.
var ErrDigest = errors.New("the image has another digest than asked for")

// Add stores an image under a name, which then means this image. want, if not
// empty, is the digest it must have: of its manifest or of its index.
func (s *Store) Add(ctx context.Context, ref string, from Source, want digest.Digest, progress func(Progress)) (Image, error) {
	return s.AddPinned(ctx, ref, func(digest.Digest) (string, error) { return ref, nil }, from, want, progress)
}

// AddPinned is Add under a name that depends on the image's digest; what ref
// itself means stays as it is.
func (s *Store) AddPinned(ctx context.Context, ref string, name func(digest.Digest) (string, error), from Source, want digest.Digest, progress func(Progress)) (Image, error) {
	s.adding.Lock()
	defer s.adding.Unlock()
	image, err := s.add(ctx, name, from, want, progress)
	if errors.Is(err, unix.ENOSPC) {
		// Whole layers would be there for the next try; but this is what a
		// full disk has no room for.
		err = errors.Join(err, s.clear())
	}
	if err != nil {
		return Image{}, fmt.Errorf("image %s: %w", ref, err)
	}
	return image, nil
}

func (s *Store) add(ctx context.Context, name func(digest.Digest) (string, error), from Source, want digest.Digest, progress func(Progress)) (Image, error) {
	resolved, err := from.Resolve(ctx)
	if err != nil {
		return Image{}, err
	}
	manifestDesc, manifest, err := manifestFor(ctx, from, resolved)
	if err != nil {
		return Image{}, err
	}
	if want != "" && want != resolved.Digest && want != manifestDesc.Digest {
		return Image{}, fmt.Errorf("%w: it is %s", ErrDigest, resolved.Digest)
	}
	ref, err := name(manifestDesc.Digest)
	if err != nil {
		return Image{}, err
	}
	image := Image{Ref: ref, Digest: manifestDesc.Digest, Added: s.now().UTC()}
	if resolved.Digest != manifestDesc.Digest {
		image.Index = resolved.Digest
	}
	var m imagespec.Manifest
	if err := json.Unmarshal(manifest, &m); err != nil {
		return Image{}, fmt.Errorf("its manifest: %w", err)
	}
	config, err := fetchAll(ctx, from, m.Config)
	if err != nil {
		return Image{}, fmt.Errorf("its configuration: %w", err)
	}
	var c imagespec.Image
	if err := json.Unmarshal(config, &c); err != nil {
		return Image{}, fmt.Errorf("its configuration: %w", err)
	}
	if len(c.RootFS.DiffIDs) != len(m.Layers) {
		return Image{}, fmt.Errorf("it has %d layers and %d names of layers", len(m.Layers), len(c.RootFS.DiffIDs))
	}
	if err := s.layers(ctx, from, m.Layers, c.RootFS.DiffIDs, progress); err != nil {
		return Image{}, err
	}
	for _, d := range c.RootFS.DiffIDs {
		info, err := os.Stat(s.layerPath(d))
		if err != nil {
			return Image{}, err
		}
		image.Size += info.Size()
	}
	fault.Point("layers-stored")
	if err := errors.Join(s.writeBlob(config), s.writeBlob(manifest)); err != nil {
		return Image{}, err
	}
	fault.Point("manifest-stored")
	s.mu.Lock()
	defer s.mu.Unlock()
	images, err := s.index()
	if err != nil {
		return Image{}, err
	}
	images = slices.DeleteFunc(images, func(i Image) bool { return i.Ref == ref })
	return image, s.writeIndex(append(images, image))
}

// manifestFor gives the manifest for this machine.
func manifestFor(ctx context.Context, from Source, desc imagespec.Descriptor) (imagespec.Descriptor, []byte, error) {
	data, err := fetchAll(ctx, from, desc)
	if err != nil {
		return desc, nil, fmt.Errorf("its manifest: %w", err)
	}
	switch desc.MediaType {
	case imagespec.MediaTypeImageManifest, dockerManifest:
		return desc, data, nil
	case imagespec.MediaTypeImageIndex, dockerList:
	default:
		return desc, nil, fmt.Errorf("%q is not an image", desc.MediaType)
	}
	var index imagespec.Index
	if err := json.Unmarshal(data, &index); err != nil {
		return desc, nil, fmt.Errorf("its index: %w", err)
	}
	var others []string
	for _, d := range index.Manifests {
		p := d.Platform
		if p == nil && len(index.Manifests) == 1 || p != nil && p.OS == "linux" && p.Architecture == runtime.GOARCH {
			data, err := fetchAll(ctx, from, d)
			if err != nil {
				return d, nil, fmt.Errorf("its manifest: %w", err)
			}
			return d, data, nil
		}
		if p != nil {
			others = append(others, p.OS+"/"+p.Architecture)
		}
	}
	return desc, nil, fmt.Errorf("there is none for linux/%s, only for %s", runtime.GOARCH, strings.Join(others, ", "))
}

// maxDocument bounds a manifest or configuration.
const maxDocument = 4 << 20

// fetchAll reads something small and checks that it is what was named.
func fetchAll(ctx context.Context, from Source, desc imagespec.Descriptor) ([]byte, error) {
	if err := desc.Digest.Validate(); err != nil {
		return nil, fmt.Errorf("%q: %w", desc.Digest, err)
	}
	body, err := from.Fetch(ctx, desc)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, maxDocument+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxDocument:
		return nil, fmt.Errorf("it is larger than %d bytes", maxDocument)
	case digest.FromBytes(data) != desc.Digest:
		return nil, fmt.Errorf("what came is not %s", desc.Digest)
	}
	return data, nil
}

func (s *Store) writeBlob(data []byte) error {
	path := s.blobPath(digest.FromBytes(data))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return atomicfile.Write(path, data, 0o644)
}

func (s *Store) layers(ctx context.Context, from Source, layers []imagespec.Descriptor, diffIDs []digest.Digest, progress func(Progress)) error {
	var p Progress
	for _, l := range layers {
		p.Total += l.Size
	}
	tell := func(n int64) {
		p.Done += n
		if progress != nil {
			progress(p)
		}
	}
	for i, l := range layers {
		if err := errors.Join(l.Digest.Validate(), diffIDs[i].Validate()); err != nil {
			return fmt.Errorf("layer %d: %w", i+1, err)
		}
		if _, err := os.Stat(s.layerPath(diffIDs[i])); err == nil {
			tell(l.Size)
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := s.layer(ctx, from, l, diffIDs[i], tell); err != nil {
			return fmt.Errorf("layer %d of %d: %w", i+1, len(layers), err)
		}
		fault.Point("layer-stored")
	}
	return nil
}

// layer fetches one layer and stores it as a blob.
func (s *Store) layer(ctx context.Context, from Source, desc imagespec.Descriptor, diffID digest.Digest, tell func(int64)) (err error) {
	path, tmp := s.layerPath(diffID), s.path("tmp")
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.MkdirAll(tmp, 0o700)); err != nil {
		return err
	}
	// In the folder of the blob, which may be another file system than tmp.
	out, err := os.CreateTemp(filepath.Dir(path), unfinished+"*")
	if err != nil {
		return err
	}
	defer func() {
		out.Close()
		if err != nil {
			os.Remove(out.Name())
		}
	}()
	body, err := from.Fetch(ctx, desc)
	if err != nil {
		return err
	}
	defer body.Close()
	fetched := digest.SHA256.Digester()
	wire := io.TeeReader(&counted{body, tell}, fetched.Hash())
	plain, err := decompress(wire, desc.MediaType)
	if err != nil {
		return err
	}
	defer plain.Close()
	unpacked := digest.SHA256.Digester()
	stream := io.TeeReader(plain, unpacked.Hash())
	if err := erofslayer.Convert(out, stream, tmp); err != nil {
		return err
	}
	// Behind the end of the archive there may be padding that counts.
	for _, rest := range []io.Reader{stream, wire} {
		if _, err := io.Copy(io.Discard, rest); err != nil {
			return err
		}
	}
	if got := fetched.Digest(); got != desc.Digest {
		return fmt.Errorf("what came is %s, not %s", got, desc.Digest)
	}
	if got := unpacked.Digest(); got != diffID {
		return fmt.Errorf("unpacked it is %s, not %s", got, diffID)
	}
	if err := errors.Join(out.Chmod(0o444), out.Sync()); err != nil {
		return err
	}
	fault.Point("layer-written")
	if err := os.Rename(out.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// counted tells how much is read.
type counted struct {
	io.Reader
	tell func(int64)
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.tell(int64(n))
	return n, err
}

// decompress looks at the stream itself: media types have been wrong before.
func decompress(r io.Reader, mediaType string) (io.ReadCloser, error) {
	head := make([]byte, 4)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	whole := io.MultiReader(bytes.NewReader(head[:n]), r)
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzip.NewReader(whole)
	case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		d, err := zstd.NewReader(whole, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	case strings.HasSuffix(mediaType, "tar") || strings.HasSuffix(mediaType, "tar.gzip") || strings.HasSuffix(mediaType, "tar+gzip"):
		return io.NopCloser(whole), nil
	}
	return nil, fmt.Errorf("%q is not a kind of layer that is known", mediaType)
}

// maxWindow bounds the memory of one decoder.
const maxWindow = 32 << 20
