package imagestore

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	imagespec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/testudo-os/testudo/pkg/atomicfile"
)

// Image is one name in the store. Several may name the same image.
type Image struct {
	Ref    string        `json:"ref"`
	Digest digest.Digest `json:"digest"` // of the manifest for this machine
	Index  digest.Digest `json:"index,omitempty"`
	Size   int64         `json:"size"` // of its layers in the store
	Added  time.Time     `json:"added"`
}

// Store is a folder of images. It is safe for concurrent use by one process.
type Store struct {
	dir string
	now func() time.Time

	adding sync.Mutex // one image at a time
	mu     sync.Mutex // guards the index file
}

// New takes dir for a store; it is made when it is first needed.
func New(dir string) *Store { return &Store{dir: dir, now: time.Now} }

// Recover drops what an interrupted Add left.
func (s *Store) Recover() error {
	s.adding.Lock()
	defer s.adding.Unlock()
	errs := []error{os.RemoveAll(s.path("tmp"))}
	err := filepath.WalkDir(s.path("layers"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasPrefix(e.Name(), unfinished) {
			return err
		}
		return os.Remove(path)
	})
	if !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("image store: %w", err)
	}
	return nil
}

// unfinished begins the names of layers that are being written.
const unfinished = ".new-"

func (s *Store) path(names ...string) string {
	return filepath.Join(append([]string{s.dir}, names...)...)
}

// Layers is the folder that the snapshotter is to look in.
func (s *Store) Layers() string { return s.path("layers") }

// layerPath is the snapshotter's layout of its caches.
func (s *Store) layerPath(diffID digest.Digest) string {
	hex := diffID.Encoded()
	return s.path("layers", diffID.Algorithm().String(), hex[:2], hex+".erofs")
}

func (s *Store) blobPath(d digest.Digest) string {
	return s.path("blobs", d.Algorithm().String(), d.Encoded())
}

func (s *Store) index() (images []Image, err error) {
	data, err := os.ReadFile(s.path("images.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &images)
	}
	if err != nil {
		return nil, fmt.Errorf("image store: %w", err)
	}
	return images, nil
}

func (s *Store) writeIndex(images []Image) error {
	slices.SortFunc(images, func(a, b Image) int { return cmp.Compare(a.Ref, b.Ref) })
	data, err := json.MarshalIndent(images, "", "  ")
	if err == nil {
		err = os.MkdirAll(s.dir, 0o755)
	}
	if err != nil {
		return fmt.Errorf("image store: %w", err)
	}
	return atomicfile.Write(s.path("images.json"), append(data, '\n'), 0o644)
}

// List gives all names, sorted.
func (s *Store) List() ([]Image, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.index()
}

// Find gives the image of a name; fs.ErrNotExist: there is none. A name with a
// digest (NAME@DIGEST) is found under any tag that has it.
func (s *Store) Find(ref string) (Image, error) {
	images, err := s.List()
	if err != nil {
		return Image{}, err
	}
	_, want, pinned := strings.Cut(ref, "@")
	for _, image := range images {
		if image.Ref == ref || pinned && (image.Digest.String() == want || image.Index.String() == want) {
			return image, nil
		}
	}
	return Image{}, fmt.Errorf("image %s: %w", ref, fs.ErrNotExist)
}

// Read gives an image's manifest and configuration as they came.
func (s *Store) Read(image Image) (manifest, config []byte, err error) {
	if manifest, err = s.blob(image.Digest); err != nil {
		return nil, nil, err
	}
	var m imagespec.Manifest
	if err := json.Unmarshal(manifest, &m); err != nil {
		return nil, nil, fmt.Errorf("image %s: its manifest: %w", image.Ref, err)
	}
	config, err = s.blob(m.Config.Digest)
	return manifest, config, err
}

func (s *Store) blob(d digest.Digest) ([]byte, error) {
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("image store: %q: %w", d, err)
	}
	data, err := os.ReadFile(s.blobPath(d))
	if err != nil {
		return nil, fmt.Errorf("image store: %w", err)
	}
	if digest.FromBytes(data) != d {
		return nil, fmt.Errorf("image store: %s is damaged: pull the image again", s.blobPath(d))
	}
	return data, nil
}

// Name gives an image that is here one more name.
func (s *Store) Name(image Image, ref string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	images, err := s.index()
	if err != nil {
		return err
	}
	images = slices.DeleteFunc(images, func(i Image) bool { return i.Ref == ref })
	image.Ref = ref
	return s.writeIndex(append(images, image))
}

// Remove drops names, and with them every file that no other name needs.
// Whether an image is still used is the caller's business.
func (s *Store) Remove(refs ...string) error {
	s.adding.Lock() // no file of an image that is on its way may be swept
	defer s.adding.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	images, err := s.index()
	if err != nil {
		return err
	}
	kept := slices.DeleteFunc(slices.Clone(images), func(i Image) bool { return slices.Contains(refs, i.Ref) })
	if err := s.writeIndex(kept); err != nil {
		return err
	}
	return s.sweep(kept)
}

// clear deletes the files that no image needs; s.adding is held.
func (s *Store) clear() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	images, err := s.index()
	if err != nil {
		return err
	}
	return s.sweep(images)
}

// sweep deletes the files that no image needs.
func (s *Store) sweep(images []Image) error {
	needed := map[string]bool{}
	for _, image := range images {
		manifest, config, err := s.Read(image)
		if err != nil {
			return err // rather too much than too little
		}
		var m imagespec.Manifest
		var c imagespec.Image
		if err := errors.Join(json.Unmarshal(manifest, &m), json.Unmarshal(config, &c)); err != nil {
			return fmt.Errorf("image %s: %w", image.Ref, err)
		}
		needed[s.blobPath(image.Digest)], needed[s.blobPath(m.Config.Digest)] = true, true
		for _, d := range c.RootFS.DiffIDs {
			needed[s.layerPath(d)] = true
		}
	}
	var errs []error
	for _, dir := range []string{"blobs", "layers"} {
		err := filepath.WalkDir(s.path(dir), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || needed[path] {
				return err
			}
			return os.Remove(path)
		})
		if !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
