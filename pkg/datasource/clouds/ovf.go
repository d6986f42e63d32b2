package clouds

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/testudo-os/testudo/pkg/datasource"
)

// OVF is an OVF environment: properties of a virtual appliance, on a disc or in
// guestinfo.ovfEnv.
type OVF struct{}

// Name is the standard's.
func (OVF) Name() string { return "ovf" }

var ovfLabels = []string{"OVF-TRANSPORT", "OVFENV", "OVF ENV"}

// Detect looks for a disc with the label, or for VMware.
func (OVF) Detect(f *datasource.Facts) datasource.Match {
	for _, v := range f.Labelled(ovfLabels...) {
		return datasource.Match{Found: true, Reason: v.Device + " has the label " + v.Label}
	}
	if onVMware(f) {
		return datasource.Match{Found: true, Reason: "SMBIOS names " + f.DMI.Product() + ", which may have guestinfo.ovfEnv"}
	}
	return datasource.Match{Reason: "no disc has a label such as OVF ENV, and SMBIOS does not name VMware"}
}

// Fetch reads guestinfo, then the disc.
func (OVF) Fetch(ctx context.Context, env *datasource.Env) (*datasource.Data, error) {
	var errs []error
	if onVMware(env.Facts) && env.GuestInfo != nil {
		text, err := env.GuestInfo(ctx, "ovfEnv")
		if err != nil {
			errs = append(errs, err)
		}
		if strings.TrimSpace(text) != "" {
			return parseOVF("guestinfo.ovfEnv", []byte(text))
		}
	}
	data, err := readOVF(ctx, env, env.Facts.Labelled(ovfLabels...), parseOVF)
	if data == nil && !errors.Is(err, datasource.ErrNone) || data == nil && len(errs) > 0 {
		if errors.Is(err, datasource.ErrNone) {
			err = nil
		}
		return nil, errors.Join(append(errs, err)...)
	}
	return data, err
}

// ovfEnvironment is DMTF DSP0243's, section 11, as far as we use it.
type ovfEnvironment struct {
	Properties []struct {
		Key   string `xml:"key,attr"`
		Value string `xml:"value,attr"`
	} `xml:"PropertySection>Property"`
}

// parseOVF takes cloud-init's properties: instance-id, hostname, public-keys,
// user-data and network-config, the last two as base64.
func parseOVF(what string, text []byte) (*datasource.Data, error) {
	var e ovfEnvironment
	if err := decodeXML(what, text, &e); err != nil {
		return nil, err
	}
	data := &datasource.Data{Source: "ovf (" + what + ")"}
	properties := map[string]any{}
	var id, host string
	var errs []error
	found := false
	for _, p := range e.Properties {
		properties[p.Key] = p.Value
		known := true
		switch p.Key {
		case "instance-id":
			id = p.Value
		case "hostname", "local-hostname":
			host = p.Value
		case "public-keys":
			data.Meta.PublicKeys = tree{p.Value}.lines()
		case "user-data":
			data.UserData = maybeBase64([]byte(p.Value))
		case "network-config":
			config, err := decodeBase64("the property network-config", p.Value)
			if err != nil {
				errs = append(errs, err)
			}
			data.NetworkConfig = config
		default:
			known = false
		}
		found = found || known && p.Value != ""
	}
	if !found {
		return nil, datasource.ErrNone // an appliance's own properties
	}
	keys := data.Meta.PublicKeys
	data.Meta = meta(id, host)
	data.Meta.PublicKeys = keys
	raw, err := json.Marshal(properties)
	if err != nil {
		errs = append(errs, err)
	}
	data.Raw, data.Partial = raw, len(errs) > 0
	return data, errors.Join(errs...)
}

// gunzip unpacks at most maxFile bytes.
func gunzip(what string, packed []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("%s is not gzip: %w", what, err)
	}
	out, err := io.ReadAll(io.LimitReader(z, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s is not gzip: %w", what, err)
	}
	if len(out) > maxFile {
		return nil, fmt.Errorf("%s unpacks to more than %d bytes", what, maxFile)
	}
	return out, nil
}
