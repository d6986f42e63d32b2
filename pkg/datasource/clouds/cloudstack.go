package clouds

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/testudo-os/testudo/pkg/datasource"
	"github.com/testudo-os/testudo/pkg/datasource/web"
)

// CloudStack's metadata are on the virtual router, which is the DHCP server.
type CloudStack struct {
	Bases []string
}

// Name is CloudStack's.
func (CloudStack) Name() string { return "cloudstack" }

// Detect looks for the product.
func (CloudStack) Detect(f *datasource.Facts) datasource.Match {
	if strings.HasPrefix(f.DMI.ProductName, "CloudStack") {
		return network("SMBIOS names " + f.DMI.ProductName)
	}
	return missing("SMBIOS does not name CloudStack")
}

// Fetch asks every router that DHCP named; the first lease is awaited.
func (s CloudStack) Fetch(ctx context.Context, env *datasource.Env) (*datasource.Data, error) {
	bases := s.Bases
	if bases == nil {
		var err error
		if bases, err = leased(ctx, env, func(l datasource.Lease) string { return l.Server }); err != nil {
			return nil, err
		}
	}
	var requests []web.Request
	for _, b := range bases {
		requests = append(requests, web.Request{URL: b + "/latest/meta-data/instance-id"})
	}
	i, _, err := env.Web.Any(ctx, requests...)
	if err != nil {
		return nil, err
	}
	return readIMDS(ctx, plain(env.Web, bases[i]), "latest", "cloudstack ("+bases[i]+")")
}

// plain reads paths of a server without a session.
func plain(client *web.Client, base string) getter {
	return func(ctx context.Context, path string) ([]byte, error) { return client.Get(ctx, base+path, nil) }
}

// leased waits until a DHCP lease names a server.
func leased(ctx context.Context, env *datasource.Env, server func(datasource.Lease) string) ([]string, error) {
	for {
		changed := env.Web.Next()
		var out []string
		if env.Leases != nil {
			for _, l := range env.Leases() {
				if address := server(l); address != "" {
					out = append(out, "http://"+bracketed(address))
				}
			}
		}
		if len(out) > 0 {
			return out, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("no DHCP lease names the server (%w)", context.Cause(ctx))
		}
	}
}

// bracketed is an address as it stands in a URL.
func bracketed(address string) string {
	if ip := net.ParseIP(address); ip != nil && ip.To4() == nil {
		return "[" + address + "]"
	}
	return address
}

// Exoscale has EC2's metadata of its first version, at the usual address.
type Exoscale struct{ Base string }

// Name is Exoscale's.
func (Exoscale) Name() string { return "exoscale" }

// Detect looks for the product.
func (Exoscale) Detect(f *datasource.Facts) datasource.Match {
	if strings.HasPrefix(f.DMI.ProductName, "Exoscale") {
		return network("SMBIOS names " + f.DMI.ProductName)
	}
	return missing("SMBIOS does not name Exoscale")
}

// Fetch reads it.
func (s Exoscale) Fetch(ctx context.Context, env *datasource.Env) (*datasource.Data, error) {
	base := s.Base
	if base == "" {
		base = "http://169.254.169.254"
	}
	return readIMDS(ctx, plain(env.Web, base), "1.0", "exoscale ("+base+")")
}
