package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/apply"
	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/reconfigure"
	"github.com/testudo-os/testudo/pkg/registry"
)

// consoleService takes accounts, keys and files over on SIGHUP.
const consoleService = "console"

// doers carry out what a plan says. Kinds without one need nothing done.
func (b *backend) doers(logs *forwarding) map[reconfigure.Kind]doer {
	return map[reconfigure.Kind]doer{
		reconfigure.Hostname: doHostname,
		reconfigure.Timezone: func(_ context.Context, _ reconfigure.Action, fresh *config.Resolved) ([]api.Change, error) {
			return nil, apply.Timezone("/", fresh.Config.Timezone)
		},
		reconfigure.Modules: func(ctx context.Context, _ reconfigure.Action, fresh *config.Resolved) ([]api.Change, error) {
			return nil, doModules(ctx, fresh.Config.Testudo.Modules)
		},
		reconfigure.Sysctl: func(_ context.Context, _ reconfigure.Action, fresh *config.Resolved) ([]api.Change, error) {
			return nil, apply.Sysctl(sysctlDir, fresh.Config.Testudo.Sysctl)
		},
		reconfigure.Disks: func(ctx context.Context, _ reconfigure.Action, fresh *config.Resolved) ([]api.Change, error) {
			return nil, doMounts(ctx, &fresh.Config, true)
		},
		reconfigure.Registry: func(_ context.Context, _ reconfigure.Action, fresh *config.Resolved) ([]api.Change, error) {
			client, err := registry.New(hosts(fresh.Config.Testudo.Registries))
			if err == nil {
				b.images.registry.Store(client)
			}
			return nil, err
		},
		reconfigure.Logging: func(_ context.Context, _ reconfigure.Action, fresh *config.Resolved) ([]api.Change, error) {
			logs.turn(fresh.Config.Testudo.Logging)
			return nil, nil
		},
		reconfigure.Console:  b.doConsole,
		reconfigure.Services: b.doServices,
		reconfigure.Restart:  b.doRestart,
	}
}

// doConsole has the console read the configuration again. One that does not run
// reads it when it starts.
func (b *backend) doConsole(ctx context.Context, _ reconfigure.Action, _ *config.Resolved) ([]api.Change, error) {
	row, err := b.manager.Service(ctx, consoleService)
	if err != nil || row.PID == 0 {
		return nil, err
	}
	_, err = b.manager.Kill(ctx, consoleService, "SIGHUP")
	return nil, err
}

func (b *backend) doServices(ctx context.Context, _ reconfigure.Action, _ *config.Resolved) ([]api.Change, error) {
	changes, err := b.Up(ctx, api.Up{})
	var errs []error
	for _, c := range changes {
		if c.Error != "" {
			errs = append(errs, fmt.Errorf("service %s: %s", c.Service, c.Error))
		}
	}
	return changes, errors.Join(append(errs, err)...)
}

// doRestart restarts a service that runs; one that does not reads its files when
// it starts.
func (b *backend) doRestart(ctx context.Context, a reconfigure.Action, _ *config.Resolved) ([]api.Change, error) {
	row, err := b.manager.Service(ctx, a.Service)
	if errors.Is(err, api.ErrNotFound) || err == nil && row.PID == 0 {
		return nil, nil // not part of this variant, or it does not run
	}
	if err != nil {
		return nil, err
	}
	row, err = b.manager.Do(ctx, a.Service, api.VerbRestart)
	if err == nil && !row.Ready {
		err = fmt.Errorf("it is in state %s: %s", row.State, row.Reason)
	}
	return nil, err
}
