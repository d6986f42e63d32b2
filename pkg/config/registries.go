package config

import (
	"crypto/x509"
	"net/url"
	"slices"
	"strings"
)

// Registry says how images of one registry are fetched.
type Registry struct {
	Host      string   `yaml:"host" json:"host"`                       // HOST[:PORT], as it begins their names
	Mirrors   []string `yaml:"mirrors" json:"mirrors,omitempty"`       // URLs, asked before it
	PlainHTTP bool     `yaml:"plain_http" json:"plain_http,omitempty"` // without TLS; never by itself
	CA        string   `yaml:"ca" json:"ca,omitempty"`                 // certificates in PEM, beside the system's
	Username  string   `yaml:"username" json:"username,omitempty"`
	Password  Secret   `yaml:"password" json:"password,omitempty"`
}

// mergeRegistries: a later source's word on a host replaces the earlier ones'.
func mergeRegistries(out []Registry, later []Registry) []Registry {
	out = slices.Clone(out)
	for _, r := range later {
		out = slices.DeleteFunc(out, func(have Registry) bool { return have.Host == r.Host })
		out = append(out, r)
	}
	return out
}

func (v *validator) registries(list []Registry) {
	for i, r := range list {
		p := func(steps ...string) []string {
			return append([]string{"testudo", "registries", at(i)}, steps...)
		}
		v.check(r.Host != "" && oneLine(r.Host) && !strings.ContainsAny(r.Host, "/ @"), "want HOST[:PORT]", p("host")...)
		for j, m := range r.Mirrors {
			u, err := url.Parse(m)
			v.check(err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil, "want a URL", p("mirrors", at(j))...)
		}
		v.check(r.CA == "" || x509.NewCertPool().AppendCertsFromPEM([]byte(r.CA)), "want certificates in PEM form", p("ca")...)
		v.check(r.Password == "" || r.Username != "", "a password needs a username", p("username")...)
	}
}
