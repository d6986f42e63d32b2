package clouds

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/datasource"
)

// firmwarePrefix is ours among the names of fw_cfg, whose documentation gives
// opt/RFQDN/ to users.
const firmwarePrefix = "opt/io.testudo/"

// FirmwareConfig is a seed in QEMU's fw_cfg device:
// qemu -fw_cfg name=opt/io.testudo/user-data,file=FILE.
type FirmwareConfig struct{}

// Name is the device's.
func (FirmwareConfig) Name() string { return "fw_cfg" }

// Detect looks for our names.
func (FirmwareConfig) Detect(f *datasource.Facts) datasource.Match {
	var found []string
	for _, name := range f.Firmware {
		if rest, ok := strings.CutPrefix(name, firmwarePrefix); ok {
			found = append(found, rest)
		}
	}
	if len(found) == 0 {
		return datasource.Match{Reason: "QEMU's fw_cfg has no " + firmwarePrefix + "user-data"}
	}
	slices.Sort(found)
	return datasource.Match{Found: true, Reason: "QEMU's fw_cfg has " + firmwarePrefix + strings.Join(found, ", ")}
}

// Fetch reads the seed.
func (FirmwareConfig) Fetch(ctx context.Context, env *datasource.Env) (*datasource.Data, error) {
	return readSeed(ctx, "fw_cfg ("+firmwarePrefix+")", func(_ context.Context, name string) ([]byte, error) {
		if !slices.Contains(env.Facts.Firmware, firmwarePrefix+name) || env.Firmware == nil {
			return nil, fs.ErrNotExist
		}
		return env.Firmware(firmwarePrefix + name)
	})
}

// The forms of an OEM string, after systemd's io.systemd.credential.
const (
	credential       = "io.testudo.credential:"
	credentialBinary = "io.testudo.credential.binary:"
)

// SMBIOS is a seed in OEM strings of SMBIOS:
// qemu -smbios type=11,value=io.testudo.credential.binary:user-data=BASE64.
type SMBIOS struct{}

// Name is the table's.
func (SMBIOS) Name() string { return "smbios" }

// Detect looks for our strings. Reasons do not show values.
func (SMBIOS) Detect(f *datasource.Facts) datasource.Match {
	var found []string
	for _, s := range f.OEMStrings {
		if name, _, _, ok := splitCredential(s); ok {
			found = append(found, name)
		}
	}
	if len(found) == 0 {
		return datasource.Match{Reason: "no OEM string of SMBIOS begins with " + credential + "user-data="}
	}
	return datasource.Match{Found: true, Reason: "OEM strings of SMBIOS have " + strings.Join(found, ", ")}
}

// splitCredential reads PREFIX:NAME=VALUE.
func splitCredential(s string) (name, value string, binary, ok bool) {
	rest, binary := strings.CutPrefix(s, credentialBinary)
	if !binary {
		var text bool
		if rest, text = strings.CutPrefix(s, credential); !text {
			return "", "", false, false
		}
	}
	name, value, ok = strings.Cut(rest, "=")
	ok = ok && slices.Contains([]string{"user-data", "meta-data", "vendor-data", "network-config"}, name)
	return name, value, binary, ok
}

// Fetch reads the seed.
func (SMBIOS) Fetch(ctx context.Context, env *datasource.Env) (*datasource.Data, error) {
	return readSeed(ctx, "smbios (OEM strings)", func(_ context.Context, want string) ([]byte, error) {
		for _, s := range env.Facts.OEMStrings {
			name, value, binary, ok := splitCredential(s)
			if !ok || name != want {
				continue
			}
			if binary {
				return decodeBase64("the OEM string", value)
			}
			return []byte(value), nil
		}
		return nil, fs.ErrNotExist
	})
}

// VMware is guestinfo.* of VMware's hypervisor.
type VMware struct{}

// Name is cloud-init's name of it.
func (VMware) Name() string { return "vmware" }

// Detect looks for the vendor.
func (VMware) Detect(f *datasource.Facts) datasource.Match {
	if onVMware(f) {
		return datasource.Match{Found: true, Reason: "SMBIOS names " + f.DMI.Product()}
	}
	return datasource.Match{Reason: "SMBIOS does not name VMware"}
}

func onVMware(f *datasource.Facts) bool { return strings.HasPrefix(f.DMI.SysVendor, "VMware") }

// Fetch reads guestinfo.metadata, userdata and vendordata, each in the encoding
// that guestinfo.NAME.encoding names.
func (s VMware) Fetch(ctx context.Context, env *datasource.Env) (*datasource.Data, error) {
	if env.GuestInfo == nil {
		return nil, datasource.ErrNone
	}
	data := &datasource.Data{Source: "vmware (guestinfo)"}
	var metadata []byte
	found := false
	var errs []error
	for _, v := range []struct {
		name string
		into *[]byte
	}{{"metadata", &metadata}, {"userdata", &data.UserData}, {"vendordata", &data.VendorData}} {
		value, err := guestInfo(ctx, env, v.name)
		if err != nil {
			errs = append(errs, err)
		}
		*v.into = value
		found = found || len(value) > 0
	}
	if !found {
		if len(errs) == 0 {
			return nil, datasource.ErrNone
		}
		return nil, errors.Join(errs...)
	}
	t, err := parseYAML("guestinfo.metadata", metadata)
	if err != nil {
		errs = append(errs, err)
	}
	id := t.text("instance-id")
	if id == "" {
		id = strings.ToLower(env.Facts.DMI.ProductUUID)
	}
	data.Meta, data.Raw = meta(id, t.text("local-hostname")), t.raw()
	if data.Meta.Hostname == "" {
		data.Meta.Hostname = t.text("hostname")
	}
	data.Meta.PublicKeys = append(t.lines("public-keys-data"), t.lines("public_keys")...)
	if data.NetworkConfig, err = guestNetwork(t); err != nil {
		errs = append(errs, err)
	}
	data.Partial = len(errs) > 0
	return data, errors.Join(errs...)
}

// guestNetwork is the key network of the metadata: a configuration, or one
// encoded as network.encoding says.
func guestNetwork(t tree) ([]byte, error) {
	n := t.at("network")
	if n.isObject() {
		if inner := n.at("config"); inner.isObject() {
			n = inner
		}
		return n.raw(), nil
	}
	if n.text() == "" {
		return nil, nil
	}
	return decodeAs("network", n.text(), t.text("network.encoding"))
}

func guestInfo(ctx context.Context, env *datasource.Env, name string) ([]byte, error) {
	value, err := env.GuestInfo(ctx, name)
	if err != nil || value == "" || strings.TrimSpace(value) == "---" { // what provisioners leave to clear a value
		return nil, err
	}
	encoding, err := env.GuestInfo(ctx, name+".encoding")
	if err != nil {
		return nil, err
	}
	return decodeAs("guestinfo."+name, value, encoding)
}

// decodeAs undoes VMware's encodings. What is compressed stays so: taking that
// apart, bounded, is userdata's business, but metadata must be text.
func decodeAs(what, value, encoding string) ([]byte, error) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "":
		return []byte(value), nil
	case "b64", "base64":
		return decodeBase64(what, value)
	case "gz+b64", "gzip+base64", "gz+base64", "gzip+b64":
		packed, err := decodeBase64(what, value)
		if err != nil {
			return nil, err
		}
		return gunzip(what, packed)
	}
	return nil, fmt.Errorf("%s.encoding is %.40q, want base64 or gzip+base64", what, encoding)
}
