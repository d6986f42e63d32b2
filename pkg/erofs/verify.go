package erofs

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Verify reads an image back with fsck.erofs and compares each regular file
// with the archive it was made of. mkfs.erofs has been seen to succeed and
// write zeros.
func Verify(ctx context.Context, command Command, tarFile, image string) error {
	dir, err := os.MkdirTemp(filepath.Dir(image), "verify-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	output, err := command(ctx, "fsck.erofs", "--extract="+dir, "--overwrite", "--no-preserve", image).CombinedOutput()
	if err != nil {
		return fmt.Errorf("fsck.erofs %s: %w: %s", image, err, bytes.TrimSpace(output))
	}
	f, err := os.Open(tarFile)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := compare(tar.NewReader(f), dir); err != nil {
		return fmt.Errorf("%s does not hold what it was made of: %w", image, err)
	}
	return nil
}

// compare tells of the first file in dir that is not as in the archive.
func compare(archive *tar.Reader, dir string) error {
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		want, err := digest(archive)
		if err != nil {
			return err
		}
		got, err := digestOf(filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(h.Name, "/"))))
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("%s is another file (%d bytes)", h.Name, h.Size)
		}
	}
}

func digestOf(path string) ([sha256.Size]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	defer f.Close()
	return digest(f)
}

func digest(r io.Reader) (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return sum, err
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}
