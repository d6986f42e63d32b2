package runtime

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"
	imagespec "github.com/opencontainers/image-spec/specs-go/v1"
)

// systemPrefix begins the names of the images that ship with the OS.
const systemPrefix = "testudo/"

// leaseID names the one lease that holds every system image. It is never
// deleted: the records live in RAM and end with the boot.
const leaseID = "testudo-system-images"

// Image is an image containerd knows.
type Image struct {
	Ref    string // with version
	Digest string // of the manifest
	Config imagespec.ImageConfig
	chain  string // the snapshot of its top layer
}

// Image makes the image that a service names known to containerd. A system
// image (testudo/NAME) is registered when it is first asked for: its records
// are written, its layers stay where they are in the system image.
func (r *Runtime) Image(ctx context.Context, name string) (*Image, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if image := r.images[name]; image != nil {
		return image, nil
	}
	ctx = r.context(ctx)
	image, err := r.systemImage(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		image, err = r.storedImage(ctx, name)
	} else if err == nil {
		r.images[name] = image
	}
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", name, err)
	}
	return image, nil
}

// errImageMissing is what a person is told.
var errImageMissing = errors.New("it is not part of this system and was never pulled (ros service pull)")

// storedImage registers an image of the image store. Its name may mean another
// image tomorrow, so the store is asked each time.
func (r *Runtime) storedImage(ctx context.Context, name string) (*Image, error) {
	if r.opt.Stored == nil {
		return nil, fmt.Errorf("%w: %w", ErrPermanent, errImageMissing)
	}
	manifest, config, err := r.opt.Stored(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrPermanent, errImageMissing)
	} else if err != nil {
		return nil, err
	}
	image, err := newImage(name, manifest, config)
	if err != nil {
		return nil, err
	}
	return image, r.ensure(ctx, image, manifest, config)
}

// ensure registers an image that is not known by its name yet.
func (r *Runtime) ensure(ctx context.Context, image *Image, manifest, config []byte) error {
	known, err := r.client.ImageService().Get(ctx, image.Ref)
	if err == nil && known.Target.Digest.String() == image.Digest {
		return nil // an earlier rosd of this boot did it
	}
	return r.register(ctx, image.Ref, manifest, config)
}

func newImage(ref string, manifest, config []byte) (*Image, error) {
	var parsed imagespec.Image
	if err := json.Unmarshal(config, &parsed); err != nil {
		return nil, fmt.Errorf("%w: read its configuration: %w", ErrPermanent, err)
	}
	return &Image{
		Ref:    ref,
		Digest: digest.FromBytes(manifest).String(),
		Config: parsed.Config,
		chain:  identity.ChainID(parsed.RootFS.DiffIDs).String(),
	}, nil
}

// systemImage reads an image of the system image's folder and registers it.
// fs.ErrNotExist: there is none of that name (and version).
func (r *Runtime) systemImage(ctx context.Context, name string) (*Image, error) {
	short, ok := strings.CutPrefix(name, systemPrefix)
	if !ok {
		return nil, fs.ErrNotExist
	}
	short, version, hasVersion := strings.Cut(short, ":")
	if short == "" || short != filepath.Base(short) {
		return nil, fs.ErrNotExist
	}
	dir := filepath.Join(r.opt.Images, short)
	refBytes, err := os.ReadFile(filepath.Join(dir, "ref"))
	if err != nil {
		return nil, err
	}
	ref := strings.TrimSpace(string(refBytes))
	if hasVersion && !strings.HasSuffix(ref, ":"+version) {
		return nil, fs.ErrNotExist
	}
	manifest, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		return nil, err
	}
	config, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		return nil, err
	}
	image, err := newImage(ref, manifest, config)
	if err != nil {
		return nil, err
	}
	return image, r.ensure(ctx, image, manifest, config)
}

// register writes an image's records. The image's own record is written last:
// where it stands, the rest does.
func (r *Runtime) register(ctx context.Context, ref string, manifest, config []byte) error {
	if _, err := r.client.LeasesService().Create(ctx, leases.WithID(leaseID)); err != nil && !errdefs.IsAlreadyExists(err) {
		return fmt.Errorf("register: lease: %w", native(err))
	}
	ctx = leases.WithLease(ctx, leaseID)

	var m imagespec.Manifest
	var c imagespec.Image
	if err := errors.Join(json.Unmarshal(manifest, &m), json.Unmarshal(config, &c)); err != nil {
		return fmt.Errorf("register: %w", err)
	}
	if err := r.registerLayers(ctx, c.RootFS.DiffIDs); err != nil {
		return err
	}
	configDesc := imagespec.Descriptor{MediaType: m.Config.MediaType, Digest: digest.FromBytes(config), Size: int64(len(config))}
	if configDesc.Digest != m.Config.Digest {
		return fmt.Errorf("%w: its configuration is not the one its manifest names", ErrPermanent)
	}
	target := imagespec.Descriptor{MediaType: imagespec.MediaTypeImageManifest, Digest: digest.FromBytes(manifest), Size: int64(len(manifest))}
	if m.MediaType != "" {
		target.MediaType = m.MediaType
	}
	// The labels are containerd's garbage collector's edges.
	if err := r.writeBlob(ctx, configDesc, config, map[string]string{
		"containerd.io/gc.ref.snapshot." + r.opt.Snapshotter: identity.ChainID(c.RootFS.DiffIDs).String(),
	}); err != nil {
		return err
	}
	if err := r.writeBlob(ctx, target, manifest, map[string]string{
		"containerd.io/gc.ref.content.config": configDesc.Digest.String(),
	}); err != nil {
		return err
	}
	record := images.Image{Name: ref, Target: target}
	if _, err := r.client.ImageService().Create(ctx, record); errdefs.IsAlreadyExists(err) {
		_, err = r.client.ImageService().Update(ctx, record)
		if err != nil {
			return fmt.Errorf("register: %w", native(err))
		}
	} else if err != nil {
		return fmt.Errorf("register: %w", native(err))
	}
	return nil
}

func (r *Runtime) writeBlob(ctx context.Context, desc imagespec.Descriptor, data []byte, labels map[string]string) error {
	err := content.WriteBlob(ctx, r.client.ContentStore(), desc.Digest.String(), bytes.NewReader(data), desc, content.WithLabels(labels))
	if err != nil && !errdefs.IsAlreadyExists(err) {
		return fmt.Errorf("register: write %s: %w", desc.MediaType, native(err))
	}
	return nil
}

// registerLayers makes a committed snapshot of each layer, lowest first. The
// EROFS snapshotter finds the layer's blob by its diff id in the folders of
// layer_content_caches and gives a read-only mount of it: there is nothing to
// unpack. (Any other answer means the blob is not there.)
func (r *Runtime) registerLayers(ctx context.Context, diffIDs []digest.Digest) error {
	snapshotter := r.client.SnapshotService(r.opt.Snapshotter)
	parent := ""
	for i, diffID := range diffIDs {
		chain := identity.ChainID(diffIDs[:i+1]).String()
		labels := snapshots.WithLabels(map[string]string{
			snapshots.LabelSnapshotRef:    chain,
			snapshots.LabelSnapshotDiffID: diffID.String(),
		})
		key := "register-" + chain
		mounts, err := snapshotter.Prepare(ctx, key, parent, labels)
		switch {
		case errdefs.IsAlreadyExists(err):
			// The layer is there, or an earlier try left its preparation.
			if _, err := snapshotter.Stat(ctx, chain); err == nil {
				parent = chain
				continue
			}
			if err := snapshotter.Remove(ctx, key); err != nil {
				return fmt.Errorf("register layer %s: %w", diffID, native(err))
			}
			if mounts, err = snapshotter.Prepare(ctx, key, parent, labels); err != nil {
				return fmt.Errorf("register layer %s: %w", diffID, native(err))
			}
		case err != nil:
			return fmt.Errorf("register layer %s: %w", diffID, native(err))
		}
		if len(mounts) == 0 || !mounts[len(mounts)-1].ReadOnly() {
			err := fmt.Errorf("%w: its layer %s is not where the snapshotter looks", ErrPermanent, diffID)
			return errors.Join(err, native(snapshotter.Remove(ctx, key)))
		}
		if err := snapshotter.Commit(ctx, chain, key, labels); err != nil && !errdefs.IsAlreadyExists(err) {
			return fmt.Errorf("register layer %s: %w", diffID, native(err))
		}
		parent = chain
	}
	return nil
}
