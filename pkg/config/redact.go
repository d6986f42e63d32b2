package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"gopkg.in/yaml.v3"
)

// Redacted is a copy without secrets: password hashes, and the content of
// files that others than the owner may not read, the variables of service
// files, and keys of WireGuard.
func (c *Config) Redacted() *Config {
	out := *c
	out.Users = slices.Clone(c.Users)
	for i := range out.Users {
		out.Users[i].Passwd = hide(out.Users[i].Passwd)
	}
	out.WriteFiles = slices.Clone(c.WriteFiles)
	for i, f := range out.WriteFiles {
		if bits, err := f.Permissions.Bits(); err != nil || bits&0o077 == 0 || bits&0o004 == 0 {
			out.WriteFiles[i].Content = hide(f.Content)
			// What stands there now is no longer encoded.
			out.WriteFiles[i].Encoding = ""
		}
	}
	out.Testudo.Services.Variables = maps.Clone(c.Testudo.Services.Variables)
	for name, value := range out.Testudo.Services.Variables {
		out.Testudo.Services.Variables[name] = hide(value)
	}
	out.Network = c.Network.Redacted()
	out.Testudo.Registries = redactRegistries(c.Testudo.Registries)
	return &out
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
