package datasource

import (
	"context"
	"errors"
	"fmt"
)

// Label is the volume label of a NoCloud seed; CIDATA counts as well.
const Label = "cidata"

// Volume is a block device with a file system.
type Volume struct {
	Device string // /dev/sr0
	Type   string // iso9660 or vfat
}

// Volumes finds and mounts volumes; Host is the machine's own.
type Volumes interface {
	// Find gives the volumes with a label, in capitals or not, in an order
	// that stays the same.
	// Volumes and an error together: some devices could not be read.
	Find(label string) ([]Volume, error)
	// Mount mounts v read-only in a private place, and gives what undoes it.
	Mount(v Volume) (dir string, unmount func() error, err error)
}

// NoCloud is a seed on a volume with the label cidata.
type NoCloud struct{ Volumes Volumes }

// Name is cloud-init's name of it.
func (NoCloud) Name() string { return "nocloud" }

// Fetch reads the first volume that holds a seed.
func (s NoCloud) Fetch(ctx context.Context) (*Data, error) {
	volumes, err := s.Volumes.Find(Label)
	var errs []error
	if err != nil && len(volumes) > 0 {
		err = nil // another device that cannot be read is not this source's problem
	}
	if err != nil {
		errs = append(errs, err)
	}
	for _, v := range volumes {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		data, err := s.readVolume(v)
		if err != nil && !errors.Is(err, ErrNone) {
			errs = append(errs, fmt.Errorf("%s: %w", v.Device, err))
		}
		if data != nil {
			return data, errors.Join(errs...)
		}
		if errors.Is(err, ErrNone) {
			errs = append(errs, fmt.Errorf("%s: has the label %s and neither user-data nor meta-data", v.Device, Label))
		}
	}
	if len(errs) == 0 {
		return nil, ErrNone
	}
	return nil, errors.Join(errs...)
}

func (s NoCloud) readVolume(v Volume) (data *Data, err error) {
	dir, unmount, err := s.Volumes.Mount(v)
	if err != nil {
		return nil, err
	}
	defer func() {
		if undo := unmount(); undo != nil {
			err = errors.Join(err, fmt.Errorf("unmount: %w", undo))
		}
	}()
	return read(dir, "nocloud ("+v.Device+")")
}
