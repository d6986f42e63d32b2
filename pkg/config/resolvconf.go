package config

import (
	"encoding/json"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/netplan"
	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// ResolvConf is cloud-init's `resolv_conf`: another way to say
// testudo.network.dns, which counts where both are said.
type ResolvConf struct {
	Nameservers   []netplan.Addr `yaml:"nameservers" json:"nameservers,omitempty"`
	Searchdomains []string       `yaml:"searchdomains" json:"searchdomains,omitempty"`
	Domain        string         `yaml:"domain" json:"domain,omitempty"`
	Options       ResolvOptions  `yaml:"options" json:"options,omitempty"`
}

// ResolvOptions are those of resolv.conf(5): edns0, ndots:2.
type ResolvOptions []string

// UnmarshalStrict takes a mapping, {rotate: true, timeout: 1}, or a list.
func (o *ResolvOptions) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		d.Decode(n, (*[]string)(o))
		return
	}
	pairs, _ := d.Pairs(n)
	for _, p := range pairs {
		var value strictyaml.Text
		if !d.DecodeAt(p.Name, p.Value, &value) {
			continue
		}
		switch value {
		case "true":
			*o = append(*o, p.Name)
		case "false":
		default:
			*o = append(*o, p.Name+":"+string(value))
		}
	}
	slices.Sort(*o)
}

// MarshalJSON writes the list.
func (o ResolvOptions) MarshalJSON() ([]byte, error) { return json.Marshal([]string(o)) }

func (*ResolvOptions) schema(*schemaMaker) schema {
	return anyOf(schema{"type": "object", "additionalProperties": scalar}, listOf(anyText), noValue)
}

// Settle draws the conclusions of this key for the network's.
func (r ResolvConf) Settle(dns *netplan.DNS) {
	if dns.Servers == nil {
		dns.Servers = r.Nameservers
	}
	if dns.Search == nil {
		dns.Search = slices.Clone(r.Searchdomains)
		if r.Domain != "" && !slices.Contains(dns.Search, r.Domain) {
			dns.Search = append([]string{r.Domain}, dns.Search...)
		}
	}
	if dns.Options == nil {
		dns.Options = r.Options
	}
}

func (v *validator) resolvConf(r ResolvConf) {
	for i, s := range r.Searchdomains {
		v.check(validHost(s), "want a domain", "resolv_conf", "searchdomains", at(i))
	}
	v.check(r.Domain == "" || validHost(r.Domain), "want a domain", "resolv_conf", "domain")
	var probe netplan.Testudo
	probe.DNS.Options = r.Options
	probe.Check(func(message string, path ...string) {
		if strings.Contains(strings.Join(path, "."), "options") {
			v.check(false, message, "resolv_conf", "options")
		}
	})
}
