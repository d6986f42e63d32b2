package config

import (
	"encoding/json"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// Module is a kernel module, with parameters behind its name.
type Module struct {
	Name   string
	Params string
}

// UnmarshalStrict takes "NAME [PARAM=VALUE...]".
func (m *Module) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	var text string
	if !d.Decode(n, &text) {
		return
	}
	m.Name, m.Params, _ = strings.Cut(strings.TrimSpace(text), " ")
	m.Params = strings.TrimSpace(m.Params)
}

// MarshalJSON writes the module as it stands in YAML.
func (m Module) MarshalJSON() ([]byte, error) {
	return json.Marshal(strings.TrimSpace(m.Name + " " + m.Params))
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (m *Module) UnmarshalJSON(data []byte) error {
	return strictyaml.Decode("configuration", data, m)
}

// CACerts are certificates of those who may vouch for others.
type CACerts struct {
	RemoveDefaults bool     `yaml:"remove_defaults" json:"remove_defaults,omitempty"`
	Trusted        []string `yaml:"trusted" json:"trusted,omitempty"` // PEM
}

// RandomSeed is cloud-init's `random_seed`.
type RandomSeed struct {
	Data     Secret `yaml:"data" json:"data,omitempty"`
	Encoding string `yaml:"encoding" json:"encoding,omitempty"` // raw (absent), b64, gzip, ...
	File     string `yaml:"file" json:"file,omitempty"`         // /dev/urandom, or absent
}

// Bytes are the data, decoded.
func (r RandomSeed) Bytes() ([]byte, error) {
	encoding := r.Encoding
	if encoding == "raw" {
		encoding = ""
	}
	return WriteFile{Content: r.Data, Encoding: encoding}.Decode()
}

// FSSetup is one file system to make, where there is none.
type FSSetup struct {
	Device     string          `yaml:"device" json:"device"`
	Partition  strictyaml.Text `yaml:"partition" json:"partition,omitempty"` // none, auto, any, or a number
	Filesystem string          `yaml:"filesystem" json:"filesystem"`         // ext2, ext3, ext4, swap
	Label      string          `yaml:"label" json:"label,omitempty"`
	Overwrite  bool            `yaml:"overwrite" json:"overwrite,omitempty"`
	ExtraOpts  WordsOrLine     `yaml:"extra_opts" json:"extra_opts,omitempty"`
}

// WordsOrLine is a list of words, also written as a line.
type WordsOrLine []string

// UnmarshalStrict takes a list or one text with blanks.
func (w *WordsOrLine) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	var list []string
	switch {
	case strictyaml.IsNull(n):
	case n.Kind == yaml.ScalarNode:
		*w = strings.Fields(n.Value)
	case d.Decode(n, &list):
		*w = list
	}
}

// MountEntry is one entry of `mounts`, the fields of fstab(5): device, where,
// type, options, dump, pass. Fields may be missing at the end, or empty.
type MountEntry []string

const mountFields = 6

// UnmarshalStrict takes a list of up to six scalars; null, and the word None
// that cloud-init's documentation has, are an empty field.
func (m *MountEntry) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if strictyaml.IsNull(n) {
		return
	}
	elements, ok := d.Elements(n, "a list as in fstab(5): [device, where, type, options]")
	if !ok {
		return
	}
	if len(elements) == 0 || len(elements) > mountFields {
		d.Errorf(n, "found %d fields, want 1 to %d as in fstab(5)", len(elements), mountFields)
		return
	}
	for i, e := range elements {
		var text strictyaml.Text
		if e = strictyaml.Resolve(e); strictyaml.IsNull(e) || e.Value == "None" && e.Kind == yaml.ScalarNode {
			text = ""
		} else if !d.DecodeAt("["+strconv.Itoa(i)+"]", e, &text) {
			return
		}
		*m = append(*m, string(text))
	}
}

// field gives one, "" when it is missing.
func (m MountEntry) field(i int) string {
	if i < len(m) {
		return m[i]
	}
	return ""
}

// Swap is cloud-init's `swap`: a file to swap to.
type Swap struct {
	Filename string   `yaml:"filename" json:"filename,omitempty"`
	Size     ByteSize `yaml:"size" json:"size,omitempty"`       // or auto
	MaxSize  ByteSize `yaml:"maxsize" json:"maxsize,omitempty"` // bounds auto
}

// ByteSize is a number of bytes, with a unit of 1024 or without: 2G, 512M, auto.
type ByteSize string

// UnmarshalStrict takes a number, a text with a unit, or auto.
func (b *ByteSize) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	v := ByteSize(n.Value)
	if _, ok := v.Bytes(); n.Kind != yaml.ScalarNode || !ok && n.Value != "auto" {
		d.Wrong(n, "a number of bytes such as 2G, or auto")
		return
	}
	*b = v
}

// Bytes is the number; false for auto and for what is absent.
func (b ByteSize) Bytes() (int64, bool) {
	s := strings.ToUpper(strings.TrimSuffix(strings.TrimSuffix(strings.TrimSpace(string(b)), "B"), "i"))
	shift := 0
	if s != "" {
		if at := strings.IndexByte("KMGT", s[len(s)-1]); at >= 0 {
			shift, s = 10*(at+1), s[:len(s)-1]
		}
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || f < 0 || f*float64(int64(1)<<shift) > 1<<50 {
		return 0, false
	}
	return int64(f * float64(int64(1)<<shift)), true
}

// ResizeRootfs is cloud-init's `resize_rootfs`: "true" (absent), "false" or
// "noblock"; growing never blocks here.
type ResizeRootfs string

// UnmarshalStrict takes true, false and noblock.
func (r *ResizeRootfs) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if word, ok := wordOf(d, n, "true, false or noblock", "true", "false", "noblock"); ok {
		*r = ResizeRootfs(word)
	}
}

// PhoneHome is cloud-init's `phone_home`.
type PhoneHome struct {
	URL   string   `yaml:"url" json:"url,omitempty"`
	Post  PostKeys `yaml:"post" json:"post,omitempty"`   // absent: all
	Tries int      `yaml:"tries" json:"tries,omitempty"` // absent: 10
}

// PostKeys are what phone_home tells; empty is all.
type PostKeys []string

// PhoneHomeKeys is everything that can be told.
var PhoneHomeKeys = []string{"pub_key_rsa", "pub_key_ecdsa", "pub_key_ed25519", "instance_id", "hostname", "fqdn"}

// UnmarshalStrict takes "all" or a list.
func (p *PostKeys) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode {
		wordOf(d, n, "all, or a list of "+strings.Join(PhoneHomeKeys, ", "), "all")
		return
	}
	d.Decode(n, (*[]string)(p))
}

// PowerState is cloud-init's `power_state`.
type PowerState struct {
	Delay     Delay     `yaml:"delay" json:"delay,omitempty"` // minutes, "" or now: at once
	Mode      string    `yaml:"mode" json:"mode,omitempty"`   // poweroff, reboot, halt
	Message   string    `yaml:"message" json:"message,omitempty"`
	Timeout   int       `yaml:"timeout" json:"timeout,omitempty"` // seconds; taken and without meaning: all is done by then
	Condition Condition `yaml:"condition" json:"condition,omitzero"`
}

// Delay is "now" or minutes, also written +5.
type Delay string

// UnmarshalStrict takes now and numbers.
func (v *Delay) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	digits := strings.TrimPrefix(n.Value, "+")
	if n.Kind != yaml.ScalarNode || n.Value != "now" && (digits == "" || strings.Trim(digits, "0123456789") != "" || len(digits) > 6) {
		d.Wrong(n, `"now", or minutes such as "+5"`)
		return
	}
	if *v = Delay(digits); n.Value == "now" {
		*v = ""
	}
}

// Condition is true (absent), false, or a command that exits with 0.
type Condition struct {
	Never   bool
	Command *Command
}

// UnmarshalStrict takes a boolean or a command.
func (c *Condition) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool" {
		var yes bool
		d.Decode(n, &yes)
		c.Never = !yes
		return
	}
	c.Command = &Command{}
	d.Decode(n, c.Command)
}

// MarshalJSON writes the condition as it stands in YAML.
func (c Condition) MarshalJSON() ([]byte, error) {
	if c.Command != nil {
		return json.Marshal(*c.Command)
	}
	return json.Marshal(!c.Never)
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (c *Condition) UnmarshalJSON(data []byte) error {
	return strictyaml.Decode("configuration", data, c)
}
