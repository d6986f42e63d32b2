package clouds

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/testudo-os/testudo/pkg/datasource"
	"github.com/testudo-os/testudo/pkg/datasource/web"
)

// Hetzner is Hetzner Cloud's metadata service, by IPv4 or by its link-local
// address of IPv6, which machines without IPv4 have.
type Hetzner struct{ Bases []string }

// Name is Hetzner's.
func (Hetzner) Name() string { return "hetzner" }

// Detect looks for the vendor.
func (Hetzner) Detect(f *datasource.Facts) datasource.Match {
	if f.DMI.SysVendor == "Hetzner" {
		return network("SMBIOS names Hetzner")
	}
	return missing("SMBIOS does not name Hetzner")
}

// Fetch reads metadata and user data. The instance id must be the serial number
// in SMBIOS, so that no other machine can answer for the service.
func (s Hetzner) Fetch(ctx context.Context, env *datasource.Env) (*datasource.Data, error) {
	bases := s.Bases
	if bases == nil {
		bases = append([]string{"http://169.254.169.254"}, zoned("fe80::a9fe:a9fe", env)...)
	}
	var requests []web.Request
	for i, b := range bases {
		bases[i] = b + "/hetzner/v1"
		requests = append(requests, web.Request{URL: bases[i] + "/metadata"})
	}
	i, response, err := env.Web.Any(ctx, requests...)
	if err != nil {
		return nil, err
	}
	t, err := parseYAML("the metadata", response.Body)
	if err != nil {
		return nil, err
	}
	id := t.text("instance-id")
	if id == "" {
		return nil, errors.New("the metadata have no instance-id")
	}
	if serial := env.Facts.DMI.ProductSerial; serial != "" && serial != id {
		return nil, fmt.Errorf("the metadata are for the instance %.40q, and the serial number in SMBIOS is %.40q", id, serial)
	}
	data := &datasource.Data{Source: "hetzner (" + bases[i] + ")", Meta: meta(id, t.text("hostname")), Raw: t.raw()}
	data.Meta.AvailabilityZone, data.Meta.Region = t.text("availability-zone"), t.text("region")
	data.Meta.PublicKeys = t.lines("public-keys")
	data.VendorData = []byte(t.text("vendor_data"))
	if config := t.at("network-config"); config.isObject() {
		if data.NetworkConfig, err = json.Marshal(config.value); err != nil {
			return nil, fmt.Errorf("network-config: %w", err)
		}
	}
	user, err := env.Web.Optional(ctx, bases[i]+"/userdata", nil)
	if err != nil {
		return nil, err
	}
	data.UserData = maybeBase64(user)
	return data, nil
}

// maybeBase64 decodes what is nothing but base64: clouds that cannot hold
// binary data have people encode them.
func maybeBase64(b []byte) []byte {
	text := strings.TrimSpace(string(b))
	if text == "" || strings.ContainsAny(text, "#: ") {
		return b
	}
	if decoded, err := decodeBase64("", text); err == nil {
		return decoded
	}
	return b
}

// zoned gives URLs of a link-local address, one for each interface.
func zoned(address string, env *datasource.Env) []string {
	if env.Interfaces == nil {
		return nil
	}
	var out []string
	for _, name := range env.Interfaces() {
		out = append(out, "http://["+address+"%25"+name+"]")
	}
	return out
}
