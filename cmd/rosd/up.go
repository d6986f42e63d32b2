package main

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/logs"
	"github.com/testudo-os/testudo/pkg/service"
)

// Up reads the service files again, fetches the images that are missing, and
// has the manager apply what has changed.
func (b *backend) Up(ctx context.Context, o api.Up) ([]api.Change, error) {
	set := b.images.upgrades.Declared()
	o.Services = handedOver(set, o.Services)
	if !o.DryRun {
		preview := o
		preview.DryRun = true
		changes, err := b.manager.Up(ctx, set, preview)
		if err != nil {
			return nil, err
		}
		if err := b.fetchMissing(ctx, set, changes); err != nil {
			return nil, err
		}
	}
	return b.manager.Up(ctx, set, o)
}

// handedOver puts what hands services of scope user over in their place.
func handedOver(set *service.Set, names []string) []string {
	var all []string
	for _, name := range names {
		if slices.ContainsFunc(set.User, func(s service.Service) bool { return s.Name == name }) {
			name = composeService
		}
		all = append(all, name)
	}
	return all
}

// fetchMissing fetches what changed services need and is not here. Nothing is
// stopped before all of it is.
func (b *backend) fetchMissing(ctx context.Context, set *service.Set, changes []api.Change) error {
	starts := map[string]bool{}
	for _, c := range changes {
		starts[c.Service] = c.Action == api.ChangeStart || c.Action == api.ChangeRestart
	}
	for _, s := range set.Services {
		if !starts[s.Name] || strings.HasPrefix(s.Image, "testudo/") {
			continue
		}
		_, err := b.images.store.Find(s.Image)
		if errors.Is(err, fs.ErrNotExist) {
			_, err = b.images.pull(ctx, s.Image, func(api.Progress) {})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lastLines is how much of a failed service's output is shown with its state.
const lastLines = 10

// lastWords is what a service that is not well said last.
func (b *backend) lastWords(ctx context.Context, row api.Service) (lines []string) {
	if !failed(row) && row.State != api.StateStarting {
		return nil
	}
	// What cannot be read is not shown: `ros logs` says why.
	_ = b.logs.Read(ctx, logs.Query{Services: []string{row.Name}, Tail: lastLines}, func(l api.LogLine) error {
		lines = append(lines, l.Line)
		return nil
	})
	return lines
}
