package clouds

import (
	"context"
	"errors"
	"strings"

	"github.com/testudo-os/testudo/pkg/datasource"
)

// Vultr is its metadata service.
type Vultr struct{ Base string }

// Name is Vultr's.
func (Vultr) Name() string { return "vultr" }

// Detect looks for the vendor; bare metal has a kernel argument instead.
func (Vultr) Detect(f *datasource.Facts) datasource.Match {
	if f.DMI.SysVendor == "Vultr" {
		return network("SMBIOS names Vultr")
	}
	if _, ok := f.Cmdline.Get("vultr"); ok {
		return network("the kernel's command line says vultr")
	}
	return missing("SMBIOS does not name Vultr")
}

// Fetch reads everything in one request. The header asks for what the service
// has for machines with cloud-init's formats.
func (s Vultr) Fetch(ctx context.Context, env *datasource.Env) (*datasource.Data, error) {
	base := s.Base
	if base == "" {
		base = "http://169.254.169.254"
	}
	body, err := env.Web.Get(ctx, base+"/v1.json", map[string]string{"Metadata-Token": "cloudinit"})
	if err != nil {
		return nil, err
	}
	t, err := parseObject("the metadata", body)
	if err != nil {
		return nil, err
	}
	id := t.text("instance-v2-id")
	if id == "" {
		id = t.text("instanceid")
	}
	if id == "" {
		return nil, errors.New("the metadata have no instance-v2-id")
	}
	data := &datasource.Data{Source: "vultr (" + base + ")", Meta: meta(id, t.text("hostname")), Raw: t.raw()}
	data.Meta.Region = strings.ToLower(t.text("region", "regioncode"))
	data.Meta.PublicKeys = t.lines("public-keys")
	data.UserData, data.VendorData = []byte(t.text("user-data")), []byte(t.text("vendor-data"))
	return data, nil
}
