package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/confstore"
	"github.com/testudo-os/testudo/pkg/layout"
)

// Trials are not shorter than it takes to type a confirmation, nor longer than
// anyone remembers.
const (
	leastTrial = 10 * time.Second
	mostTrial  = 24 * time.Hour
)

func filePath(name string) string { return filepath.Join(layout.ConfigDir, name) }

func sortedNames(files confstore.Files) []string { return slices.Sorted(maps.Keys(files)) }

// Config is what is in force.
func (b *backend) Config(_ context.Context, o api.ConfigOptions) (any, error) {
	r := b.config.current.Load()
	c := &r.Own
	if o.Full {
		c = &r.Config
	}
	if !o.Private {
		c = c.Redacted()
	}
	return c, nil
}

// ConfigFile is the machine's own file.
func (b *backend) ConfigFile(context.Context) (api.ConfigFile, error) {
	entry, err := b.config.store.Record("changed by hand")
	if err != nil {
		return api.ConfigFile{}, err
	}
	return api.ConfigFile{Path: filePath(confstore.MachineFile), Text: entry.Files[confstore.MachineFile], Base: entry.ID}, nil
}

// EditConfig changes the machine's file, if the result is valid.
func (b *backend) EditConfig(_ context.Context, o api.ConfigEdit) (api.ConfigEntry, error) {
	c := b.config
	c.changing.Lock()
	defer c.changing.Unlock()
	if err := c.untried(); err != nil {
		return api.ConfigEntry{}, err
	}
	edit, what, err := editor(o)
	if err != nil {
		return api.ConfigEntry{}, fmt.Errorf("%w: %w", api.ErrInvalid, err)
	}
	if o.Verb == api.ConfigReplace && o.Base != 0 {
		now, err := c.store.Record("changed by hand")
		if err != nil {
			return api.ConfigEntry{}, err
		}
		base, err := c.store.Entry(o.Base)
		if err != nil || base.Files[confstore.MachineFile] != now.Files[confstore.MachineFile] {
			return api.ConfigEntry{}, fmt.Errorf("%w: the file has been changed in the meantime (entry %d)", api.ErrConflict, now.ID)
		}
	}
	entry, err := c.store.Change(what, func(files confstore.Files) (confstore.Files, error) {
		text, err := edit(filePath(confstore.MachineFile), []byte(files[confstore.MachineFile]))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", api.ErrInvalid, err)
		}
		files[confstore.MachineFile] = string(text)
		return files, nil
	})
	if err != nil {
		return api.ConfigEntry{}, err
	}
	row := b.entryRow(entry)
	if key, err := config.ParseKey(o.Key); err == nil {
		row.Overridden = c.current.Load().Above.Has(key)
	}
	return row, nil
}

// editor gives what an edit does to a text, and how the history calls it.
func editor(o api.ConfigEdit) (edit func(file string, text []byte) ([]byte, error), what string, err error) {
	name := o.Name
	if name == "" {
		name = "text"
	}
	switch o.Verb {
	case api.ConfigSet, api.ConfigUnset:
		key, err := config.ParseKey(o.Key)
		if err != nil {
			return nil, "", err
		}
		if o.Verb == api.ConfigUnset {
			return func(file string, text []byte) ([]byte, error) { return config.Unset(file, text, key) }, "unset " + key.String(), nil
		}
		return func(file string, text []byte) ([]byte, error) { return config.Set(file, text, key, o.Value) }, "set " + key.String(), nil
	case api.ConfigMerge:
		return func(file string, text []byte) ([]byte, error) {
			return config.MergeText(file, text, name, []byte(o.Text))
		}, "merge " + name, nil
	case api.ConfigReplace:
		return func(string, []byte) ([]byte, error) {
			_, err := config.Parse(name, []byte(o.Text))
			return []byte(o.Text), err
		}, "edit", nil
	}
	return nil, "", fmt.Errorf("%q is not set, unset, merge or replace", o.Verb)
}

// ApplyConfig puts in force what the sources say now.
func (b *backend) ApplyConfig(ctx context.Context, o api.ConfigApply) (api.ConfigApplied, error) {
	c := b.config
	c.changing.Lock()
	defer c.changing.Unlock()
	if o.Try != 0 && (o.Try < leastTrial || o.Try > mostTrial) {
		return api.ConfigApplied{}, fmt.Errorf("%w: a trial lasts from %v to %v", api.ErrInvalid, leastTrial, mostTrial)
	}
	if err := errors.Join(c.untried(), c.check()); err != nil {
		return api.ConfigApplied{}, err
	}
	if o.DryRun {
		_, plan, err := c.next(ctx)
		applied := appliedRows(plan)
		applied.Entry = c.store.Applied()
		return applied, err
	}
	entry, err := c.store.Record("changed by hand")
	if err != nil {
		return api.ConfigApplied{}, err
	}
	// Whoever asked may lose the connection by what they asked for.
	ctx = context.WithoutCancel(ctx)
	if o.Try == 0 {
		return c.apply(ctx, entry)
	}
	before := c.store.Applied()
	if before == entry.ID {
		return api.ConfigApplied{}, fmt.Errorf("%w: the machine's files have not changed: there is nothing to try", api.ErrConflict)
	}
	trial, err := c.store.Try(before, o.Try)
	if err != nil {
		return api.ConfigApplied{}, err
	}
	applied, err := c.apply(ctx, entry)
	c.arm(b.life, trial)
	applied.TryUntil = c.status().TryUntil
	return applied, err
}

// ConfirmConfig keeps what is on trial.
func (b *backend) ConfirmConfig(context.Context) (api.ConfigEntry, error) {
	c := b.config
	c.changing.Lock()
	defer c.changing.Unlock()
	trial, err := c.store.Confirm()
	if errors.Is(err, confstore.ErrNone) {
		return api.ConfigEntry{}, fmt.Errorf("%w: nothing is on trial", api.ErrConflict)
	}
	if err != nil {
		return api.ConfigEntry{}, err
	}
	c.disarm()
	entry, err := c.store.Entry(trial.Entry)
	return b.entryRow(entry), err
}

// RollbackConfig puts an earlier state in force.
func (b *backend) RollbackConfig(ctx context.Context, o api.ConfigRollback) (api.ConfigApplied, error) {
	c := b.config
	c.changing.Lock()
	defer c.changing.Unlock()
	trial, err := c.store.Trial()
	tried := err == nil
	if tried && o.To == 0 {
		o.To = trial.BackTo
	}
	target, err := b.target(o.To)
	if err != nil {
		return api.ConfigApplied{}, err
	}
	for _, name := range sortedNames(target.Files) {
		if _, err := config.Parse(filePath(name), []byte(target.Files[name])); err != nil {
			return api.ConfigApplied{}, fmt.Errorf("%w: entry %d has mistakes:\n%w", api.ErrConflict, target.ID, err)
		}
	}
	ctx = context.WithoutCancel(ctx)
	if tried {
		if o.To != trial.BackTo {
			return api.ConfigApplied{}, c.untried()
		}
		return c.goBack(ctx)
	}
	entry, err := c.store.Change(fmt.Sprintf("rollback to entry %d", target.ID), func(confstore.Files) (confstore.Files, error) { return target.Files, nil })
	if err != nil {
		return api.ConfigApplied{}, err
	}
	return c.apply(ctx, entry)
}

// target is the entry to go back to: by default the last one without mistakes
// whose files are others than those of now.
func (b *backend) target(id int) (confstore.Entry, error) {
	if id != 0 {
		entry, err := b.config.store.Entry(id)
		if errors.Is(err, confstore.ErrNone) {
			err = fmt.Errorf("%w: the history has no entry %d", api.ErrNotFound, id)
		}
		return entry, err
	}
	now, err := b.config.store.Record("changed by hand")
	if err != nil {
		return confstore.Entry{}, err
	}
	entries, err := b.config.store.History()
	if err != nil {
		return confstore.Entry{}, err
	}
	for _, e := range slices.Backward(entries) {
		if e.ID == now.ID || maps.Equal(e.Files, now.Files) {
			continue
		}
		if _, err := merged(e); err == nil {
			return e, nil
		}
	}
	return confstore.Entry{}, fmt.Errorf("%w: the history has nothing to go back to", api.ErrConflict)
}

// ConfigHistory lists the states of the files.
func (b *backend) ConfigHistory(context.Context) ([]api.ConfigEntry, error) {
	entries, err := b.config.store.History()
	var rows []api.ConfigEntry
	for _, e := range entries {
		rows = append(rows, b.entryRow(e))
	}
	return rows, err
}

func (b *backend) entryRow(e confstore.Entry) api.ConfigEntry {
	row := api.ConfigEntry{ID: e.ID, Time: e.Time, Change: e.Change, Files: []string{}, Applied: e.ID == b.config.store.Applied()}
	row.Files = append(row.Files, sortedNames(e.Files)...)
	if trial, err := b.config.store.Trial(); err == nil {
		row.Trial = trial.Entry == e.ID
	}
	return row
}

// ConfigDiff compares what is in force with what would be, or two states of the
// machine's files.
func (b *backend) ConfigDiff(ctx context.Context, from, to int) (api.ConfigDiff, error) {
	if from == 0 && to == 0 {
		if err := b.config.check(); err != nil {
			return api.ConfigDiff{}, err
		}
		fresh, _, err := b.config.next(ctx)
		if err != nil {
			return api.ConfigDiff{}, err
		}
		return difference("in force", "next", &b.config.current.Load().Config, &fresh.Config)
	}
	if from == 0 {
		return api.ConfigDiff{}, fmt.Errorf("%w: want from= with to=", api.ErrInvalid)
	}
	old, err := b.target(from)
	if err != nil {
		return api.ConfigDiff{}, err
	}
	name := "now"
	var fresh confstore.Entry
	if to == 0 {
		fresh.Files, err = b.config.store.Files()
	} else {
		name = fmt.Sprint("entry ", to)
		fresh, err = b.target(to)
	}
	if err != nil {
		return api.ConfigDiff{}, err
	}
	x, err := merged(old)
	if err != nil {
		return api.ConfigDiff{}, err
	}
	y, err := merged(fresh)
	if err != nil {
		return api.ConfigDiff{}, err
	}
	return difference(fmt.Sprint("entry ", from), name, x, y)
}

// merged is what the machine's files of an entry say together.
func merged(e confstore.Entry) (*config.Config, error) {
	var all []*config.Config
	names := sortedNames(e.Files)
	// conf.d before the machine's own file, as settings.Load does.
	slices.SortStableFunc(names, func(a, b string) int {
		return len(filepath.Dir(b)) - len(filepath.Dir(a))
	})
	for _, name := range names {
		c, err := config.Parse(filePath(name), []byte(e.Files[name]))
		if err != nil {
			return nil, fmt.Errorf("%w: entry %d has mistakes:\n%w", api.ErrConflict, e.ID, err)
		}
		all = append(all, c)
	}
	return config.Merge(all...), nil
}

func difference(from, to string, a, b *config.Config) (api.ConfigDiff, error) {
	d := api.ConfigDiff{From: from, To: to, Keys: []string{}}
	d.Keys = append(d.Keys, config.Changed(a, b)...)
	text, err := config.Diff(from, to, a, b)
	d.Text = text
	return d, err
}
