package main

import (
	"context"
	"log/slog"
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

// configure reads the configuration and puts in place what concerns the whole
// machine: its name, its time zone, and the files services read. Nothing in it stops the
// boot: what is wrong is in the result's Problems.
func configure(ctx context.Context, log *slog.Logger) *config.Resolved {
	ctx, cancel := context.WithTimeout(ctx, configTimeout)
	defer cancel()
	resolved, err := settings.Load(ctx, settings.Host())
	if resolved == nil {
		resolved = &config.Resolved{InstanceID: settings.LocalInstance}
	}
	problem := func(err error) {
		if err != nil {
			resolved.Problems = append(resolved.Problems, err.Error())
		}
	}
	problem(err)
	if name := resolved.Config.Hostname; name != "" {
		problem(unix.Sethostname([]byte(name)))
	}
	problem(apply.Timezone("/", resolved.Config.Timezone))
	files, err := render.Files(&resolved.Config)
	problem(err)
	problem(render.Write(layout.Rendered, files))
	problem(config.WriteResolved(layout.ResolvedConfig, resolved))
	for _, text := range resolved.Problems {
		log.Error("configuration", "problem", text)
	}
	return resolved
}
