package filetree

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
)

// ReadTar reads a tree that WriteTar wrote. Other archives may hold what a
// tree cannot (devices, hard links), which is an error.
func ReadTar(r io.Reader) (*Tree, error) {
	t := New()
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, err
		}
		var n *Node
		switch h.Typeflag {
		case tar.TypeDir:
			n = NewDir(uint32(h.Mode))
		case tar.TypeSymlink:
			n = NewLink(h.Linkname)
		case tar.TypeReg:
			data, err := io.ReadAll(tr)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", h.Name, err)
			}
			n = NewFile(data, uint32(h.Mode))
		default:
			return nil, fmt.Errorf("%s: a tree holds no entry of type %c", h.Name, h.Typeflag)
		}
		n.UID, n.GID = h.Uid, h.Gid
		if err := t.Add(h.Name, n); err != nil {
			return nil, err
		}
	}
}
