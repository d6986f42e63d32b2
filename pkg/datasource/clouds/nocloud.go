package clouds

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/datasource"
	"github.com/testudo-os/testudo/pkg/datasource/web"
)

// Label is the volume label of a NoCloud seed; CIDATA counts as well.
const Label = "cidata"

// NoCloud is a seed that somebody put there: in a directory of the state disk,
// on a volume with the label cidata (as Proxmox makes them), or below a URL
// that the kernel command line or the serial number names.
type NoCloud struct{ Dir string }

// Name is cloud-init's name of it.
func (NoCloud) Name() string { return "nocloud" }

// Detect looks for a seed, or for somebody who names one.
func (s NoCloud) Detect(f *datasource.Facts) datasource.Match {
	request, _ := datasource.Requests(f)
	if from := request.Seed.From; from != "" {
		m := datasource.Match{Found: true, Reason: request.From + " names a seed at " + web.Plain(from)}
		if !isPath(from) {
			m.Needs = datasource.Network
		}
		return m
	}
	var reasons []string
	if slices.Contains(f.SeedDirs, s.Dir) {
		reasons = append(reasons, "there is a seed in "+s.Dir)
	}
	for _, v := range f.Labelled(Label) {
		reasons = append(reasons, v.Device+" has the label "+v.Label)
	}
	if len(reasons) == 0 {
		return datasource.Match{Reason: "no volume has the label " + Label + ", no seed is in " + s.Dir + ", and no argument names one"}
	}
	return datasource.Match{Found: true, Reason: strings.Join(reasons, ", ")}
}

func isPath(from string) bool {
	return strings.HasPrefix(from, "/") || strings.HasPrefix(from, "file://")
}

// Fetch reads the seed that was named, or else the directory's, or else the
// first volume's that holds one.
func (s NoCloud) Fetch(ctx context.Context, env *datasource.Env) (*datasource.Data, error) {
	request, _ := datasource.Requests(env.Facts)
	data, err := s.find(ctx, env, request.Seed)
	if data != nil {
		if request.Seed.Hostname != "" {
			data.Meta.Hostname = request.Seed.Hostname
		}
		if request.Seed.InstanceID != "" {
			data.Meta.InstanceID = datasource.SafeID(request.Seed.InstanceID)
		}
	}
	return data, err
}

func (s NoCloud) find(ctx context.Context, env *datasource.Env, seed datasource.Seed) (*datasource.Data, error) {
	if seed.From != "" {
		return named(ctx, env, seed.From)
	}
	var errs []error
	if s.Dir != "" {
		data, err := readSeed(ctx, "nocloud ("+s.Dir+")", directory(s.Dir))
		if data != nil {
			return data, err
		}
		if !errors.Is(err, datasource.ErrNone) {
			errs = append(errs, err)
		}
	}
	for _, v := range env.Facts.Labelled(Label) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		data, err := seedVolume(ctx, env, v)
		if err != nil && !errors.Is(err, datasource.ErrNone) {
			errs = append(errs, fmt.Errorf("%s: %w", v.Device, err))
		}
		if data != nil {
			return data, errors.Join(errs...)
		}
		if errors.Is(err, datasource.ErrNone) {
			errs = append(errs, fmt.Errorf("%s: has the label %s and neither user-data nor meta-data", v.Device, v.Label))
		}
	}
	if seed.Hostname != "" || seed.InstanceID != "" {
		return &datasource.Data{Source: "nocloud (" + "arguments)", Meta: meta("", "")}, errors.Join(errs...)
	}
	if len(errs) == 0 {
		return nil, datasource.ErrNone
	}
	return nil, errors.Join(errs...)
}

// named reads the seed at a place that somebody named.
func named(ctx context.Context, env *datasource.Env, from string) (*datasource.Data, error) {
	from = fillIn(from, env.Facts.DMI)
	if isPath(from) {
		path := strings.TrimPrefix(from, "file://")
		return readSeed(ctx, "nocloud ("+path+")", directory(path))
	}
	data, err := readSeed(ctx, "nocloud ("+web.Plain(from)+")", server(env, from))
	if errors.Is(err, datasource.ErrNone) {
		return nil, fmt.Errorf("%s: there is neither user-data nor meta-data", web.Plain(from))
	}
	return data, err
}

// fillIn replaces cloud-init's __dmi.NAME__, so that one URL serves many
// machines.
func fillIn(s string, d datasource.DMI) string {
	return strings.NewReplacer(
		"__dmi.system-serial-number__", word(d.ProductSerial),
		"__dmi.system-uuid__", strings.ToLower(word(d.ProductUUID)),
		"__dmi.system-manufacturer__", word(d.SysVendor),
		"__dmi.system-product-name__", word(d.ProductName),
		"__dmi.chassis-asset-tag__", word(d.ChassisAssetTag),
	).Replace(s)
}

// word makes one element of a path of s.
func word(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '-'
	}, s)
}

func seedVolume(ctx context.Context, env *datasource.Env, v datasource.Volume) (*datasource.Data, error) {
	return onVolume(env, v, func(dir string) (*datasource.Data, error) {
		return readSeed(ctx, "nocloud ("+v.Device+")", directory(dir))
	})
}

// onVolume reads a volume while it is mounted.
func onVolume(env *datasource.Env, v datasource.Volume, read func(dir string) (*datasource.Data, error)) (data *datasource.Data, err error) {
	dir, unmount, err := env.Volumes.Mount(v)
	if err != nil {
		return nil, err
	}
	defer func() {
		if undo := unmount(); undo != nil {
			err = errors.Join(err, fmt.Errorf("unmount: %w", undo))
		}
	}()
	return read(dir)
}

// URL is user data at a URL that the kernel command line names.
type URL struct{}

// Name is what the plan calls it.
func (URL) Name() string { return "url" }

// Detect looks for the argument.
func (URL) Detect(f *datasource.Facts) datasource.Match {
	request, _ := datasource.Requests(f)
	if request.URL == "" {
		return missing("no argument names a URL of user data")
	}
	m := network(request.From + " is " + web.Plain(request.URL))
	if isPath(request.URL) {
		m.Needs = datasource.Nothing
	}
	return m
}

// Fetch loads it. The instance is one with its URL.
func (URL) Fetch(ctx context.Context, env *datasource.Env) (*datasource.Data, error) {
	request, _ := datasource.Requests(env.Facts)
	if request.URL == "" {
		return nil, datasource.ErrNone
	}
	target := fillIn(request.URL, env.Facts.DMI)
	content, err := load(ctx, env, target)
	if err != nil {
		return nil, err
	}
	return &datasource.Data{Source: "url (" + web.Plain(target) + ")", Meta: meta("url:"+target, ""), UserData: content}, nil
}
