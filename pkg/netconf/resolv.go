package netconf

import (
	"net/netip"
	"slices"
	"strings"
)

// Names is what one interface knows about name resolution.
type Names struct {
	Servers []netip.Addr
	Search  []string
}

// Resolvers of C libraries read no more than this many servers; more would be
// ignored without a word.
const mostServers = 3

// ResolvConf renders a resolver configuration: what counts most first, each
// server and domain once, then options of resolv.conf(5).
func ResolvConf(interfaces []Names, options []string) string {
	var servers, search []string
	for _, n := range interfaces {
		for _, s := range n.Servers {
			if text := s.String(); !slices.Contains(servers, text) {
				servers = append(servers, text)
			}
		}
		for _, d := range n.Search {
			if !slices.Contains(search, d) {
				search = append(search, d)
			}
		}
	}
	var b strings.Builder
	b.WriteString("# Written by Testudo's network service; changes made here are lost.\n")
	if len(servers) == 0 {
		b.WriteString("# No network has named a DNS server.\n")
	}
	for i, s := range servers {
		if i == mostServers {
			b.WriteString("# Not used, resolvers stop at three: " + strings.Join(servers[i:], " ") + "\n")
			break
		}
		b.WriteString("nameserver " + s + "\n")
	}
	if len(search) > 0 {
		b.WriteString("search " + strings.Join(search, " ") + "\n")
	}
	if len(options) > 0 {
		b.WriteString("options " + strings.Join(options, " ") + "\n")
	}
	return b.String()
}

// ChronySources renders time servers as chrony's sourcedir wants them.
func ChronySources(servers []netip.Addr) string {
	var b strings.Builder
	for _, s := range servers {
		b.WriteString("server " + s.String() + " iburst\n")
	}
	return b.String()
}
