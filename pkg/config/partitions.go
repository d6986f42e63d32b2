package config

import (
	"encoding/json"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// DiskSetup is how one disk is to be divided.
type DiskSetup struct {
	TableType string     `yaml:"table_type" json:"table_type,omitempty"` // mbr (absent) or gpt
	Layout    DiskLayout `yaml:"layout" json:"layout,omitzero"`
	Overwrite bool       `yaml:"overwrite" json:"overwrite,omitempty"`
}

// DiskLayout are the parts of a disk, in percent of it; none leaves it alone.
type DiskLayout []DiskPart

// DiskPart is one of them.
type DiskPart struct {
	Percent int
	Type    string // of the table: 82 or a GUID for swap, 83, ...; "" for Linux data
}

// UnmarshalStrict takes true (one part), false (none), and a list of percentages
// and of pairs of a percentage and a type.
func (l *DiskLayout) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	const want = "true, false, or a list of percentages: [50, 50], [[90, 83], [10, 82]]"
	switch {
	case strictyaml.IsNull(n):
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool":
		var yes bool
		if d.Decode(n, &yes) && yes {
			*l = DiskLayout{{Percent: 100}}
		}
	case n.Kind != yaml.SequenceNode:
		d.Wrong(n, want)
	default:
		elements, _ := d.Elements(n, want)
		for _, e := range elements {
			var words []strictyaml.Text
			e = strictyaml.Resolve(e)
			if e.Kind == yaml.SequenceNode {
				if !d.Decode(e, &words) {
					return
				}
			} else {
				words = []strictyaml.Text{strictyaml.Text(e.Value)}
			}
			if len(words) < 1 || len(words) > 2 {
				d.Wrong(e, want)
				return
			}
			percent, err := strconv.Atoi(string(words[0]))
			if err != nil || percent < 1 || percent > 100 {
				d.Wrong(e, "a percentage from 1 to 100")
				return
			}
			part := DiskPart{Percent: percent}
			if len(words) > 1 {
				part.Type = string(words[1])
			}
			*l = append(*l, part)
		}
	}
}

// MarshalJSON writes the list of pairs.
func (l DiskLayout) MarshalJSON() ([]byte, error) {
	out := make([][]any, len(l))
	for i, p := range l {
		if out[i] = []any{p.Percent}; p.Type != "" {
			out[i] = append(out[i], p.Type)
		}
	}
	return json.Marshal(out)
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (l *DiskLayout) UnmarshalJSON(data []byte) error {
	return strictyaml.Decode("configuration", data, l)
}

// Growpart says which partitions take the room behind them.
type Growpart struct {
	Mode    GrowMode `yaml:"mode" json:"mode,omitempty"`
	Devices []string `yaml:"devices" json:"devices,omitempty"` // absent: "/", the state's
	Ignored *bool    `yaml:"ignore_growroot_disabled" json:"ignore_growroot_disabled,omitempty"`
}

// GrowMode is "auto" (absent), another word for it, or "off".
type GrowMode string

// UnmarshalStrict takes cloud-init's words; all but off mean the same here.
func (g *GrowMode) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	word, ok := wordOf(d, n, "auto, growpart, gpart or off", "auto", "growpart", "gpart", "off", "false")
	switch {
	case !ok:
	case word == "off", word == "false":
		*g = "off"
	default:
		*g = "auto"
	}
}

func (v *validator) partitions(c *Config) {
	for name, disk := range c.DiskSetup {
		v.check(c.validDevice(name) && !strings.Contains(name, "="), "want a disk such as /dev/vdb, or an alias", "disk_setup", name)
		v.check(disk.TableType == "" || disk.TableType == "mbr" || disk.TableType == "gpt", "want mbr or gpt", "disk_setup", name, "table_type")
		sum := 0
		for _, p := range disk.Layout {
			sum += p.Percent
			_, swap := SwapPartition(p.Type)
			v.check(p.Type == "" || swap || linuxPart(p.Type), "want 82 or 83, or a GUID of them", "disk_setup", name, "layout")
		}
		v.check(sum <= 100, "the parts are more than the whole", "disk_setup", name, "layout")
		v.check(disk.TableType == "gpt" || len(disk.Layout) <= 4, "an mbr has four partitions at most", "disk_setup", name, "layout")
	}
	for i, d := range c.Growpart.Devices {
		v.check(d == "/" || c.validDevice(d), "want / or a partition such as /dev/vdb1", "growpart", "devices", at(i))
	}
}

// Types of partitions, as tables have them.
const (
	swapGUID  = "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f"
	linuxGUID = "0fc63daf-8483-4772-8e79-3d69d8477de4"
)

// SwapPartition says whether a type is that of swap; text is it in lower case.
func SwapPartition(kind string) (text string, swap bool) {
	text = strings.ToLower(strings.TrimPrefix(kind, "0x"))
	return text, text == "82" || text == "8200" || text == swapGUID
}

func linuxPart(kind string) bool {
	text, _ := SwapPartition(kind)
	return text == "83" || text == "8300" || text == linuxGUID || text == "linux"
}

func (*DiskLayout) schema(*schemaMaker) schema {
	return anyOf(schema{"type": []string{"boolean", "null"}}, listOf(anyOf(scalar, schema{"type": "array", "items": scalar, "minItems": 1, "maxItems": 2})))
}

func (*GrowMode) schema(*schemaMaker) schema {
	return oneOf("auto", "growpart", "gpart", "off", "false", false)
}
