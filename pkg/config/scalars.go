package config

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// Secret is text that never shows in logs: printing it by fmt gives a
// placeholder. JSON carries it, for the resolved configuration (mode 0600).
type Secret string

const redacted = "[redacted]"

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return strconv.Quote(s.String()) }

// UnmarshalStrict takes a text; what stands there is not repeated in errors.
func (s *Secret) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!binary" {
		var text string
		if d.Decode(n, &text) { // !!binary is base64
			*s = Secret(text)
		}
		return
	}
	if n.Kind != yaml.ScalarNode || strictyaml.IsNull(n) {
		d.Errorf(n, "want a text")
		return
	}
	*s = Secret(n.Value)
}

// Mode is an octal file mode, written 0644, "0644", 644 or 0o644. Absent, it
// is 0644.
type Mode string

const maxMode = 0o7777

// UnmarshalStrict takes the digits as they stand: they are octal, always.
func (m *Mode) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || strictyaml.IsNull(n) {
		d.Wrong(n, `an octal mode such as "0644"`)
		return
	}
	if _, err := parseMode(n.Value); err != nil {
		d.Wrong(n, `an octal mode such as "0644"`)
		return
	}
	*m = Mode(n.Value)
}

// Bits gives the mode as chmod(2) takes it.
func (m Mode) Bits() (uint32, error) {
	if m == "" {
		return 0o644, nil
	}
	return parseMode(string(m))
}

func parseMode(s string) (uint32, error) {
	digits := strings.TrimPrefix(s, "0o")
	v, err := strconv.ParseUint(digits, 8, 32)
	if err != nil || v > maxMode {
		return 0, fmt.Errorf("%q is no octal mode between 0 and 7777", s)
	}
	return uint32(v), nil
}

// FileMode gives the mode as package os takes it.
func (m Mode) FileMode() (os.FileMode, error) {
	bits, err := m.Bits()
	mode := os.FileMode(bits & 0o777)
	for bit, flag := range map[uint32]os.FileMode{0o4000: os.ModeSetuid, 0o2000: os.ModeSetgid, 0o1000: os.ModeSticky} {
		if bits&bit != 0 {
			mode |= flag
		}
	}
	return mode, err
}

// UID is a user's number, written as a number or as digits in quotes.
type UID int

// UnmarshalStrict takes 1001 and "1001", as cloud-init does.
func (u *UID) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	v, err := strconv.ParseUint(n.Value, 10, 31)
	if n.Kind != yaml.ScalarNode || err != nil {
		d.Wrong(n, "a user number, 0 or more")
		return
	}
	*u = UID(v)
}

// WordList is a list of words, also written "a, b".
type WordList []string

// UnmarshalStrict takes a list or one text with commas.
func (w *WordList) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if strictyaml.IsNull(n) {
		return
	}
	if n.Kind == yaml.ScalarNode {
		var text string
		if !d.Decode(n, &text) {
			return
		}
		for word := range strings.SplitSeq(text, ",") {
			if word = strings.TrimSpace(word); word != "" {
				*w = append(*w, word)
			}
		}
		return
	}
	var list []string
	if d.Decode(n, &list) {
		*w = list
	}
}

// Sudo is a user's sudo rules; an empty list means no sudo beyond the user's
// groups, also where an earlier source or the default user has rules.
type Sudo []string

// UnmarshalStrict takes one rule, a list of them, or false or null for none.
func (s *Sudo) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	var rule string
	var rules []string
	switch {
	case strictyaml.IsNull(n):
		*s = Sudo{}
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool":
		*s = Sudo{}
		if strings.EqualFold(n.Value, "true") {
			d.Wrong(n, `a rule such as "ALL=(ALL) NOPASSWD:ALL", a list of rules, or false`)
		}
	case n.Kind == yaml.ScalarNode:
		if d.Decode(n, &rule) && rule != "" {
			*s = Sudo{rule}
		}
	default:
		if d.Decode(n, &rules) {
			*s = rules
		}
	}
}

// Command is one entry of runcmd or bootcmd: a line for the shell, or a
// program with its arguments.
type Command struct {
	Shell string
	Argv  []string
}

// UnmarshalStrict takes a text or a list of scalars.
func (c *Command) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	var words []strictyaml.Text
	switch {
	case strictyaml.IsNull(n):
		d.Wrong(n, "a command")
	case n.Kind == yaml.ScalarNode:
		c.Shell = n.Value
	case !d.Decode(n, &words):
	case len(words) == 0:
		d.Errorf(n, "found an empty list, want a program and its arguments")
	default:
		c.Argv = make([]string, len(words))
		for i, w := range words {
			c.Argv[i] = string(w)
		}
	}
}

// MarshalJSON writes the command as it stands in YAML.
func (c Command) MarshalJSON() ([]byte, error) {
	if c.Argv != nil {
		return json.Marshal(c.Argv)
	}
	return json.Marshal(c.Shell)
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (c *Command) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '[' {
		return json.Unmarshal(data, &c.Argv)
	}
	return json.Unmarshal(data, &c.Shell)
}

// String shows the command to people.
func (c Command) String() string {
	if c.Argv != nil {
		return strings.Join(c.Argv, " ")
	}
	return c.Shell
}

// plainUser is User without its grammar, so that decoding does not recurse.
type plainUser User

// UnmarshalStrict takes a mapping or the word "default".
func (u *User) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode {
		if n.Value != "default" {
			d.Wrong(n, `a mapping with the key name, or the word "default"`)
			return
		}
		u.Default = true
		return
	}
	d.Decode(n, (*plainUser)(u))
}
