package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/confstore"
	"github.com/testudo-os/testudo/pkg/datasource/find"
	"github.com/testudo-os/testudo/pkg/settings"
)

// loadWith gives configuration.load: the files, with what is known of the
// machine's datasource at that moment.
func loadWith(finder *find.Finder) func(context.Context) (*config.Resolved, error) {
	return func(ctx context.Context) (*config.Resolved, error) {
		o := settings.Host()
		o.Datasource = finder.Current
		return settings.Load(ctx, o)
	}
}

// followSources asks the datasources that need the network, while services
// already run, and puts in force what they say. It ends with its answer, or
// with ctx.
func (b *backend) followSources(ctx context.Context, finder *find.Finder) {
	err := finder.Later(ctx, func(found find.Found) { b.takeOver(ctx, found) })
	if err != nil && ctx.Err() == nil {
		b.config.log.Error("datasource", "problem", err)
	}
}

// takeOver applies a configuration that has changed because its datasource has
// answered. For a new instance the console starts again: files, commands and
// scripts are done as at a boot, which so early interrupts nobody.
func (b *backend) takeOver(ctx context.Context, found find.Found) {
	c := b.config
	c.changing.Lock()
	defer c.changing.Unlock()
	for _, p := range found.Problems {
		c.log.Warn("datasource", "problem", p)
	}
	before := c.current.Load().InstanceID
	// The machine's own files are as they were.
	applied, err := c.apply(ctx, confstore.Entry{ID: c.store.Applied()})
	c.note(err)
	for _, a := range applied.Actions {
		if a.Error != "" {
			c.note(errors.New(a.What + ": " + a.Error))
		}
	}
	now := c.current.Load()
	c.log.Info("datasource", "used", now.Datasource, "instance", now.InstanceID, "pending", found.Pending)
	if now.InstanceID == before {
		return
	}
	row, err := b.manager.Service(ctx, consoleService)
	if err != nil || row.PID == 0 {
		return // it reads all of it when it starts
	}
	if _, err := b.manager.Do(ctx, consoleService, api.VerbRestart); err != nil {
		c.note(fmt.Errorf("start the console again for instance %s: %w", now.InstanceID, err))
	}
}

// Sources says which datasource counts, and why.
func (b *backend) Sources(context.Context) (api.Sources, error) {
	found := b.finder.Current()
	r := found.Report
	out := api.Sources{
		Machine: r.Machine, Request: r.Request, Used: r.Used, Instance: r.Instance, Kept: r.Kept, Pending: r.Pending, Since: r.Since,
		Sources: []api.Source{}, Problems: []string{},
	}
	for _, s := range r.Sources {
		out.Sources = append(out.Sources, api.Source{Name: s.Name, State: api.SourceState(s.State), Reason: s.Reason, Result: s.Result, Took: s.Took})
	}
	for _, p := range found.Problems {
		out.Problems = append(out.Problems, p.Error())
	}
	if found.Refused != nil {
		out.Problems = append(out.Problems, found.Refused.Error(), found.Instead)
	}
	return out, nil
}
