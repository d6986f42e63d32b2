package main

import (
	"context"
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
	user, err := b.manager.User(ctx)
	if err != nil {
		return nil, err
	}
	o.Services = handedOver(slices.Concat(set.User, user), o.Services)
	b.images.identify(set)
	preview := o
	preview.DryRun = true
	changes, err := b.manager.Up(ctx, set, preview)
	if err != nil {
		return nil, err
	}
	if changes, err = b.images.toPull(set, changes, o.Services); err != nil || o.DryRun {
		return changes, err
	}
	if err := b.fetch(ctx, set, changes); err != nil {
		return nil, err
	}
	b.images.identify(set)
	limitLogs(b.logs, set)
	return b.manager.Up(ctx, set, o)
}

// identify notes which images the names stand for at this moment.
func (i *images) identify(set *service.Set) {
	for at, s := range set.Services {
		// What is not here, or cannot be read, is told when it starts.
		if image, err := i.store.Find(s.Image); err == nil {
			set.Services[at].ImageDigest = image.Digest.String()
		}
	}
}

// toPull adds to the changes what their images take: fetching what is not here,
// and looking for newer ones where the policy says so, also of services of
// which nothing else changes.
func (i *images) toPull(set *service.Set, changes []api.Change, named []string) ([]api.Change, error) {
	for _, s := range set.Services {
		fetched, due, err := i.due(s)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(changes, func(c api.Change) bool { return c.Service == s.Name })
		switch {
		case !due || len(named) > 0 && !slices.Contains(named, s.Name):
		case at >= 0:
			starts := changes[at].Action == api.ChangeStart || changes[at].Action == api.ChangeRestart
			changes[at].Pull = starts || !fetched.IsZero()
		case !fetched.IsZero():
			changes = append(changes, api.Change{Service: s.Name, Action: api.ChangePull, Reason: "its pull_policy asks for the newest image", Pull: true})
		}
	}
	slices.SortFunc(changes, func(a, b api.Change) int { return strings.Compare(a.Service, b.Service) })
	return changes, nil
}

// handedOver puts what hands services of scope user over in their place: of
// those that are declared, and those that were.
func handedOver(user []service.Service, names []string) []string {
	var all []string
	for _, name := range names {
		if slices.ContainsFunc(user, func(s service.Service) bool { return s.Name == name }) {
			name = composeService
		}
		all = append(all, name)
	}
	return all
}

// fetch fetches the images that changes take. Nothing is stopped before all of
// them are here.
func (b *backend) fetch(ctx context.Context, set *service.Set, changes []api.Change) error {
	for _, c := range changes {
		at := slices.IndexFunc(set.Services, func(s service.Service) bool { return s.Name == c.Service })
		if !c.Pull || at < 0 {
			continue
		}
		if err := b.images.bring(ctx, &set.Services[at], false, func(int64, int64) {}); err != nil {
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
