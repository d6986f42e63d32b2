package clouds

import (
	"context"
	"errors"

	"github.com/testudo-os/testudo/pkg/datasource"
)

// DigitalOcean is its metadata service. A droplet has no DHCP: the service is
// reached from a link-local address, and tells the others.
type DigitalOcean struct{ Base string }

// Name is DigitalOcean's.
func (DigitalOcean) Name() string { return "digitalocean" }

// Detect looks for the vendor.
func (DigitalOcean) Detect(f *datasource.Facts) datasource.Match {
	if f.DMI.SysVendor == "DigitalOcean" {
		return datasource.Match{Found: true, Reason: "SMBIOS names DigitalOcean", Needs: datasource.LinkLocal}
	}
	m := missing("SMBIOS does not name DigitalOcean")
	m.Needs = datasource.LinkLocal
	return m
}

// Fetch reads everything in one request.
func (s DigitalOcean) Fetch(ctx context.Context, env *datasource.Env) (*datasource.Data, error) {
	base := s.Base
	if base == "" {
		base = "http://169.254.169.254"
	}
	body, err := env.Web.Get(ctx, base+"/metadata/v1.json", nil)
	if err != nil {
		return nil, err
	}
	t, err := parseObject("the metadata", body)
	if err != nil {
		return nil, err
	}
	id := t.text("droplet_id")
	if id == "" {
		return nil, errors.New("the metadata have no droplet_id")
	}
	data := &datasource.Data{Source: "digitalocean (" + base + ")", Meta: meta(id, t.text("hostname")), Raw: t.raw()}
	data.Meta.Region = t.text("region")
	data.Meta.PublicKeys = t.lines("public_keys")
	data.UserData, data.VendorData = []byte(t.text("user_data")), []byte(t.text("vendor_data"))
	if data.NetworkConfig, err = dropletNetwork(t); err != nil {
		data.Partial = true
		return data, err
	}
	return data, nil
}
