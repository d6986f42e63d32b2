package settings

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/datasource"
)

// reading is a datasource's data, parsed. Either part may be nil.
type reading struct {
	data       *datasource.Data
	meta, user *config.Config
	notes      []string // values of meta-data that were left out
	err        error    // of user-data
}

// datasource gives the configuration in meta-data and in user-data.
func (l *loader) datasource(ctx context.Context) (meta, user *config.Config) {
	cache := datasource.Cache{Path: filepath.Join(l.options.ConfigDir, lastGood, "datasource.json")}
	data, problems := datasource.First(ctx, l.options.Sources...)
	for _, p := range problems {
		l.refuse(p, "")
	}
	if ctx.Err() != nil {
		return nil, nil
	}
	var fresh reading
	if data != nil {
		if fresh = parse(data); fresh.err == nil && !data.Partial {
			if err := cache.Save(data); err != nil {
				l.problem("%v", err)
			}
			return l.use(fresh)
		}
	}
	kept, err := cache.Load()
	if err != nil && !errors.Is(err, datasource.ErrNone) {
		l.problem("%v", err)
	}
	if err == nil {
		if old := parse(kept); old.err == nil {
			if fresh.err != nil {
				l.refuse(fresh.err, data.Source+" is refused, its last good content is used")
			}
			old.data.Source += ", kept copy"
			return l.use(old)
		}
	}
	if data == nil {
		return nil, nil
	}
	if fresh.err != nil {
		// What of meta-data is good still helps people to get in.
		l.refuse(fresh.err, data.Source+" user-data is refused, and no last good content is there")
	}
	return l.use(fresh)
}

// use notes where the configuration is from.
func (l *loader) use(r reading) (meta, user *config.Config) {
	l.resolved.Datasource = r.data.Source
	l.resolved.InstanceID = r.data.Meta.InstanceID
	for _, n := range r.notes {
		l.problem("%s", n)
	}
	return r.meta, r.user
}

func parse(data *datasource.Data) reading {
	r := reading{data: data, meta: &config.Config{}}
	r.user, r.err = config.ParseUserData(data.Source+" user-data", data.UserData)
	valid := func(key string, one *config.Config) bool {
		findings := config.Validate(one)
		if len(findings) > 0 {
			r.notes = append(r.notes, data.Source+" meta-data: "+key+": "+findings[0].Message+"; it is left out")
		}
		return len(findings) == 0
	}
	if name := data.Meta.Hostname; valid("hostname", &config.Config{Hostname: name}) {
		r.meta.Hostname = name
	}
	for _, key := range data.Meta.PublicKeys {
		if valid("public-keys", &config.Config{SSHAuthorizedKeys: []string{key}}) {
			r.meta.SSHAuthorizedKeys = append(r.meta.SSHAuthorizedKeys, key)
		}
	}
	return r
}
