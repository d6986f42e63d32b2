package datasource

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// SeedDir is where a NoCloud seed may lie as plain files.
const SeedDir = "/var/lib/testudo/seed/nocloud"

// DefaultInstance is the instance id where meta-data has none; cloud-init's.
const DefaultInstance = "nocloud"

// Meta is what we use of meta-data. Other keys are allowed: clouds have many.
type Meta struct {
	InstanceID string   `json:"instance_id"` // safe as a file name, never empty
	Hostname   string   `json:"hostname,omitempty"`
	PublicKeys []string `json:"public_keys,omitempty"`

	// Where the cloud keeps the machine, for templates.
	Region           string `json:"region,omitempty"`
	AvailabilityZone string `json:"availability_zone,omitempty"`
}

// ParseMeta reads meta-data: YAML or JSON. file names it in errors. With an
// error, what could be read is there all the same.
func ParseMeta(file string, data []byte) (Meta, error) {
	meta := Meta{InstanceID: DefaultInstance}
	var raw struct {
		InstanceID    strictyaml.Text `yaml:"instance-id"`
		LocalHostname string          `yaml:"local-hostname"`
		Hostname      string          `yaml:"hostname"`
		PublicKeys    publicKeys      `yaml:"public-keys"`
		SSHKeys       publicKeys      `yaml:"public_keys"`

		Rest map[string]yaml.Node `yaml:",inline"`
	}
	err := strictyaml.Decode(file, data, &raw)
	meta.Hostname = raw.LocalHostname
	if meta.Hostname == "" {
		meta.Hostname = raw.Hostname
	}
	meta.PublicKeys = slices.Concat(raw.PublicKeys, raw.SSHKeys)
	if id := strings.TrimSpace(string(raw.InstanceID)); id != "" {
		meta.InstanceID = SafeID(id)
	}
	if err != nil {
		return meta, fmt.Errorf("meta-data: %w", err)
	}
	return meta, nil
}

// SafeID gives an instance id that can be a file name: the id itself where it
// can, else its digest.
func SafeID(id string) string {
	if safe(id) {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "sha256-" + hex.EncodeToString(sum[:16])
}

// safe says whether id can be a file name: letters, digits and ._- not at its
// start, 128 at most. By hand: such a regular expression takes half a
// millisecond at the start of each program that imports this package.
func safe(id string) bool {
	if id == "" || len(id) > 128 || strings.IndexByte("._-", id[0]) >= 0 {
		return false
	}
	return strings.IndexFunc(id, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-')
	}) < 0
}

// publicKeys takes cloud-init's forms: a text with one key a line, a list, or
// a mapping of names to keys or to lists of keys.
type publicKeys []string

// UnmarshalStrict takes any of the forms.
func (p *publicKeys) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	n = strictyaml.Resolve(n)
	switch {
	case strictyaml.IsNull(n):
	case n.Kind == yaml.ScalarNode:
		for line := range strings.Lines(n.Value) {
			if line = strings.TrimSpace(line); line != "" {
				*p = append(*p, line)
			}
		}
	case n.Kind == yaml.SequenceNode:
		var list []string
		if d.Decode(n, &list) {
			*p = append(*p, list...)
		}
	default:
		pairs, _ := d.Pairs(n)
		for _, pair := range pairs {
			var keys publicKeys
			value := strictyaml.Resolve(pair.Value)
			if value.Kind == yaml.MappingNode { // EC2: {0: {openssh-key: ...}}
				var one struct {
					Key  string               `yaml:"openssh-key"`
					Rest map[string]yaml.Node `yaml:",inline"`
				}
				if d.DecodeAt(pair.Name, value, &one) && one.Key != "" {
					keys = publicKeys{strings.TrimSpace(one.Key)}
				}
			} else {
				d.DecodeAt(pair.Name, value, &keys)
			}
			*p = append(*p, keys...)
		}
	}
}
