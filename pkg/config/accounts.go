package config

import (
	"encoding/json"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// DefaultUserChange is cloud-init's `user`: the default user by another name,
// or with other fields.
type DefaultUserChange plainUser

// UnmarshalStrict takes a name, or a user's fields.
func (u *DefaultUserChange) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode {
		d.Decode(n, &u.Name)
		return
	}
	d.Decode(n, (*plainUser)(u))
}

// Groups are cloud-init's `groups`: names, each with members or without.
type Groups []Group

// Group is one of them.
type Group struct {
	Name    string
	Members WordList
}

// UnmarshalStrict takes "a, b", a list of names and of mappings from names to
// members, or one mapping.
func (g *Groups) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	switch {
	case strictyaml.IsNull(n):
	case n.Kind == yaml.SequenceNode:
		elements, _ := d.Elements(n, "a list")
		for _, e := range elements {
			g.UnmarshalStrict(d, strictyaml.Resolve(e))
		}
	case n.Kind == yaml.MappingNode:
		pairs, _ := d.Pairs(n)
		for _, p := range pairs {
			var members WordList
			if strictyaml.IsNull(p.Value) || d.DecodeAt(p.Name, p.Value, &members) {
				*g = append(*g, Group{Name: p.Name, Members: members})
			}
		}
	default:
		var names WordList
		if d.Decode(n, &names) {
			for _, name := range names {
				*g = append(*g, Group{Name: name})
			}
		}
	}
}

// MarshalJSON writes the list of names, those with members as mappings.
func (g Groups) MarshalJSON() ([]byte, error) {
	out := make([]any, len(g))
	for i, one := range g {
		if out[i] = one.Name; len(one.Members) > 0 {
			out[i] = map[string][]string{one.Name: one.Members}
		}
	}
	return json.Marshal(out)
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (g *Groups) UnmarshalJSON(data []byte) error {
	return strictyaml.Decode("configuration", data, g)
}

// Chpasswd is cloud-init's `chpasswd`. Passwords are set at every start from
// the configuration, so that one that expires could never be replaced: expire
// is taken and means nothing.
type Chpasswd struct {
	Expire *bool        `yaml:"expire" json:"expire,omitempty"`
	Users  []Password   `yaml:"users" json:"users,omitempty"`
	List   PasswordList `yaml:"list" json:"list,omitempty"` // the older form
}

// All are the passwords of both forms.
func (c Chpasswd) All() []Password { return append(c.List[:len(c.List):len(c.List)], c.Users...) }

// Password is one user's.
type Password struct {
	Name     string `yaml:"name" json:"name"`
	Password Secret `yaml:"password" json:"password,omitempty"`
	Type     string `yaml:"type" json:"type,omitempty"` // hash (absent), text or RANDOM
}

// PasswordList is lines of USER:PASSWORD, or a list of them.
type PasswordList []Password

// UnmarshalStrict takes a text of lines, or a list. What stands there is not
// repeated in errors.
func (p *PasswordList) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	var lines []Secret
	switch {
	case strictyaml.IsNull(n):
		return
	case n.Kind == yaml.ScalarNode:
		for line := range strings.Lines(n.Value) {
			if line = strings.TrimSpace(line); line != "" {
				lines = append(lines, Secret(line))
			}
		}
	case n.Kind != yaml.SequenceNode:
		d.Errorf(n, "want lines of USER:PASSWORD, or a list of them")
		return
	case isList(n, yaml.MappingNode): // as our own JSON has it
		d.Decode(n, (*[]Password)(p))
		return
	case !d.Decode(n, &lines):
		return
	}
	for _, line := range lines {
		name, password, ok := strings.Cut(string(line), ":")
		if !ok {
			d.Errorf(n, "want USER:PASSWORD in each line")
			return
		}
		one := Password{Name: name, Password: Secret(password), Type: passwordText}
		switch {
		case password == "R" || password == passwordRandom:
			one.Password, one.Type = "", passwordRandom
		case cryptHash.MatchString(password):
			one.Type = passwordHash
		}
		*p = append(*p, one)
	}
}

func isList(n *yaml.Node, of yaml.Kind) bool {
	for _, e := range n.Content {
		if strictyaml.Resolve(e).Kind != of {
			return false
		}
	}
	return len(n.Content) > 0
}

const (
	passwordHash   = "hash"
	passwordText   = "text"
	passwordRandom = "RANDOM"
)

// Kind is the type with its default.
func (p Password) Kind() string {
	if p.Type == "" {
		return passwordHash
	}
	return p.Type
}

// IsHash says whether a password is a crypt(5) hash already.
func IsHash(password Secret) bool { return cryptHash.MatchString(string(password)) }

// SSHKeys are the host's own keys. A private one without its public half is
// enough.
type SSHKeys struct {
	Ed25519Private     Secret `yaml:"ed25519_private" json:"ed25519_private,omitempty"`
	Ed25519Public      string `yaml:"ed25519_public" json:"ed25519_public,omitempty"`
	Ed25519Certificate string `yaml:"ed25519_certificate" json:"ed25519_certificate,omitempty"`
	ECDSAPrivate       Secret `yaml:"ecdsa_private" json:"ecdsa_private,omitempty"`
	ECDSAPublic        string `yaml:"ecdsa_public" json:"ecdsa_public,omitempty"`
	ECDSACertificate   string `yaml:"ecdsa_certificate" json:"ecdsa_certificate,omitempty"`
	RSAPrivate         Secret `yaml:"rsa_private" json:"rsa_private,omitempty"`
	RSAPublic          string `yaml:"rsa_public" json:"rsa_public,omitempty"`
	RSACertificate     string `yaml:"rsa_certificate" json:"rsa_certificate,omitempty"`
}

// HostKey is one of SSHKeys.
type HostKey struct {
	Type        string // ed25519, ecdsa, rsa
	Private     Secret
	Public      string
	Certificate string
}

// All are those that have a private half.
func (k SSHKeys) All() []HostKey {
	var out []HostKey
	for _, one := range []HostKey{
		{"ed25519", k.Ed25519Private, k.Ed25519Public, k.Ed25519Certificate},
		{"ecdsa", k.ECDSAPrivate, k.ECDSAPublic, k.ECDSACertificate},
		{"rsa", k.RSAPrivate, k.RSAPublic, k.RSACertificate},
	} {
		if one.Private != "" {
			out = append(out, one)
		}
	}
	return out
}

// Pwauth is cloud-init's `ssh_pwauth`: "true", "false" or "unchanged".
type Pwauth string

// UnmarshalStrict takes true, false and unchanged, also in quotes.
func (p *Pwauth) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if word, ok := wordOf(d, n, "true, false or unchanged", "true", "false", "unchanged"); ok {
		*p = Pwauth(word)
	}
}

// On says whether passwords are taken over ssh.
func (p Pwauth) On() bool { return p == "true" }

// ManageHosts is cloud-init's `manage_etc_hosts`: "true", "localhost" or "false".
type ManageHosts string

// UnmarshalStrict takes true, false, localhost, and template for true.
func (m *ManageHosts) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	word, ok := wordOf(d, n, "true, false or localhost", "true", "false", "localhost", "template")
	if word == "template" {
		word = "true"
	}
	if ok {
		*m = ManageHosts(word)
	}
}

// wordOf reads one of some words; YAML's booleans are words here.
func wordOf(d *strictyaml.Decoder, n *yaml.Node, want string, words ...string) (string, bool) {
	if n.Kind == yaml.ScalarNode {
		for _, w := range words {
			if strings.EqualFold(n.Value, w) {
				return w, true
			}
		}
	}
	d.Wrong(n, want)
	return "", false
}

// Number is a whole number, also written in quotes; "" when absent.
type Number string

// UnmarshalStrict takes digits.
func (v *Number) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || n.Value == "" || strings.Trim(n.Value, "0123456789") != "" || len(n.Value) > 9 {
		d.Wrong(n, "a whole number, 0 or more")
		return
	}
	*v = Number(n.Value)
}
