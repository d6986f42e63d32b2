package kernel

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/ulikunitz/xz"
	"golang.org/x/sync/errgroup"
)

// decompress replaces every .ko.xz below dir by the .ko it holds. The system
// image compresses all its files, and a module that needs no unpacking of its
// own loads sooner.
func decompress(ctx context.Context, dir string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".ko.xz") {
			return err
		}
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return decompressFile(path)
		})
		return nil
	})
	return errors.Join(err, group.Wait())
}

func decompressFile(path string) (err error) {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	r, err := xz.NewReader(bufio.NewReader(in))
	if err != nil {
		return fmt.Errorf("decompress %s: %w", path, err)
	}
	out, err := os.OpenFile(strings.TrimSuffix(path, ".xz"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, r)
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("decompress %s: %w", path, err)
	}
	return os.Remove(path)
}
