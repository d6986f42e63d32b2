package imagestore

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	imagespec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Layout is an OCI image layout: a folder, or a tar archive of one.
type Layout struct {
	open  func(name string) (io.ReadCloser, error)
	close func() error
	index imagespec.Index
	image imagespec.Descriptor
}

// OpenLayout opens FILE or DIR. Where it holds several images, name says which:
// it is the annotation org.opencontainers.image.ref.name.
func OpenLayout(file, name string) (*Layout, error) {
	l, err := openLayout(file)
	if err == nil {
		err = l.choose(name)
	}
	if err != nil {
		if l != nil {
			l.close()
		}
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return l, nil
}

func openLayout(file string) (*Layout, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		root, err := os.OpenRoot(file)
		if err != nil {
			return nil, err
		}
		return &Layout{open: func(name string) (io.ReadCloser, error) { return root.Open(filepath.FromSlash(name)) }, close: root.Close}, nil
	}
	archive, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	where, err := sections(archive)
	if err != nil {
		archive.Close()
		return nil, err
	}
	return &Layout{
		open: func(name string) (io.ReadCloser, error) {
			s, ok := where[name]
			if !ok {
				return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
			}
			return io.NopCloser(io.NewSectionReader(archive, s[0], s[1])), nil
		},
		close: archive.Close,
	}, nil
}

// sections finds the files of an archive: offset and size of each.
func sections(archive *os.File) (map[string][2]int64, error) {
	where := map[string][2]int64{}
	entries := tar.NewReader(archive)
	for {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return where, nil
		}
		if err != nil {
			return nil, fmt.Errorf("it is no tar archive of an image layout: %w", err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		at, err := archive.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		where[path.Clean(h.Name)] = [2]int64{at, h.Size}
	}
}

func (l *Layout) choose(name string) error {
	file, err := l.open("index.json")
	if err != nil {
		return fmt.Errorf("it is no OCI image layout: %w", err)
	}
	defer file.Close()
	if err := json.NewDecoder(io.LimitReader(file, maxDocument)).Decode(&l.index); err != nil {
		return fmt.Errorf("index.json: %w", err)
	}
	var found []imagespec.Descriptor
	var names []string
	for _, d := range l.index.Manifests {
		its := d.Annotations[imagespec.AnnotationRefName]
		names = append(names, its)
		if name == "" || its == name {
			found = append(found, d)
		}
	}
	switch {
	case len(found) == 1:
		l.image = found[0]
		return nil
	case len(found) == 0:
		return fmt.Errorf("it has no image %q, only %q", name, names)
	default:
		return fmt.Errorf("it has %d images, %q: say which", len(found), names)
	}
}

// Name is what the layout calls the image; "" when it says nothing.
func (l *Layout) Name() string {
	if name := l.image.Annotations["io.containerd.image.name"]; name != "" {
		return name
	}
	return l.image.Annotations[imagespec.AnnotationRefName]
}

// Resolve gives the image.
func (l *Layout) Resolve(context.Context) (imagespec.Descriptor, error) { return l.image, nil }

// Fetch opens a blob.
func (l *Layout) Fetch(_ context.Context, desc imagespec.Descriptor) (io.ReadCloser, error) {
	return l.open(path.Join("blobs", desc.Digest.Algorithm().String(), desc.Digest.Encoded()))
}

// Close closes the archive.
func (l *Layout) Close() error { return l.close() }
