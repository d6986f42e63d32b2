package erofslayer

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/erofs/go-erofs"
	"golang.org/x/sys/unix"
)

// Names that stand for something else, as the OCI image specification says.
const (
	whiteoutPrefix = ".wh."
	opaqueMark     = ".wh..wh..opq"
	opaqueXattr    = "trusted.overlay.opaque"
	xattrRecord    = "SCHILY.xattr."
)

// Convert reads a tar stream to its end and writes the blob. What it writes
// depends on the stream alone. Large files go through a file in spool.
func Convert(out io.WriteSeeker, layer io.Reader, spool string) error {
	c := converter{image: erofs.Create(out, erofs.WithTempDir(spool), erofs.WithBuildTime(0, 0)), kinds: map[string]byte{"/": tar.TypeDir}}
	if err := c.image.Chmod("/", 0o755); err != nil {
		return err
	}
	entries := tar.NewReader(layer)
	for {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read the layer: %w", err)
		}
		if err := c.add(header, entries); err != nil {
			return fmt.Errorf("layer: %s: %w", header.Name, err)
		}
	}
	if err := c.image.Close(); err != nil {
		return fmt.Errorf("write the layer: %w", err)
	}
	return nil
}

type converter struct {
	image *erofs.Writer
	kinds map[string]byte // tar's type of each path so far
}

func (c *converter) add(h *tar.Header, content io.Reader) error {
	name := path.Clean("/" + h.Name)
	dir, base := path.Split(name)
	dir = path.Clean(dir)
	if err := c.folder(dir); err != nil {
		return err
	}
	switch {
	case base == opaqueMark:
		return c.image.Setxattr(dir, opaqueXattr, "y")
	case strings.HasPrefix(base, whiteoutPrefix):
		name = path.Join(dir, strings.TrimPrefix(base, whiteoutPrefix))
		return c.node(name, tar.TypeChar, func() error { return c.image.Mknod(name, unix.S_IFCHR, 0) })
	}
	if err := c.entry(name, h, content); err != nil {
		return err
	}
	return c.attributes(name, h)
}

// folder makes the folders of dir that the stream has not named.
func (c *converter) folder(dir string) error {
	switch kind, known := c.kinds[dir]; {
	case known && kind == tar.TypeDir:
		return nil
	case known:
		return fmt.Errorf("%s is not a folder", dir)
	}
	if err := c.folder(path.Dir(dir)); err != nil {
		return err
	}
	return c.node(dir, tar.TypeDir, func() error { return c.image.Mkdir(dir, 0o755) })
}

func (c *converter) node(name string, kind byte, create func() error) error {
	if _, known := c.kinds[name]; known {
		return errors.New("it stands in the layer twice")
	}
	c.kinds[name] = kind
	return create()
}

func (c *converter) entry(name string, h *tar.Header, content io.Reader) error {
	if h.Typeflag == tar.TypeDir && c.kinds[name] == tar.TypeDir {
		return nil // made for what is in it; its attributes follow
	}
	return c.node(name, h.Typeflag, func() error {
		switch h.Typeflag {
		case tar.TypeDir:
			return c.image.Mkdir(name, 0o755)
		case tar.TypeReg:
			return c.file(name, content)
		case tar.TypeSymlink:
			return c.image.Symlink(h.Linkname, name)
		case tar.TypeLink:
			return c.link(name, path.Clean("/"+h.Linkname))
		case tar.TypeChar:
			return c.image.Mknod(name, unix.S_IFCHR, device(h))
		case tar.TypeBlock:
			return c.image.Mknod(name, unix.S_IFBLK, device(h))
		case tar.TypeFifo:
			return c.image.Mknod(name, unix.S_IFIFO, 0)
		}
		return fmt.Errorf("entries of type %q are not known", h.Typeflag)
	})
}

func (c *converter) file(name string, content io.Reader) error {
	file, err := c.image.Create(name)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, content); err != nil {
		return err
	}
	return file.Close()
}

// link makes a copy: the writer knows no hard links.
func (c *converter) link(name, target string) error {
	if kind := c.kinds[target]; kind != tar.TypeReg && kind != tar.TypeLink {
		return fmt.Errorf("a hard link to %s, which is not a file before it in the layer", target)
	}
	from, err := c.image.Open(target)
	if err != nil {
		return err
	}
	defer from.Close()
	return c.file(name, from)
}

func (c *converter) attributes(name string, h *tar.Header) error {
	var errs []error
	if h.Typeflag != tar.TypeSymlink {
		errs = append(errs, c.image.Chmod(name, h.FileInfo().Mode()&(fs.ModePerm|fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky)))
	}
	modified := h.ModTime.Truncate(time.Second)
	errs = append(errs, c.image.Chown(name, h.Uid, h.Gid), c.image.Chtimes(name, modified, modified))
	for key, value := range h.PAXRecords {
		if attr, ok := strings.CutPrefix(key, xattrRecord); ok && !strings.HasPrefix(attr, "trusted.overlay.") {
			errs = append(errs, c.image.Setxattr(name, attr, value))
		}
	}
	return errors.Join(errs...)
}

func device(h *tar.Header) uint32 {
	return uint32(unix.Mkdev(uint32(h.Devmajor), uint32(h.Devminor)))
}
