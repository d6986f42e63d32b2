package clouds

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/datasource"
	"github.com/testudo-os/testudo/pkg/datasource/web"
)

// OpenStack is Nova's metadata service.
type OpenStack struct{ Bases []string }

// Name is OpenStack's.
func (OpenStack) Name() string { return "openstack" }

// Detect looks for Nova's names, and for those of clouds that are made of it.
func (OpenStack) Detect(f *datasource.Facts) datasource.Match {
	nova := []string{"OpenStack Nova", "OpenStack Compute"}
	tags := append([]string{"OpenTelekomCloud", "SAP CCloud VM", "HUAWEICLOUD", "Samsung Cloud Platform"}, nova...)
	switch {
	case slices.Contains(nova, f.DMI.ProductName):
		return network("SMBIOS names " + f.DMI.ProductName)
	case slices.Contains(tags, f.DMI.ChassisAssetTag):
		return network("the chassis' asset tag is " + f.DMI.ChassisAssetTag)
	}
	return missing("SMBIOS does not name OpenStack")
}

// Fetch reads the newest version.
func (s OpenStack) Fetch(ctx context.Context, env *datasource.Env) (*datasource.Data, error) {
	bases := s.Bases
	if bases == nil {
		bases = append([]string{"http://169.254.169.254"}, zoned("fe80::a9fe:a9fe", env)...)
	}
	var requests []web.Request
	for _, b := range bases {
		requests = append(requests, web.Request{URL: b + "/openstack/latest/meta_data.json"})
	}
	i, response, err := env.Web.Any(ctx, requests...)
	if err != nil {
		return nil, err
	}
	return readOpenStack(ctx, "openstack ("+bases[i]+")", func(ctx context.Context, name string) ([]byte, error) {
		if name == "meta_data.json" {
			return response.Body, nil
		}
		body, err := env.Web.Get(ctx, bases[i]+"/openstack/latest/"+name, nil)
		if web.IsStatus(err, http.StatusNotFound) {
			return nil, fs.ErrNotExist
		}
		return body, err
	})
}

// ConfigDrive is the same on a volume.
type ConfigDrive struct{}

// Name is the drive's.
func (ConfigDrive) Name() string { return "configdrive" }

// configLabel is the volume's; CONFIG-2 counts as well.
const configLabel = "config-2"

// Detect looks for the label.
func (ConfigDrive) Detect(f *datasource.Facts) datasource.Match {
	for _, v := range f.Labelled(configLabel) {
		return datasource.Match{Found: true, Reason: v.Device + " has the label " + v.Label}
	}
	return datasource.Match{Reason: "no volume has the label " + configLabel}
}

// Fetch reads the first volume that holds metadata.
func (ConfigDrive) Fetch(ctx context.Context, env *datasource.Env) (*datasource.Data, error) {
	var errs []error
	for _, v := range env.Facts.Labelled(configLabel) {
		data, err := readDrive(ctx, env, v)
		if data != nil {
			return data, errors.Join(append(errs, err)...)
		}
		errs = append(errs, fmt.Errorf("%s: %w", v.Device, err))
	}
	if len(errs) == 0 {
		return nil, datasource.ErrNone
	}
	return nil, errors.Join(errs...)
}

func readDrive(ctx context.Context, env *datasource.Env, v datasource.Volume) (*datasource.Data, error) {
	return onVolume(env, v, func(dir string) (*datasource.Data, error) {
		version, err := newestVersion(dir)
		if err != nil {
			return nil, err
		}
		open := directory(dir)
		return readOpenStack(ctx, "configdrive ("+v.Device+")", func(ctx context.Context, name string) ([]byte, error) {
			return open(ctx, "openstack/"+version+"/"+name)
		})
	})
}

// newestVersion is "latest", or the last of the dates.
func newestVersion(dir string) (string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), "openstack")
	if err != nil {
		return "", fmt.Errorf("there is no folder openstack: %w", err)
	}
	for _, e := range slices.Backward(entries) { // by name: dates come before "latest"
		if _, err := root.Stat("openstack/" + e.Name() + "/meta_data.json"); err == nil {
			return e.Name(), nil
		}
	}
	return "", errors.New("there is no openstack/VERSION/meta_data.json")
}

// readOpenStack reads the files of one version.
func readOpenStack(ctx context.Context, name string, open opener) (*datasource.Data, error) {
	body, err := open(ctx, "meta_data.json")
	if err != nil {
		return nil, err
	}
	t, err := parseObject("meta_data.json", body)
	if err != nil {
		return nil, err
	}
	if t.text("uuid") == "" {
		return nil, errors.New("meta_data.json has no uuid")
	}
	data := &datasource.Data{Source: name, Meta: meta(t.text("uuid"), t.text("hostname")), Raw: t.raw()}
	data.Meta.AvailabilityZone = t.text("availability_zone")
	for _, k := range sorted(t.at("public_keys").keys()) {
		data.Meta.PublicKeys = append(data.Meta.PublicKeys, t.lines("public_keys", k)...)
	}
	var errs []error
	read := func(file string) []byte {
		content, err := open(ctx, file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("%s: %w", file, err))
		}
		return content
	}
	data.UserData = read("user_data")
	if data.VendorData, err = openStackVendor(read("vendor_data.json")); err != nil {
		errs = append(errs, err)
	}
	if data.NetworkConfig, err = openStackNetwork(read("network_data.json")); err != nil {
		errs = append(errs, err)
	}
	data.Partial = len(errs) > 0
	return data, errors.Join(errs...)
}

// openStackVendor takes a text, or the text below the key cloud-init; the rest
// of such an object is for others.
func openStackVendor(body []byte) ([]byte, error) {
	if len(strings.TrimSpace(string(body))) == 0 {
		return nil, nil
	}
	t, err := parseJSON("vendor_data.json", body)
	if err != nil {
		return nil, err
	}
	if t.isObject() {
		t = t.at("cloud-init")
	}
	return []byte(t.text()), nil
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}
