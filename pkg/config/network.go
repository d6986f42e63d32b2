package config

import (
	"github.com/testudo-os/testudo/pkg/netplan"
)

// mergeNetwork lays testudo.network over what an earlier source said.
func mergeNetwork(o *netplan.Testudo, t netplan.Testudo) {
	replace(&o.Online.Require, t.Online.Require)
	replaceList(&o.Online.Interfaces, t.Online.Interfaces)
	replaceList(&o.Online.Targets, t.Online.Targets)
	if t.Online.Timeout != nil {
		o.Online.Timeout = t.Online.Timeout
	}
	if t.DNS.Servers != nil {
		o.DNS.Servers = t.DNS.Servers
	}
	replaceList(&o.DNS.Search, t.DNS.Search)
	replaceList(&o.DNS.Options, t.DNS.Options)
	if t.DNS.Ignore != nil {
		o.DNS.Ignore = t.DNS.Ignore
	}
	if t.Firewall.Enabled != nil {
		o.Firewall.Enabled = t.Firewall.Enabled
	}
	replaceList(&o.Firewall.Allow, t.Firewall.Allow)
	replaceList(&o.Firewall.Trusted, t.Firewall.Trusted)
	replace(&o.Proxy.HTTP, t.Proxy.HTTP)
	replace(&o.Proxy.HTTPS, t.Proxy.HTTPS)
	replaceList(&o.Proxy.NoProxy, t.Proxy.NoProxy)
}
