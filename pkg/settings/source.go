package settings

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/datasource"
	"github.com/testudo-os/testudo/pkg/datasource/clouds"
	"github.com/testudo-os/testudo/pkg/datasource/find"
	"github.com/testudo-os/testudo/pkg/datasource/host"
	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/netplan"
)

// Sources makes the Finder of the machine we run on. What it watches ends with
// ctx. It looks at disks, no longer than find.LocalBound.
func Sources(ctx context.Context) *find.Finder {
	looking, cancel := context.WithTimeoutCause(ctx, find.LocalBound, fmt.Errorf("no answer within %v", find.LocalBound))
	defer cancel()
	machine := host.Roots{Sys: "/sys", Cmdline: "/proc/cmdline", SeedDirs: []string{datasource.SeedDir}}
	return find.New(find.Options{
		Sources:   clouds.All(clouds.Options{SeedDir: datasource.SeedDir, DefaultUser: config.DefaultUser().Name}),
		Env:       machine.Env(ctx, machine.Facts(looking), layout.RunDir, layout.NetworkDir),
		Cache:     datasource.Cache{Path: filepath.Join(layout.ConfigDir, lastGood, "datasource.json")},
		Check:     CheckData,
		Render:    templates{layout.Jinja}.fillIn,
		LinkLocal: machine.LinkLocal,
	})
}

// CheckData says whether the configurations in user data are without mistakes;
// all of them are told.
func CheckData(d *datasource.Data) error {
	if d.Parts == nil {
		return nil
	}
	var errs []error
	for _, p := range d.Parts.User {
		if p.Kind != datasource.CloudConfig {
			continue
		}
		if _, err := config.Parse(p.Origin, p.Text); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// datasource gives the configuration in vendor data and meta-data, and that in
// user data.
func (l *loader) datasource(context.Context) (meta, user *config.Config) {
	if l.options.Datasource == nil {
		return nil, nil
	}
	found := l.options.Datasource()
	for _, p := range found.Problems {
		l.refuse(p, "")
	}
	if found.Refused != nil {
		l.refuse(found.Refused, found.Instead)
	}
	d := found.Data
	if d == nil {
		return nil, nil
	}
	l.resolved.Datasource, l.resolved.InstanceID = d.Source, d.Meta.InstanceID
	if found.Kept {
		l.resolved.Datasource += ", kept copy"
	}
	meta = l.meta(d)
	if d.Parts == nil {
		return meta, nil
	}
	if d.Parts.NoVendor != "" {
		l.problem("%s", d.Parts.NoVendor)
	}
	vendor := l.parts(d.Parts.Vendor)
	user = l.parts(d.Parts.User)
	return config.Merge(vendor, meta), user
}

// meta gives the configuration in meta-data. What of it is no good is left out.
func (l *loader) meta(d *datasource.Data) *config.Config {
	meta := &config.Config{}
	valid := func(key string, one *config.Config) bool {
		findings := config.Validate(one)
		if len(findings) > 0 {
			l.problem("%s meta-data: %s: %s; it is left out", d.Source, key, findings[0].Message)
		}
		return len(findings) == 0
	}
	if name := d.Meta.Hostname; valid("hostname", &config.Config{Hostname: name}) {
		meta.Hostname = name
	}
	for _, key := range d.Meta.PublicKeys {
		if valid("public-keys", &config.Config{SSHAuthorizedKeys: []string{key}}) {
			meta.SSHAuthorizedKeys = append(meta.SSHAuthorizedKeys, key)
		}
	}
	if len(d.NetworkConfig) > 0 {
		// A network that is described badly is better than none: DHCP on every card.
		network, err := netplan.Parse(d.Source+" network-config", d.NetworkConfig)
		if err != nil {
			l.problem("%v; it is left out", err)
		} else {
			meta.Network = network
		}
	}
	return meta
}

// parts lays configurations over each other and keeps scripts. User data were
// checked before; a part of vendor data with mistakes is left out.
func (l *loader) parts(parts []datasource.Part) *config.Config {
	var merged []*config.Config
	for _, p := range parts {
		if p.Kind != datasource.CloudConfig {
			l.resolved.Scripts = append(l.resolved.Scripts, config.Script{Name: p.Name, Kind: string(p.Kind), When: string(p.When), Text: p.Text})
			continue
		}
		cfg, err := config.Parse(p.Origin, p.Text)
		if err != nil {
			l.refuse(err, p.Origin+" is left out")
			continue
		}
		merged = append(merged, cfg)
	}
	if len(merged) == 0 {
		return nil
	}
	return config.Merge(merged...)
}
