// Package settings finds the configuration in force: it reads every source,
// refuses bad ones, falls back on the last good copy of each, and merges them.
// No source can stop the boot: what is wrong is told in Resolved.Problems.
//
// Sources, the lowest first:
//
//  1. what is built in (pkg/config/builtin.yaml)
//  2. the vendor's file, which whoever builds an image may put in it
//  3. the datasource's meta-data: host name and keys
//  4. conf.d/*.yaml of the configuration directory, by name
//  5. cloud-config.yaml there: the machine's own file
//  6. the datasource's user-data
//  7. testudo.* arguments of the kernel command line
//
// docs/configuration.md says so to users. rosd calls Load at its start, and
// when a changed configuration is to be applied. Nothing here applies anything.
package settings

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/datasource"
	"github.com/testudo-os/testudo/pkg/layout"
)

// Options say where sources are.
type Options struct {
	ConfigDir string              // cloud-config.yaml, conf.d and the last good copies
	Vendor    string              // the vendor's file; "": none
	Cmdline   string              // file with the kernel command line
	Sources   []datasource.Source // tried in order
}

// Host gives the options of the machine we run on.
func Host() Options {
	return Options{
		ConfigDir: layout.ConfigDir,
		Vendor:    layout.VendorConfig,
		Cmdline:   "/proc/cmdline",
		Sources: []datasource.Source{
			datasource.Directory{Path: datasource.SeedDir},
			datasource.NoCloud{Volumes: datasource.Host{MountBelow: layout.RunDir}},
		},
	}
}

// LocalInstance is the instance id of a machine without a datasource.
const LocalInstance = config.LocalInstance

// Load gives the configuration in force and what is wrong with its sources.
// The error is the context's, or that this program was built wrong.
func Load(ctx context.Context, o Options) (*config.Resolved, error) {
	base, err := config.Builtin()
	if err != nil {
		return nil, fmt.Errorf("load configuration: %w", err)
	}
	l := &loader{options: o, resolved: &config.Resolved{InstanceID: LocalInstance}}
	meta, user := l.datasource(ctx)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("load configuration: %w", err)
	}
	own := append([]*config.Config{meta}, l.files()...)
	above := []*config.Config{user, l.cmdline()}
	own = append(own, above...)
	l.resolved.Above = *config.Merge(above...)
	l.resolved.Own = *config.Merge(own...)
	l.resolved.Config = *config.Merge(append([]*config.Config{base, l.vendor()}, own...)...)
	settle(&l.resolved.Config)
	return l.resolved, nil
}

type loader struct {
	options  Options
	resolved *config.Resolved
}

// problem notes what people should know. Several lines are several problems.
func (l *loader) problem(format string, args ...any) {
	l.resolved.Problems = append(l.resolved.Problems, fmt.Sprintf(format, args...))
}

func (l *loader) cmdline() *config.Config {
	line, err := os.ReadFile(l.options.Cmdline)
	if err != nil {
		l.problem("read kernel command line: %v", err)
		return nil
	}
	cfg, problems := config.ParseCmdline(string(line))
	for _, p := range problems {
		l.problem("%v; it is ignored", p)
		l.resolved.Refused = append(l.resolved.Refused, "an argument of the kernel command line is ignored")
	}
	return cfg
}

// settle draws conclusions that concern several keys.
func settle(c *config.Config) {
	c.ResolvConf.Settle(&c.Testudo.Network.DNS)
	const ntp = "ntp"
	services := &c.Testudo.Services
	off := c.NTP.Enabled != nil && !*c.NTP.Enabled
	if off && !slices.Contains(services.Enable, ntp) && !slices.Contains(services.Disable, ntp) {
		services.Disable = append(services.Disable, ntp)
	}
}
