package netplan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// plain is Config without its grammar, so that decoding does not recurse.
type plain Config

// UnmarshalStrict takes version 2, version 1 and `config: disabled`. Without a
// version it is 2.
func (c *Config) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if strictyaml.IsNull(n) {
		return
	}
	pairs, ok := d.Pairs(n)
	if !ok {
		return
	}
	version := 2
	for _, p := range pairs {
		switch p.Name {
		case "version":
			var v int
			switch {
			case !d.DecodeAt("version", p.Value, &v):
				return
			case v != 1 && v != 2:
				d.DecodeAt("version", p.Value, &wrong{"1 or 2"})
				return
			}
			version = v
		case "config":
			if value := strictyaml.Resolve(p.Value); value.Kind == yaml.ScalarNode && value.Value == "disabled" {
				*c = Config{State: "disabled"}
				return
			}
			if version == 2 {
				version = 1
			}
		}
	}
	d.OldBooleans(func() {
		if version == 1 {
			c.one(d, n)
		} else {
			c.two(d, n)
		}
	})
}

// two decodes version 2.
func (c *Config) two(d *strictyaml.Decoder, n *yaml.Node) {
	d.Decode(n, (*plain)(c))
	c.Version = 2
	c.fill()
	for _, p := range c.check() {
		d.ErrorAt(n, p.path, "%s", p.message)
	}
}

// wrong is a value that nothing fits.
type wrong struct{ want string }

// UnmarshalStrict says what is wanted.
func (w *wrong) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) { d.Wrong(n, w.want) }

// Refused gives reasons against keys of netplan that are not taken.
func (*plain) Refused(key string) string {
	switch key {
	case "wifis":
		return "wireless interfaces are not configured by this release"
	case "modems":
		return "modems are not configured: Testudo has no ModemManager"
	case "nm-devices":
		return "belongs to NetworkManager, which Testudo does not have"
	case "openvswitch":
		return "Open vSwitch is not part of Testudo; run it as a service of your own"
	case "network":
		return "stands here a second time; its keys come without it"
	}
	return ""
}

// Refused gives reasons against keys of netplan that are not taken.
func (*Device) Refused(key string) string {
	switch key {
	case "auth":
		return "802.1X is not done by this release"
	case "openvswitch":
		return "Open vSwitch is not part of Testudo; run it as a service of your own"
	case "networkmanager":
		return "belongs to NetworkManager, which Testudo does not have"
	case "infiniband-mode":
		return "InfiniBand is not configured by this release"
	case "link", "virtual-function-count", "embedded-switch-mode", "delay-virtual-functions-rebind":
		return "virtual functions of cards (SR-IOV) are not configured by this release"
	case "regulatory-domain", "access-points", "wakeonwlan":
		return "wireless interfaces are not configured by this release"
	}
	return ""
}

// fill makes entries of devices that say nothing.
func (c *Config) fill() {
	fill(c.Ethernets)
	fill(c.Bonds)
	fill(c.Bridges)
	fill(c.VLANs)
	fill(c.Tunnels)
	fill(c.Dummies)
	fill(c.Veths)
	fill(c.VRFs)
}

func fill[T any](m map[string]*T) {
	for id, v := range m {
		if v == nil {
			m[id] = new(T)
		}
	}
}

// Parse reads a file of network configuration, such as a cloud's
// network-config: the keys themselves, or below `network`. JSON is YAML. All
// errors are reported at once. Nothing at all is nil.
func Parse(file string, data []byte) (*Config, error) {
	data = bytes.ReplaceAll(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), []byte("\r\n"), []byte("\n"))
	docs, err := strictyaml.Parse(file, data)
	if err != nil {
		return nil, err
	}
	if len(docs) == 0 {
		return nil, nil
	}
	if len(docs) > 1 {
		return nil, strictyaml.Errors{{File: file, Line: docs[1].Line, Column: docs[1].Column,
			Message: "a second document begins here, one is wanted"}}
	}
	root := strictyaml.Resolve(docs[0].Content[0])
	wrapped := false
	for i := 0; root.Kind == yaml.MappingNode && i < len(root.Content); i += 2 {
		wrapped = wrapped || root.Content[i].Value == "network"
	}
	if wrapped {
		var outer struct {
			Network *Config `yaml:"network"`
		}
		if err := strictyaml.DecodeNode(file, root, &outer); err != nil {
			return nil, err
		}
		return outer.Network, nil
	}
	c := &Config{}
	if err := strictyaml.DecodeNode(file, root, c); err != nil {
		return nil, err
	}
	return c, nil
}

// Settings is what the network service is told, in one file.
type Settings struct {
	Network *Config `json:"network,omitempty"` // nil: DHCP on every card
	Testudo Testudo `json:"testudo,omitzero"`
}

// ParseSettings reads what Encode wrote.
func ParseSettings(data []byte) (Settings, error) {
	var s Settings
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return Settings{}, fmt.Errorf("read network settings: %w", err)
	}
	if d.More() {
		return Settings{}, errors.New("read network settings: more than one value")
	}
	if s.Network != nil {
		s.Network.fill()
	}
	return s, nil
}

// Encode writes the settings. They hold secrets.
func (s Settings) Encode() ([]byte, error) {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write network settings: %w", err)
	}
	return append(b, '\n'), nil
}
