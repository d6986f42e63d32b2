package netplan

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Testudo is `testudo.network`: what netplan has no words for.
type Testudo struct {
	Online   Online   `yaml:"online" json:"online,omitzero"`
	Firewall Firewall `yaml:"firewall" json:"firewall,omitzero"`
	Proxy    Proxy    `yaml:"proxy" json:"proxy,omitzero"`
	DNS      DNS      `yaml:"dns" json:"dns,omitzero"`
}

// Online says when the machine counts as online, which is when the network
// service is ready.
type Online struct {
	// Require is address (any that others can reach), route (and a default
	// route; as if absent) or target (and all of Targets answer).
	Require string `yaml:"require" json:"require,omitempty"`
	// Interfaces must all satisfy Require, by id or name; absent: any one does.
	Interfaces []string `yaml:"interfaces" json:"interfaces,omitempty"`
	// Targets are HOST:PORT, reached by TCP.
	Targets []string `yaml:"targets" json:"targets,omitempty"`
	// Timeout bounds what waits for the network: after it the service counts as
	// ready, and says that the machine is not online. Absent: a minute. 0s:
	// nothing ever waits.
	Timeout *Seconds `yaml:"timeout" json:"timeout,omitempty"`
}

// Words of Online.Require.
const (
	RequireAddress = "address"
	RequireRoute   = "route"
	RequireTarget  = "target"
)

// DefaultTimeout is Online.Timeout when absent.
const DefaultTimeout = time.Minute

// Level is Require with its default.
func (o Online) Level() string {
	switch {
	case o.Require != "":
		return o.Require
	case len(o.Targets) > 0:
		return RequireTarget
	}
	return RequireRoute
}

// Bound is Timeout with its default.
func (o Online) Bound() time.Duration {
	if o.Timeout == nil {
		return DefaultTimeout
	}
	return time.Duration(*o.Timeout)
}

// DNS is for names as a whole.
type DNS struct {
	Servers []Addr   `yaml:"servers" json:"servers,omitempty"` // before those of interfaces
	Search  []string `yaml:"search" json:"search,omitempty"`
	Options []string `yaml:"options" json:"options,omitempty"` // resolv.conf(5): ndots:2, edns0
	// Ignore drops what DHCP and routers say on names.
	Ignore *bool `yaml:"ignore-leases" json:"ignore-leases,omitempty"`
}

// Firewall is a packet filter for what comes to the host itself. What is
// forwarded to containers is the engine's to filter.
type Firewall struct {
	Enabled *bool `yaml:"enabled" json:"enabled,omitempty"` // absent: no
	// Allow lists what may come in besides answers, ICMP and DHCP: ssh,
	// 443/tcp, 60000-61000/udp, 9100/tcp from 10.0.0.0/8. Absent: ssh.
	Allow []string `yaml:"allow" json:"allow,omitempty"`
	// Trusted interfaces are not filtered: by name, may end in *.
	Trusted []string `yaml:"trusted-interfaces" json:"trusted-interfaces,omitempty"`
}

// Proxy is what programs use to get out.
type Proxy struct {
	HTTP    string   `yaml:"http" json:"http,omitempty"`
	HTTPS   string   `yaml:"https" json:"https,omitempty"`
	NoProxy []string `yaml:"no-proxy" json:"no-proxy,omitempty"`
}

// Environment is the proxy as variables that programs know, both spellings.
func (p Proxy) Environment() []string {
	var out []string
	add := func(name, value string) {
		if value != "" {
			out = append(out, strings.ToUpper(name)+"="+value, name+"="+value)
		}
	}
	add("http_proxy", p.HTTP)
	add("https_proxy", p.HTTPS)
	if p.HTTP != "" || p.HTTPS != "" {
		// The machine itself is never reached by way of a proxy.
		add("no_proxy", strings.Join(append([]string{"localhost", "127.0.0.1", "::1"}, p.NoProxy...), ","))
	}
	return out
}

// AllowRule is one entry of Firewall.Allow.
type AllowRule struct {
	Protocol  string       // tcp or udp
	Low, High uint16       // ports
	From      netip.Prefix // invalid: anyone
}

// services are ports that have a name here.
var services = map[string]AllowRule{
	"ssh": {Protocol: "tcp", Low: 22, High: 22}, "http": {Protocol: "tcp", Low: 80, High: 80},
	"https": {Protocol: "tcp", Low: 443, High: 443}, "dns": {Protocol: "udp", Low: 53, High: 53},
}

// ParseAllow reads one entry of Firewall.Allow.
func ParseAllow(s string) (AllowRule, bool) {
	what, from, limited := strings.Cut(s, " from ")
	r, named := services[strings.TrimSpace(what)]
	if !named {
		ports, protocol, ok := strings.Cut(strings.TrimSpace(what), "/")
		low, high, isRange := strings.Cut(ports, "-")
		if !isRange {
			high = low
		}
		l, lerr := strconv.ParseUint(low, 10, 16)
		h, herr := strconv.ParseUint(high, 10, 16)
		if !ok || protocol != "tcp" && protocol != "udp" || lerr != nil || herr != nil || l == 0 || h < l {
			return AllowRule{}, false
		}
		r = AllowRule{Protocol: protocol, Low: uint16(l), High: uint16(h)}
	}
	if limited {
		p, ok := parsePrefix(strings.TrimSpace(from))
		if !ok {
			return AllowRule{}, false
		}
		r.From = p.Masked()
	}
	return r, true
}

// On says whether there is a firewall.
func (f Firewall) On() bool { return f.Enabled != nil && *f.Enabled }

// Rules are the entries of Allow, with the default.
func (f Firewall) Rules() []AllowRule {
	allow := f.Allow
	if allow == nil {
		allow = []string{"ssh"}
	}
	var out []AllowRule
	for _, a := range allow {
		if r, ok := ParseAllow(a); ok {
			out = append(out, r)
		}
	}
	return out
}

// Check gives what is impossible, by path below testudo.network.
func (t *Testudo) Check(bad func(message string, path ...string)) {
	if r := t.Online.Require; r != "" && !slices.Contains([]string{RequireAddress, RequireRoute, RequireTarget}, r) {
		bad("want address, route or target", "online", "require")
	}
	if t.Online.Require == RequireTarget && len(t.Online.Targets) == 0 {
		bad("needs the key targets: HOST:PORT of what must be reached", "online", "require")
	}
	for i, target := range t.Online.Targets {
		if !validTarget(target) {
			bad("want HOST:PORT", "online", "targets", index(i))
		}
	}
	if b := t.Online.Timeout; b != nil && time.Duration(*b) > time.Hour {
		bad("want a time of at most 1h", "online", "timeout")
	}
	for i, s := range t.DNS.Search {
		if !ValidDomain(s) {
			bad("want a domain such as example.com", "dns", "search", index(i))
		}
	}
	for i, o := range t.DNS.Options {
		if o == "" || strings.ContainsAny(o, " \t\n#;") {
			bad("want one option of resolv.conf(5) such as ndots:2", "dns", "options", index(i))
		}
	}
	for i, a := range t.Firewall.Allow {
		if _, ok := ParseAllow(a); !ok {
			bad("want PORT/tcp, LOW-HIGH/udp, ssh, http, https or dns, and perhaps \"from NETWORK\"", "firewall", "allow", index(i))
		}
	}
	for i, name := range t.Firewall.Trusted {
		if !ValidName(name) {
			bad("want the name of an interface, which may end in *", "firewall", "trusted-interfaces", index(i))
		}
	}
	for key, value := range map[string]string{"http": t.Proxy.HTTP, "https": t.Proxy.HTTPS} {
		u, err := url.Parse(value)
		if value != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5" || u.Host == "" || strings.ContainsAny(value, " \t\n\"'\\$`")) {
			bad("want a URL such as http://proxy.example:3128", "proxy", key)
		}
	}
	for i, n := range t.Proxy.NoProxy {
		if n == "" || strings.ContainsAny(n, " \t\n,\"'\\$`") {
			bad("want a host, a domain or a network", "proxy", "no-proxy", index(i))
		}
	}
}

func validTarget(s string) bool {
	at := strings.LastIndex(s, ":")
	if at < 1 {
		return false
	}
	host, port := s[:at], s[at+1:]
	n, err := strconv.ParseUint(port, 10, 16)
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	_, aerr := netip.ParseAddr(host)
	return err == nil && n > 0 && (aerr == nil || ValidDomain(host))
}
