package qemu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// WriteSeed packs a NoCloud seed (an ISO with volume label cidata) into path.
// Empty metaData gives an instance id of the machine's name.
func WriteSeed(ctx context.Context, tb Toolbox, path, userData, metaData string) (err error) {
	dir, err := os.MkdirTemp(filepath.Dir(path), "seed-")
	if err != nil {
		return fmt.Errorf("make seed: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if metaData == "" {
		metaData = "instance-id: testudo\n"
	}
	for name, text := range map[string]string{"user-data": userData, "meta-data": metaData} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("make seed: %w", err)
		}
	}
	out, err := tb.Command(ctx, "xorriso", "-as", "mkisofs", "-quiet", "-V", "cidata", "-J", "-r", "-o", path, dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("make seed %s: %w\n%s", path, err, out)
	}
	return nil
}

// CreateDisk makes a sparse file of the given size in bytes. A file that is
// there already stays as it is.
func CreateDisk(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("make disk: %w", err)
	}
	return errors.Join(f.Truncate(size), f.Close())
}
