package clouds

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/testudo-os/testudo/pkg/datasource"
	"github.com/testudo-os/testudo/pkg/datasource/web"
)

// Scaleway is its metadata service, which gives user data only to requests from
// ports that root alone can use.
type Scaleway struct{ Bases []string }

// Name is Scaleway's.
func (Scaleway) Name() string { return "scaleway" }

// Detect looks for the vendor, or the argument that its boot scripts give.
func (Scaleway) Detect(f *datasource.Facts) datasource.Match {
	if f.DMI.SysVendor == "Scaleway" {
		return network("SMBIOS names Scaleway")
	}
	if _, ok := f.Cmdline.Get("scaleway"); ok {
		return network("the kernel's command line says scaleway")
	}
	return missing("SMBIOS does not name Scaleway")
}

// Fetch reads the description, then user and vendor data.
func (s Scaleway) Fetch(ctx context.Context, env *datasource.Env) (*datasource.Data, error) {
	bases := s.Bases
	if bases == nil {
		bases = []string{"http://169.254.42.42", "http://[fd00:42::42]"}
	}
	var requests []web.Request
	for _, b := range bases {
		requests = append(requests, web.Request{URL: b + "/conf?format=json"})
	}
	i, response, err := env.Web.Any(ctx, requests...)
	if err != nil {
		return nil, err
	}
	t, err := parseObject("the description", response.Body)
	if err != nil {
		return nil, err
	}
	if t.text("id") == "" {
		return nil, errors.New("the description has no id")
	}
	data := &datasource.Data{Source: "scaleway (" + bases[i] + ")", Meta: meta(t.text("id"), t.text("hostname")), Raw: t.raw()}
	data.Meta.AvailabilityZone = t.text("location", "zone_id")
	for _, k := range t.list("ssh_public_keys") {
		data.Meta.PublicKeys = append(data.Meta.PublicKeys, k.lines("key")...)
	}
	for _, tag := range t.lines("tags") {
		if key, ok := strings.CutPrefix(tag, "AUTHORIZED_KEY="); ok {
			data.Meta.PublicKeys = append(data.Meta.PublicKeys, strings.ReplaceAll(key, "_", " "))
		}
	}
	for path, into := range map[string]*[]byte{"/user_data/cloud-init": &data.UserData, "/vendor_data/cloud-init": &data.VendorData} {
		r, err := env.Web.Do(ctx, web.Request{URL: bases[i] + path, Private: true})
		if err != nil && !web.IsStatus(err, http.StatusNotFound) {
			return nil, err
		}
		*into = r.Body
	}
	return data, nil
}
