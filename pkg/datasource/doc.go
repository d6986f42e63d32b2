// Package datasource fetches what the machine's surroundings say about it: an
// instance id, a host name, keys and user data. Today's sources are NoCloud
// volumes (label cidata) and the seed directory; a cloud's metadata service is
// one more implementation of Source.
//
// It only fetches, bounded in size, and keeps a copy for offline boots. What
// the data mean is pkg/config's business. pkg/settings imports it.
package datasource

import (
	"context"
	"errors"
	"fmt"
)

// ErrNone says that a source is not there at all, which is no problem.
var ErrNone = errors.New("no such datasource here")

// Source is one place to look at.
type Source interface {
	// Name tells people which source it is.
	Name() string
	// Fetch reads it. Errors match ErrNone when there is nothing to read. Data
	// and an error together mean that the data can be used and that part of
	// what was there could not be read.
	Fetch(ctx context.Context) (*Data, error)
}

// Data is what a source gave. It may hold secrets.
type Data struct {
	Source        string `json:"source"` // for people: nocloud (/dev/sr0)
	Meta          Meta   `json:"meta"`
	UserData      []byte `json:"user_data,omitempty"`
	VendorData    []byte `json:"vendor_data,omitempty"`    // kept as it is
	NetworkConfig []byte `json:"network_config,omitempty"` // kept as it is
	Partial       bool   `json:"-"`                        // part of it could not be read
}

// First gives the data of the first source that has any. Problems are what
// went wrong with sources before it, or with part of its data. No data and no
// problems: no source is there.
func First(ctx context.Context, sources ...Source) (data *Data, problems []error) {
	for _, s := range sources {
		if err := ctx.Err(); err != nil {
			return nil, append(problems, fmt.Errorf("datasource %s: %w", s.Name(), err))
		}
		data, err := s.Fetch(ctx)
		if err != nil && !errors.Is(err, ErrNone) {
			problems = append(problems, fmt.Errorf("datasource %s: %w", s.Name(), err))
		}
		if data != nil {
			return data, problems
		}
	}
	return nil, problems
}
