package service

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/api"
)

// Next is what is declared after `up`: all of fresh, or of the services named
// only, the rest as it was. A service that is declared and whose new
// declaration is bad stays as it is. Those of scope user are one file for their
// runtime, and always fresh.
func Next(was, fresh *Set, names []string) *Set {
	next := &Set{Problems: fresh.Problems, User: fresh.User}
	before, after := was.index(), fresh.index()
	for _, name := range sortedKeys(union(before, after)) {
		old, hadOld := before[name]
		now, hasNow := after[name]
		switch {
		case len(names) > 0 && !slices.Contains(names, name):
			if hadOld {
				next.put(old)
			}
		case !hasNow:
		case now.invalid != nil && hadOld && old.invalid == nil:
			next.put(old)
		default:
			next.put(now)
		}
	}
	return next
}

// entry is a service in one of the lists of a Set.
type entry struct {
	service  Service
	disabled bool
	invalid  *Invalid
}

func (set *Set) index() map[string]entry {
	all := map[string]entry{}
	for _, s := range set.Services {
		all[s.Name] = entry{service: s}
	}
	for _, s := range set.Disabled {
		all[s.Name] = entry{service: s, disabled: true}
	}
	for _, i := range set.Invalid {
		all[i.Name] = entry{invalid: &i}
	}
	return all
}

func (set *Set) put(e entry) {
	switch {
	case e.invalid != nil:
		set.Invalid = append(set.Invalid, *e.invalid)
	case e.disabled:
		set.Disabled = append(set.Disabled, e.service)
	default:
		set.Services = append(set.Services, e.service)
	}
}

func union(a, b map[string]entry) map[string]entry {
	all := map[string]entry{}
	for name, e := range a {
		all[name] = e
	}
	for name, e := range b {
		all[name] = e
	}
	return all
}

// Changes says what going from one set to the next does to the services whose
// records are have, by name; what stays as it is is left out. named are the
// services that a person asked for by name: those are started if an operator
// stopped them, and tried again if their change was refused.
func Changes(was, fresh *Set, have map[string]Status, named []string) []api.Change {
	var changes []api.Change
	before, after := was.index(), fresh.index()
	for _, name := range sortedKeys(union(before, after)) {
		if len(named) > 0 && !slices.Contains(named, name) {
			continue
		}
		if c := change(before[name], after[name], have[name], len(named) > 0); c.Action != "" {
			c.Service = name
			changes = append(changes, c)
		}
	}
	return changes
}

func change(was, now entry, st Status, named bool) api.Change {
	wasWanted, wanted := was.wanted(), now.wanted()
	switch {
	case now.invalid != nil:
		return api.Change{Action: api.ChangeInvalid, Reason: now.invalid.Reason()}
	case !wanted && wasWanted:
		reason := "it is no longer declared"
		if now.disabled {
			reason = "it is disabled"
		}
		return api.Change{Action: api.ChangeStop, Reason: reason}
	case !wanted:
		return api.Change{}
	case !wasWanted:
		return api.Change{Action: api.ChangeStart, Reason: "it was not wanted before"}
	}
	keys := Differences(was.service, now.service)
	newer := st.Alive() && st.Image != "" && now.service.ImageDigest != "" && st.Image != now.service.ImageDigest
	inForce := st.InForce(now.service)
	switch {
	case st.Refused != nil && !st.Outdated(now.service) && named:
		return api.Change{Action: api.ChangeRestart, Reason: "the change that failed is tried again", Keys: Differences(inForce, now.service)}
	case st.Down && named:
		return api.Change{Action: api.ChangeStart, Reason: "the operator had stopped it", Keys: keys}
	case st.Alive() && st.Spec != inForce.Hash():
		return api.Change{Action: api.ChangeRestart, Reason: "it is to run otherwise", Keys: keys}
	case newer && st.Refused == nil:
		return api.Change{Action: api.ChangeRestart, Reason: "its image was fetched anew", Keys: keys}
	case st.State == api.StateInvalid && was.service.Pull != now.service.Pull:
		return api.Change{Action: api.ChangeStart, Reason: "it could not run, and its image is to be had otherwise", Keys: keys}
	case !st.Alive() && !st.Down && was.service.Hash() != now.service.Hash():
		return api.Change{Action: api.ChangeStart, Reason: "it does not run, and is declared otherwise", Keys: keys}
	case len(keys) > 0:
		return api.Change{Action: api.ChangeUpdate, Reason: "what differs needs no restart", Keys: keys}
	}
	return api.Change{}
}

func (e entry) wanted() bool { return e.invalid == nil && !e.disabled && e.service.Name != "" }

// Differences names the fields in which two services differ; where they are
// declared does not count.
func Differences(a, b Service) []string {
	a.Source, b.Source, a.hash, b.hash, a.ImageDigest, b.ImageDigest = "", "", "", "", "", ""
	var keys []string
	differences(reflect.ValueOf(a), reflect.ValueOf(b), &keys)
	return keys
}

func differences(a, b reflect.Value, keys *[]string) {
	for i := range a.NumField() {
		field := a.Type().Field(i)
		switch {
		case !field.IsExported():
		case field.Anonymous:
			differences(a.Field(i), b.Field(i), keys)
		case !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()):
			*keys = append(*keys, key(field.Name))
		}
	}
}

// key is a field's name as people write it in files, as near as need be.
func key(field string) string {
	var out strings.Builder
	for i, r := range field {
		if r >= 'A' && r <= 'Z' {
			if i > 0 && field[i-1] >= 'a' && field[i-1] <= 'z' {
				out.WriteByte('_')
			}
			r += 'a' - 'A'
		}
		fmt.Fprintf(&out, "%c", r)
	}
	return out.String()
}
