package ocibuild

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Image is a manifest with its configuration, and the layers they name.
type Image struct {
	Ref      string // NAME:TAG
	Config   []byte
	Manifest []byte
	Layers   []Layer
}

// NewImage describes an image of these layers, the lowest first.
func NewImage(ref string, config v1.ImageConfig, layers []Layer, epoch time.Time) (Image, error) {
	epoch = epoch.UTC()
	image := v1.Image{
		Created:  &epoch,
		Platform: v1.Platform{Architecture: "amd64", OS: "linux"},
		Config:   config,
		RootFS:   v1.RootFS{Type: "layers"},
	}
	manifest := v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: v1.MediaTypeImageManifest,
	}
	for _, l := range layers {
		image.RootFS.DiffIDs = append(image.RootFS.DiffIDs, digest.NewDigestFromEncoded(digest.SHA256, l.DiffID))
		manifest.Layers = append(manifest.Layers, v1.Descriptor{
			MediaType: v1.MediaTypeImageLayerZstd,
			Digest:    digest.NewDigestFromEncoded(digest.SHA256, l.Digest),
			Size:      l.Size,
		})
	}
	cfg, err := json.Marshal(image)
	if err != nil {
		return Image{}, fmt.Errorf("image configuration: %w", err)
	}
	manifest.Config = descriptor(v1.MediaTypeImageConfig, cfg)
	man, err := json.Marshal(manifest)
	if err != nil {
		return Image{}, fmt.Errorf("image manifest: %w", err)
	}
	return Image{Ref: ref, Config: cfg, Manifest: man, Layers: layers}, nil
}

func descriptor(mediaType string, data []byte) v1.Descriptor {
	return v1.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
}
