package config

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// Changed gives the keys in which two configurations differ, in the order of
// the types: single values, whole lists and maps, never a mapping of known keys
// as a whole.
func Changed(a, b *Config) []string {
	var out []string
	walk(reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem(), "", func(key string, x, y reflect.Value) {
		if !same(x, y) {
			out = append(out, key)
		}
	})
	return out
}

// Keys gives every key that Changed may give.
func Keys() []string {
	var out []string
	zero := reflect.ValueOf(Config{})
	walk(zero, zero, "", func(key string, _, _ reflect.Value) { out = append(out, key) })
	return slices.Clip(out)
}

// Has says whether a configuration has a single value at a key: lists and maps
// add up or are merged, so that nothing of one is hidden.
func (c *Config) Has(k Key) bool {
	data, err := json.Marshal(c)
	if err != nil {
		return false
	}
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return false
	}
	for _, step := range k.Steps {
		object, ok := value.(map[string]any)
		if !ok {
			return false
		}
		if value, ok = object[step]; !ok {
			return false
		}
	}
	switch value.(type) {
	case map[string]any, []any:
		return false
	}
	return true
}

// walk visits the leaves of two structs of one type.
func walk(a, b reflect.Value, above string, visit func(key string, a, b reflect.Value)) {
	for i, f := range fieldsOf(a.Type()) {
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "-" || name == "" {
			continue
		}
		key := name
		if above != "" {
			key = above + "." + name
		}
		if x, y := a.Field(i), b.Field(i); x.Kind() == reflect.Struct && opaque(x.Type()) != nil && !ownGrammar(x.Type()) {
			walk(x, y, key, visit)
		} else {
			visit(key, x, y)
		}
	}
}

func fieldsOf(t reflect.Type) []reflect.StructField {
	out := make([]reflect.StructField, t.NumField())
	for i := range out {
		out[i] = t.Field(i)
	}
	return out
}

// ownGrammar says whether values of a struct are compared as a whole: how it
// stands in JSON is its own affair.
func ownGrammar(t reflect.Type) bool {
	return t.Implements(reflect.TypeFor[json.Marshaler]())
}

// same compares as JSON, which leaves out where in a file something stood.
func same(a, b reflect.Value) bool {
	x, errX := json.Marshal(a.Interface())
	y, errY := json.Marshal(b.Interface())
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
