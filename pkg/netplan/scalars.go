package netplan

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// Addr is an IP address.
type Addr struct{ netip.Addr }

// UnmarshalStrict takes an address without a zone.
func (a *Addr) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	addr, err := netip.ParseAddr(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || addr.Zone() != "" || addr.Is4In6() {
		d.Wrong(n, "an IP address such as 192.0.2.1 or 2001:db8::1")
		return
	}
	a.Addr = addr
}

// Prefix is a network: 10.0.0.0/8. Bits behind its length are dropped.
type Prefix struct{ netip.Prefix }

// UnmarshalStrict takes a network, or an address, which is one of one host.
func (p *Prefix) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	prefix, ok := parsePrefix(n.Value)
	if n.Kind != yaml.ScalarNode || !ok {
		d.Wrong(n, "a network such as 10.0.0.0/8")
		return
	}
	p.Prefix = prefix.Masked()
}

func parsePrefix(s string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(s); err == nil && !p.Addr().Is4In6() {
		return p, true
	}
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" && !a.Is4In6() {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	return netip.Prefix{}, false
}

// Destination is where a route leads: a network, or `default`.
type Destination struct {
	Prefix  netip.Prefix // invalid for default
	Default bool
}

// UnmarshalStrict takes default, 0.0.0.0/0, ::/0 or a network.
func (t *Destination) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || t.UnmarshalText([]byte(n.Value)) != nil {
		d.Wrong(n, "default, or a network such as 10.0.0.0/8")
	}
}

// UnmarshalText is the inverse of MarshalText.
func (t *Destination) UnmarshalText(b []byte) error {
	if string(b) == "default" {
		*t = Destination{Default: true}
		return nil
	}
	p, ok := parsePrefix(string(b))
	if !ok {
		return fmt.Errorf("%q is no network", b)
	}
	*t = Destination{Prefix: p.Masked()}
	return nil
}

// MarshalText writes it as it stands in YAML.
func (t Destination) MarshalText() ([]byte, error) {
	if t.Default {
		return []byte("default"), nil
	}
	return t.Prefix.MarshalText()
}

// Of gives the network for the family of an address: what `default` is there.
func (t Destination) Of(a netip.Addr) netip.Prefix {
	if !t.Default {
		return t.Prefix
	}
	if a.Is4() {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
}

// MAC is a hardware address of six bytes.
type MAC [6]byte

// UnmarshalStrict takes six pairs of hexadecimal digits.
func (m *MAC) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || m.UnmarshalText([]byte(n.Value)) != nil {
		// 52:54:00:12:34:56 without quotes can be a number to base 60.
		d.Wrong(n, `a hardware address such as "52:54:00:12:34:56", in quotes`)
	}
}

// UnmarshalText is the inverse of MarshalText.
func (m *MAC) UnmarshalText(b []byte) error {
	hw, err := net.ParseMAC(string(b))
	if err != nil || len(hw) != 6 {
		return fmt.Errorf("%q is no hardware address", b)
	}
	*m = MAC(hw)
	return nil
}

// MarshalText writes it with colons.
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// String writes it with colons.
func (m MAC) String() string { return net.HardwareAddr(m[:]).String() }

// UnmarshalStrict takes "192.0.2.5/24", or a mapping of one such key to
// {lifetime, label}.
func (a *Address) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	const want = "an address with its network's length such as 192.0.2.5/24"
	text := n
	if n.Kind == yaml.MappingNode {
		pairs, ok := d.Pairs(n)
		if !ok || len(pairs) != 1 {
			d.Errorf(n, "want one address with its options: 192.0.2.5/24: {label: x}")
			return
		}
		text = strictyaml.Resolve(pairs[0].Key)
		var options struct {
			Lifetime strictyaml.Text `yaml:"lifetime"`
			Label    string          `yaml:"label"`
		}
		if !d.DecodeAt(pairs[0].Name, pairs[0].Value, &options) {
			return
		}
		a.Lifetime, a.Label = string(options.Lifetime), options.Label
		if a.Lifetime != "" && a.Lifetime != "forever" && a.Lifetime != "0" {
			d.Errorf(pairs[0].Value, "lifetime: found %q, want forever or 0", a.Lifetime)
		}
		if len(a.Label) > 15 {
			d.Errorf(pairs[0].Value, "label: at most 15 letters fit (IFNAMSIZ)")
		}
	}
	p, err := netip.ParsePrefix(text.Value)
	if text.Kind != yaml.ScalarNode || err != nil || p.Addr().Is4In6() {
		d.Wrong(text, want)
		return
	}
	if p.Addr().IsMulticast() || p.Addr().IsUnspecified() {
		d.Errorf(text, "%s is the address of no host", p.Addr())
		return
	}
	a.Prefix = p
}

// OneOrMore is a list of texts, or one.
type OneOrMore []string

// UnmarshalStrict takes a text or a list.
func (o *OneOrMore) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode {
		var one string
		if d.Decode(n, &one) {
			*o = OneOrMore{one}
		}
		return
	}
	d.Decode(n, (*[]string)(o))
}

// Domain is true, false or route. Empty: true.
type Domain string

// UnmarshalStrict takes the three.
func (u *Domain) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if n.Kind == yaml.ScalarNode {
		switch strings.ToLower(n.Value) {
		case "true", "yes", "on":
			*u = "true"
			return
		case "false", "no", "off":
			*u = "false"
			return
		case "route":
			*u = "route"
			return
		}
	}
	d.Wrong(n, "true, false or route")
}

// Milliseconds is a time; a bare number is milliseconds. Zero: not said.
type Milliseconds time.Duration

// UnmarshalStrict takes 100 and 100ms.
func (m *Milliseconds) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	*m = Milliseconds(interval(d, n, time.Millisecond, "a time in milliseconds such as 100, or 1s"))
}

// Seconds is a time; a bare number is seconds. Zero: not said.
type Seconds time.Duration

// UnmarshalStrict takes 15 and 15s.
func (s *Seconds) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	*s = Seconds(interval(d, n, time.Second, "a time in seconds such as 15, or 500ms"))
}

func interval(d *strictyaml.Decoder, n *yaml.Node, unit time.Duration, want string) time.Duration {
	if n.Kind == yaml.ScalarNode {
		if v, err := strconv.ParseUint(n.Value, 10, 31); err == nil {
			return time.Duration(v) * unit
		}
		if v, err := time.ParseDuration(n.Value); err == nil && v >= 0 {
			return v
		}
	}
	d.Wrong(n, want)
	return 0
}

// TunnelKey is a number, also written as an IPv4 address, or a WireGuard
// key: netplan has one word for both.
type TunnelKey struct {
	Number *uint32
	Secret Key
}

// UnmarshalStrict takes all three.
func (k *TunnelKey) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || strictyaml.IsNull(n) {
		d.Wrong(n, "a key: a number, an IPv4 address or a WireGuard key")
		return
	}
	if v, err := strconv.ParseUint(n.Value, 0, 32); err == nil {
		number := uint32(v)
		k.Number = &number
		return
	}
	if a, err := netip.ParseAddr(n.Value); err == nil && a.Is4() {
		b := a.As4()
		number := binary.BigEndian.Uint32(b[:])
		k.Number = &number
		return
	}
	k.Secret.UnmarshalStrict(d, n)
}

// Key is a WireGuard key: 32 bytes in base64. Printing it shows nothing.
type Key string

// UnmarshalStrict takes a key; what stands there is not repeated in errors.
func (k *Key) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	raw, err := base64.StdEncoding.DecodeString(n.Value)
	if strings.HasPrefix(n.Value, "/") {
		d.Errorf(n, "found a path, want the key itself: keys in files are not read")
		return
	}
	if n.Kind != yaml.ScalarNode || err != nil || len(raw) != 32 {
		d.Errorf(n, "want a WireGuard key: 44 letters of base64, as wg genkey prints")
		return
	}
	*k = Key(n.Value)
}

// Bytes are the key's; all zero for none.
func (k Key) Bytes() (out [32]byte) {
	raw, err := base64.StdEncoding.DecodeString(string(k))
	if err == nil && len(raw) == len(out) {
		copy(out[:], raw)
	}
	return out
}

// Redacted stands for a key that is not to be seen.
const Redacted = "[redacted]"

// String hides the key.
func (k Key) String() string {
	if k == "" {
		return ""
	}
	return Redacted
}

// GoString hides the key from %#v.
func (k Key) GoString() string { return strconv.Quote(k.String()) }
