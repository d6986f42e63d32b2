package clouds

import (
	"context"
	"errors"
	"strings"

	"github.com/testudo-os/testudo/pkg/datasource"
	"github.com/testudo-os/testudo/pkg/datasource/web"
)

// Oracle is Oracle Cloud Infrastructure's metadata service, version 2, and
// version 1 where there is no other.
type Oracle struct{ Bases []string }

// Name is Oracle's.
func (Oracle) Name() string { return "oracle" }

// Detect looks for the asset tag.
func (Oracle) Detect(f *datasource.Facts) datasource.Match {
	if f.DMI.ChassisAssetTag == "OracleCloud.com" {
		return network("the chassis' asset tag is OracleCloud.com")
	}
	return missing("the chassis' asset tag is not OracleCloud.com")
}

// Fetch reads the instance's description.
func (s Oracle) Fetch(ctx context.Context, env *datasource.Env) (*datasource.Data, error) {
	bases := s.Bases
	if bases == nil {
		bases = []string{"http://169.254.169.254", "http://[fd00:c1::a9fe:a9fe]"}
	}
	var requests []web.Request
	for _, b := range bases {
		requests = append(requests, web.Request{URL: b + "/opc/v2/instance/", Header: map[string]string{"Authorization": "Bearer Oracle"}})
	}
	i, response, err := env.Web.Any(ctx, requests...)
	if web.IsStatus(err, 404) {
		response.Body, err = env.Web.Get(ctx, bases[i]+"/opc/v1/instance/", nil)
	}
	if err != nil {
		return nil, err
	}
	t, err := parseObject("the instance's description", response.Body)
	if err != nil {
		return nil, err
	}
	if t.text("id") == "" {
		return nil, errors.New("the instance's description has no id")
	}
	data := &datasource.Data{Source: "oracle (" + bases[i] + ")", Meta: meta(t.text("id"), t.text("hostname")), Raw: t.raw()}
	data.Meta.AvailabilityZone, data.Meta.Region = t.text("ociAdName"), t.text("canonicalRegionName")
	data.Meta.PublicKeys = t.lines("metadata", "ssh_authorized_keys")
	if text := t.text("metadata", "user_data"); strings.TrimSpace(text) != "" {
		if data.UserData, err = decodeBase64("metadata.user_data", text); err != nil {
			data.Partial = true
			return data, err
		}
	}
	return data, nil
}
