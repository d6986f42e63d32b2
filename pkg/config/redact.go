package config

import (
	"encoding/json"
	"fmt"
	"reflect"

	"gopkg.in/yaml.v3"
)

// Redacted is a copy without secrets: all that is a Secret by its type, but the
// content of files that everyone may read on the machine.
func (c *Config) Redacted() *Config {
	out := hidden(reflect.ValueOf(*c)).Interface().(Config)
	for i, f := range c.WriteFiles {
		if bits, err := f.Permissions.Bits(); err == nil && bits&0o004 != 0 {
			out.WriteFiles[i].Content = f.Content
			continue
		}
		out.WriteFiles[i].Encoding = "" // what stands there now is not encoded
	}
	out.Network = c.Network.Redacted()
	return &out
}

// hidden copies v with every Secret in it hidden. What holds none is shared.
func hidden(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() {
	case reflect.String:
		if v.Type() == reflect.TypeFor[Secret]() {
			out.Set(reflect.ValueOf(hide(Secret(v.String()))))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[Declaration]() {
			return out
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(hidden(v.Field(i)))
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(hidden(v.Elem()))
		}
	case reflect.Slice:
		if !v.IsNil() {
			out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
			for i := range v.Len() {
				out.Index(i).Set(hidden(v.Index(i)))
			}
		}
	case reflect.Map:
		if !v.IsNil() {
			out.Set(reflect.MakeMapWithSize(v.Type(), v.Len()))
			for key, value := range v.Seq2() {
				out.SetMapIndex(key, hidden(value))
			}
		}
	}
	return out
}

func hide(s Secret) Secret {
	if s == "" {
		return ""
	}
	return redacted
}

// String is the configuration as people may see it.
func (c *Config) String() string {
	data, err := c.Export()
	if err != nil {
		return fmt.Sprintf("configuration that cannot be shown: %v", err)
	}
	return string(data)
}

// Export is the configuration as #cloud-config YAML, without secrets.
func (c *Config) Export() ([]byte, error) {
	data, err := json.Marshal(c.Redacted())
	if err != nil {
		return nil, fmt.Errorf("export configuration: %w", err)
	}
	return YAML(data)
}

// YAML turns a configuration in JSON into #cloud-config YAML, the keys in the
// order in which they stand.
func YAML(data []byte) ([]byte, error) {
	var doc yaml.Node
	// JSON is YAML; reading it as such keeps the order of keys.
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("export configuration: %w", err)
	}
	plain(&doc)
	if len(doc.Content) == 1 && len(doc.Content[0].Content) == 0 {
		return []byte(Header + "\n"), nil
	}
	out, err := yaml.Marshal(&doc)
	if err != nil {
		return nil, fmt.Errorf("export configuration: %w", err)
	}
	return append([]byte(Header+"\n"), out...), nil
}

// plain drops JSON's braces and its quotes where YAML does without, and turns
// the default user's mapping back into a word.
func plain(n *yaml.Node) {
	n.Style = 0
	for i, c := range n.Content {
		plain(c)
		if n.Kind == yaml.SequenceNode && c.Kind == yaml.MappingNode && len(c.Content) == 2 && c.Content[0].Value == "default" && c.Content[1].Value == "true" {
			n.Content[i] = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "default"}
		}
	}
}
