package main

import (
	"context"
	"time"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/apply"
	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/render"
	"github.com/testudo-os/testudo/pkg/settings"
)

// configTimeout bounds the search for configuration: a disk that does not
// answer must not keep services from starting.
const configTimeout = 20 * time.Second

// loadSettings is configuration.load.
func loadSettings(ctx context.Context) (*config.Resolved, error) {
	return settings.Load(ctx, settings.Host())
}

// configure reads the configuration at rosd's start and puts in place what
// concerns the whole machine: its name, its time zone, and the files services
// read. Nothing in it stops the boot: what is wrong is in the result's Problems.
func configure(ctx context.Context, c *configuration) *config.Resolved {
	bounded, cancel := context.WithTimeout(ctx, configTimeout)
	defer cancel()
	resolved, err := c.load(bounded)
	if resolved == nil {
		resolved = &config.Resolved{InstanceID: settings.LocalInstance}
	}
	problem := func(err error) {
		if err != nil {
			resolved.Problems = append(resolved.Problems, err.Error())
		}
	}
	problem(err)
	if name := resolved.Config.MachineName(); name != "" {
		problem(unix.Sethostname([]byte(name)))
	}
	problem(apply.Timezone("/", resolved.Config.Timezone))
	problem(doModules(bounded, resolved.Config.Testudo.Modules))
	problem(apply.Sysctl(sysctlDir, resolved.Config.Testudo.Sysctl))
	problem(stirSeed(resolved.Config.RandomSeed))
	// A bound of its own: a large disk takes its time to be made ready.
	disks, done := context.WithTimeout(ctx, setUpTimeout)
	defer done()
	for _, err := range setUpDisks(disks, resolved) {
		problem(err)
	}
	for _, err := range c.put(resolved) {
		problem(err)
	}
	for _, text := range resolved.Problems {
		c.log.Error("configuration", "problem", text)
	}
	return resolved
}

// putInPlace is configuration.put: it writes what services read.
func putInPlace(resolved *config.Resolved) (errs []error) {
	note := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	files, err := render.Files(&resolved.Config)
	note(err)
	note(render.Write(layout.Rendered, files))
	note(config.WriteResolved(layout.ResolvedConfig, resolved))
	return errs
}
