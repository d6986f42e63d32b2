package config

import "strings"

// Names gives the machine's name and its full name with a domain, each "" when
// the configuration has none. As with cloud-init a `hostname` with dots in it is
// a full name, and the name is what stands before the first dot unless
// prefer_fqdn_over_hostname says otherwise.
func (c *Config) Names() (name, full string) {
	name, full = c.Hostname, strings.TrimSuffix(c.FQDN, ".")
	first := func(s string) string { s, _, _ = strings.Cut(s, "."); return s }
	switch {
	case full == "" && strings.Contains(name, "."):
		full, name = strings.TrimSuffix(name, "."), first(name)
	case name == "":
		name = first(full)
	}
	if c.PreferFQDN != nil && *c.PreferFQDN && full != "" {
		name = full
	}
	return name, full
}

// MachineName is the name to give the machine, "" to leave it alone.
func (c *Config) MachineName() string {
	if c.PreserveHostname != nil && *c.PreserveHostname {
		return ""
	}
	name, _ := c.Names()
	return name
}
