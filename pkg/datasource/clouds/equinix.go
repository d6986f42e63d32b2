package clouds

import (
	"context"
	"errors"

	"github.com/testudo-os/testudo/pkg/datasource"
	"github.com/testudo-os/testudo/pkg/datasource/web"
)

// Equinix is Equinix Metal's metadata service, Packet's of old.
type Equinix struct{ Base string }

// Name is Equinix Metal's.
func (Equinix) Name() string { return "equinix" }

// Detect looks for Packet's name: its machines are of many vendors, and most
// need testudo.datasource=equinix.
func (Equinix) Detect(f *datasource.Facts) datasource.Match {
	if f.DMI.SysVendor == "Packet" || f.DMI.ChassisVendor == "Packet" {
		return network("SMBIOS names Packet")
	}
	return missing("SMBIOS does not name Packet (testudo.datasource=equinix names it)")
}

// Fetch reads the description and the user data.
func (s Equinix) Fetch(ctx context.Context, env *datasource.Env) (*datasource.Data, error) {
	base := s.Base
	if base == "" {
		base = "https://metadata.platformequinix.com"
	}
	body, err := env.Web.Get(ctx, base+"/metadata", nil)
	if err != nil {
		return nil, err
	}
	t, err := parseObject("the metadata", body)
	if err != nil {
		return nil, err
	}
	if t.text("id") == "" {
		return nil, errors.New("the metadata have no id")
	}
	data := &datasource.Data{Source: "equinix (" + web.Plain(base) + ")", Meta: meta(t.text("id"), t.text("hostname")), Raw: t.raw()}
	data.Meta.Region, data.Meta.AvailabilityZone = t.text("metro"), t.text("facility")
	data.Meta.PublicKeys = t.lines("ssh_keys")
	if data.UserData, err = env.Web.Optional(ctx, base+"/userdata", nil); err != nil {
		return nil, err
	}
	return data, nil
}
