package datasource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/testudo-os/testudo/pkg/regularfile"
)

// SeedDir is where a NoCloud seed may lie as plain files.
const SeedDir = "/var/lib/testudo/seed/nocloud"

// maxFile bounds each file of a seed.
const maxFile = 4 << 20

// Directory is a NoCloud seed that lies in a directory.
type Directory struct{ Path string }

// Name is the directory's.
func (s Directory) Name() string { return "nocloud (" + s.Path + ")" }

// Fetch reads the directory.
func (s Directory) Fetch(context.Context) (*Data, error) {
	return read(s.Path, s.Name())
}

// read reads the files of a NoCloud seed. A missing file is as an empty one;
// with neither user-data nor meta-data it is no seed.
func read(dir, name string) (*Data, error) {
	root, err := os.OpenRoot(dir) // no symbolic link of the seed leads out of it
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()

	data := &Data{Source: name}
	var meta []byte
	var errs []error
	present := 0
	for _, f := range []struct {
		name string
		into *[]byte
	}{
		{"user-data", &data.UserData},
		{"meta-data", &meta},
		{"vendor-data", &data.VendorData},
		{"network-config", &data.NetworkConfig},
	} {
		content, err := readFile(root, f.name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			errs = append(errs, fmt.Errorf("read %s: %w", f.name, err))
		default:
			*f.into = content
			if f.into == &data.UserData || f.into == &meta {
				present++
			}
		}
	}
	if present == 0 {
		if len(errs) == 0 {
			return nil, ErrNone
		}
		return nil, errors.Join(errs...)
	}
	data.Meta, err = ParseMeta(name+" meta-data", meta)
	if err != nil {
		errs = append(errs, err)
	}
	data.Partial = len(errs) > 0
	return data, errors.Join(errs...)
}

func readFile(root *os.Root, name string) ([]byte, error) {
	f, err := root.OpenFile(name, regularfile.OpenFlags, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return regularfile.From(f, maxFile)
}
