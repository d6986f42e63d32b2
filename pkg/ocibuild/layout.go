package ocibuild

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// WriteLayout makes dir an OCI image layout that holds exactly these images.
// Layers are taken from blobs (as WriteLayer left them) by hard link where
// that is possible. A tar archive of the directory can be given to docker load.
func WriteLayout(dir, blobs string, images []Image) error {
	next := dir + ".new"
	if err := os.RemoveAll(next); err != nil {
		return err
	}
	to := filepath.Join(next, "blobs", "sha256")
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	index := v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex}
	for _, img := range images {
		for _, data := range [][]byte{img.Config, img.Manifest} {
			if err := os.WriteFile(filepath.Join(to, digest.FromBytes(data).Encoded()), data, 0o644); err != nil {
				return err
			}
		}
		for _, l := range img.Layers {
			if err := link(filepath.Join(blobs, "sha256", l.Digest), filepath.Join(to, l.Digest)); err != nil {
				return fmt.Errorf("layer of %s: %w", img.Ref, err)
			}
		}
		d := descriptor(v1.MediaTypeImageManifest, img.Manifest)
		d.Platform = &v1.Platform{Architecture: "amd64", OS: "linux"}
		_, tag, _ := strings.Cut(img.Ref, ":")
		d.Annotations = map[string]string{
			"io.containerd.image.name": img.Ref, // containerd and docker load
			v1.AnnotationRefName:       tag,
		}
		index.Manifests = append(index.Manifests, d)
	}
	for name, v := range map[string]any{
		v1.ImageLayoutFile: v1.ImageLayout{Version: v1.ImageLayoutVersion},
		v1.ImageIndexFile:  index,
	} {
		data, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(next, name), data, 0o644); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Rename(next, dir)
}

func link(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, os.ErrExist) {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	return err
}
