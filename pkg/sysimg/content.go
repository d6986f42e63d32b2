package sysimg

import (
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/filetree"
	"github.com/testudo-os/testudo/pkg/layout"
)

// Image is a system image's part in it: what containerd has to be told.
type Image struct {
	Name             string // the folder's name
	Ref              string // "testudo/NAME:VERSION"
	Manifest, Config []byte
	Layers           []Layer
}

// Layer is a layer as an EROFS blob.
type Layer struct {
	DiffID string // hex digits of the uncompressed layer's SHA-256
	Blob   string // path on the host
}

// Path is where the layer lies in the system image.
func (l Layer) Path() string {
	return path.Join(layout.Layers, "sha256", l.DiffID[:2], l.DiffID+".erofs")
}

// Content is what a system image is made of.
type Content struct {
	Root     *filetree.Tree // the tree of recipe "system"; it is not changed
	Release  string         // of the kernel
	Modules  string         // folder of its modules on the host
	Services []string       // service files on the host
	Catalog  []string       // files of services that people may enable
	Schema   []byte         // of service files
	Images   []Image
}

// tree puts everything into its place.
func (c Content) tree() (*filetree.Tree, error) {
	t := c.Root.Clone()
	if err := addDir(t, c.Modules, path.Join(layout.Modules, c.Release), keepModuleFile); err != nil {
		return nil, fmt.Errorf("add kernel modules: %w", err)
	}
	for dir, files := range map[string][]string{layout.Services: c.Services, layout.Catalog: c.Catalog} {
		for _, file := range files {
			if err := addFile(t, file, path.Join(dir, filepath.Base(file))); err != nil {
				return nil, fmt.Errorf("add service: %w", err)
			}
		}
	}
	if err := t.Add(layout.ServiceSchema, filetree.NewFile(c.Schema, 0o644)); err != nil {
		return nil, fmt.Errorf("add the schema of service files: %w", err)
	}
	for _, img := range c.Images {
		if err := img.addTo(t); err != nil {
			return nil, fmt.Errorf("add image %s: %w", img.Name, err)
		}
	}
	return t, nil
}

// layers are the paths of all layers, each once.
func (c Content) layers() []string {
	var all []string
	for _, i := range c.Images {
		for _, l := range i.Layers {
			if !slices.Contains(all, l.Path()) {
				all = append(all, l.Path())
			}
		}
	}
	return all
}

func (i Image) addTo(t *filetree.Tree) error {
	dir := path.Join(layout.Images, i.Name)
	for name, data := range map[string][]byte{"manifest.json": i.Manifest, "config.json": i.Config, "ref": []byte(i.Ref)} {
		if err := t.Add(path.Join(dir, name), filetree.NewFile(data, 0o644)); err != nil {
			return err
		}
	}
	for _, l := range i.Layers {
		if len(l.DiffID) != 64 {
			return fmt.Errorf("layer %q: not a SHA-256", l.DiffID)
		}
		if err := addFile(t, l.Blob, l.Path()); err != nil {
			return err
		}
	}
	return nil
}

// keepModuleFile drops links to a compiler's headers and what only kernel
// package tools read.
func keepModuleFile(name string) bool {
	switch name {
	case "build", "source", "modules.order", "modules.builtin.modinfo":
		return false
	}
	return true
}

func addDir(t *filetree.Tree, from, to string, keep func(name string) bool) error {
	return filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !keep(d.Name()) {
			return err
		}
		return addFile(t, p, path.Join(to, strings.TrimPrefix(p, from)))
	})
}

func addFile(t *filetree.Tree, from, to string) error {
	node, err := filetree.FileFrom(from, 0o644)
	if err != nil {
		return err
	}
	return t.Add(to, node)
}
