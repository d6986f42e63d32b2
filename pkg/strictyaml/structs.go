package strictyaml

import (
	"reflect"
	"strings"

	"gopkg.in/yaml.v3"
)

// fields is a struct's keys.
type fields struct {
	byName map[string]reflect.Value
	names  []string
	rest   reflect.Value // the inline map, when there is one
}

func (f *fields) add(v reflect.Value) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		switch {
		case name == "-":
		case strings.Contains(options, "inline") && field.Type.Kind() == reflect.Struct:
			f.add(v.Field(i))
		case strings.Contains(options, "inline") && field.Type.Kind() == reflect.Map:
			f.rest = v.Field(i)
		default:
			if name == "" {
				name = strings.ToLower(field.Name)
			}
			f.byName[name] = v.Field(i)
			f.names = append(f.names, name)
		}
	}
}

// Fields gives the keys that a struct (or a pointer to one) takes, in the
// order of its declaration.
func Fields(of any) []string {
	t := reflect.TypeOf(of)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	f := fields{byName: map[string]reflect.Value{}}
	f.add(reflect.New(t).Elem())
	return f.names
}

func (d *Decoder) structure(n *yaml.Node, v reflect.Value) {
	if isNull(n) {
		return
	}
	pairs, ok := d.Pairs(n)
	if !ok {
		return
	}
	f := fields{byName: map[string]reflect.Value{}}
	f.add(v)
	for _, p := range pairs {
		target, known := f.byName[p.Name]
		switch {
		case known:
			d.in(p.Name, func() { d.value(p.Value, target) })
		case d.extensionAllowed(p.Name, f.names):
		case f.rest.IsValid():
			if f.rest.IsNil() {
				f.rest.Set(reflect.MakeMap(f.rest.Type()))
			}
			d.element(p, f.rest)
		default:
			d.in(p.Name, func() { d.unknown(p, v, f.names) })
		}
	}
}

// Refuser is a struct that knows keys it does not take, and why.
type Refuser interface {
	// Refused gives the reason against key, or "" when it is plainly unknown.
	Refused(key string) string
}

func (d *Decoder) unknown(p Pair, v reflect.Value, names []string) {
	if r, ok := v.Addr().Interface().(Refuser); ok {
		if reason := r.Refused(p.Name); reason != "" {
			d.Errorf(p.Key, "%s", reason)
			return
		}
	}
	d.Errorf(p.Key, "unknown key%s", Suggest(p.Name, names))
}

// extensionAllowed says whether a key nobody knows is an extension. One that
// is almost a known key is a mistake.
func (d *Decoder) extensionAllowed(name string, known []string) bool {
	if !strings.HasPrefix(name, "x-") || strings.HasPrefix(Nearest(name, known), "x-") {
		return false
	}
	return d.extensions == extensionsEverywhere || d.extensions == extensionsAtTop && len(d.path) == d.base
}
