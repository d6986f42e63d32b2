package clouds

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/cmdline"
	"github.com/testudo-os/testudo/pkg/datasource"
)

// files makes a directory that holds them.
func files(t *testing.T, list map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range list {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// volumes are directories in the place of devices.
type volumes struct {
	dirs               map[string]string
	mounted, unmounted int
}

func (v *volumes) Mount(d datasource.Volume) (string, func() error, error) {
	dir, ok := v.dirs[d.Device]
	if !ok {
		return "", nil, errors.New("wrong fs type")
	}
	v.mounted++
	return dir, func() error { v.unmounted++; return nil }, nil
}

const seedMeta = "instance-id: i-1\nlocal-hostname: tortoise\nrole: web\n"

func TestSeedInADirectory(t *testing.T) {
	for _, test := range []struct {
		name    string
		files   map[string]string
		want    *datasource.Data // Source is filled in
		problem string
	}{
		{"everything", map[string]string{"user-data": "u", "meta-data": seedMeta, "vendor-data": "v", "network-config": "n"},
			&datasource.Data{
				Meta: datasource.Meta{InstanceID: "i-1", Hostname: "tortoise"}, UserData: []byte("u"), VendorData: []byte("v"), NetworkConfig: []byte("n"),
				Raw: []byte(`{"instance-id":"i-1","local-hostname":"tortoise","role":"web"}`),
			}, ""},
		{"user-data alone has the default instance", map[string]string{"user-data": "u"}, &datasource.Data{Meta: datasource.Meta{InstanceID: datasource.DefaultInstance}, UserData: []byte("u")}, ""},
		{"an empty directory is no seed", nil, nil, datasource.ErrNone.Error()},
		{"network-config alone is no seed", map[string]string{"network-config": "n"}, nil, datasource.ErrNone.Error()},
		{"meta-data that is garbage leaves user-data usable", map[string]string{"user-data": "u", "meta-data": "\x00\xff{{{"},
			&datasource.Data{Meta: datasource.Meta{InstanceID: datasource.DefaultInstance}, UserData: []byte("u"), Partial: true}, "meta-data: "},
		{"user-data that is far too large", map[string]string{"user-data": strings.Repeat("x", maxFile+1), "meta-data": "instance-id: i-1"},
			&datasource.Data{Meta: datasource.Meta{InstanceID: "i-1"}, Partial: true, Raw: []byte(`{"instance-id":"i-1"}`)}, "read user-data: larger than 4194304 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := files(t, test.files)
			got, err := NoCloud{Dir: dir}.Fetch(t.Context(), env(datasource.Facts{}))
			if test.want != nil {
				test.want.Source = "nocloud (" + dir + ")"
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
			if (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
				t.Errorf("got %v, want %q", err, test.problem)
			}
		})
	}
	t.Run("no directory is no seed", func(t *testing.T) {
		if _, err := (NoCloud{Dir: filepath.Join(t.TempDir(), "x")}).Fetch(t.Context(), env(datasource.Facts{})); !errors.Is(err, datasource.ErrNone) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a link out of the seed is not followed", func(t *testing.T) {
		dir := files(t, map[string]string{"meta-data": seedMeta})
		outside := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(outside, filepath.Join(dir, "user-data")); err != nil {
			t.Fatal(err)
		}
		got, err := NoCloud{Dir: dir}.Fetch(t.Context(), env(datasource.Facts{}))
		if got == nil || len(got.UserData) != 0 || err == nil {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

func TestSeedOnAVolume(t *testing.T) {
	a, b := datasource.Volume{Device: "/dev/vdb", Type: "vfat", Label: "CIDATA"}, datasource.Volume{Device: "/dev/sr0", Type: "iso9660", Label: "cidata"}
	other := datasource.Volume{Device: "/dev/vda1", Type: "vfat", Label: "TESTUDO_ESP"}
	seed, empty := map[string]string{"user-data": "u"}, map[string]string{}
	for _, test := range []struct {
		name    string
		volumes []datasource.Volume
		dirs    map[string]map[string]string
		want    string // user data
		problem string
	}{
		{"a volume", []datasource.Volume{other, a}, map[string]map[string]string{"/dev/vdb": seed}, "u", ""},
		{"an optical disc", []datasource.Volume{b}, map[string]map[string]string{"/dev/sr0": seed}, "u", ""},
		{"no volume", []datasource.Volume{other}, nil, "", datasource.ErrNone.Error()},
		{"the first does not mount, the second does", []datasource.Volume{a, b}, map[string]map[string]string{"/dev/sr0": seed}, "u", "/dev/vdb: wrong fs type"},
		{"an empty volume is said", []datasource.Volume{a}, map[string]map[string]string{"/dev/vdb": empty}, "", "neither user-data nor meta-data"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := &volumes{dirs: map[string]string{}}
			for device, list := range test.dirs {
				v.dirs[device] = files(t, list)
			}
			e := env(datasource.Facts{Volumes: test.volumes})
			e.Volumes = v
			data, err := NoCloud{}.Fetch(t.Context(), e)
			got := ""
			if data != nil {
				got = string(data.UserData)
			}
			if got != test.want || (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
				t.Errorf("got %q, %v; want %q, %q", got, err, test.want, test.problem)
			}
			if v.mounted != v.unmounted {
				t.Errorf("%d mounts, %d unmounts", v.mounted, v.unmounted)
			}
		})
	}
}

func TestSeedAtAURL(t *testing.T) {
	full := map[string]answer{"/seed/user-data": text("u"), "/seed/meta-data": text(seedMeta), "/seed/network-config": text("n")}
	moved := map[string]answer{"/seed/user-data": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/there", http.StatusFound) }, "/there": text("u")}
	mine := map[string]answer{"/SN-1/u-1/user-data": text("u")}
	for _, test := range []struct {
		name, line string // URL stands for the server's
		answers    map[string]answer
		want       datasource.Meta
		problem    string
	}{
		{"a seed", "ds=nocloud;s=URL/seed/", full, datasource.Meta{InstanceID: "i-1", Hostname: "tortoise"}, ""},
		{"the line has the last word on names", "ds=nocloud;s=URL/seed/;h=other;i=i-2", full, datasource.Meta{InstanceID: "i-2", Hostname: "other"}, ""},
		{"user-data alone", "ds=nocloud;s=URL/seed/", map[string]answer{"/seed/user-data": text("u")}, datasource.Meta{InstanceID: "nocloud"}, ""},
		{"a redirection", "ds=nocloud;s=URL/seed/", moved, datasource.Meta{InstanceID: "nocloud"}, ""},
		{"names of the machine in the URL", "ds=nocloud;s=URL/__dmi.system-serial-number__/__dmi.system-uuid__/", mine, datasource.Meta{InstanceID: "nocloud"}, ""},
		{"nothing there", "ds=nocloud;s=URL/seed/", nil, datasource.Meta{}, "neither user-data nor meta-data"},
		{"forbidden", "ds=nocloud;s=URL/seed/", map[string]answer{"/seed/user-data": status(403), "/seed/meta-data": status(403)}, datasource.Meta{}, "403 Forbidden"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := serve(t, test.answers)
			f := datasource.Facts{Cmdline: cmdline.Parse(strings.ReplaceAll(test.line, "URL", c.URL)), DMI: datasource.DMI{ProductSerial: "SN-1", ProductUUID: "U-1"}}
			if m := (NoCloud{}).Detect(&f); !m.Found || m.Needs != datasource.Network {
				t.Errorf("detected: %+v", m)
			}
			got, err := NoCloud{}.Fetch(within(t, 10*time.Second), env(f))
			if test.problem != "" {
				if err == nil || !strings.Contains(err.Error(), test.problem) {
					t.Errorf("got %v, want %s", err, test.problem)
				}
				return
			}
			if err != nil || string(got.UserData) != "u" || !reflect.DeepEqual(got.Meta, test.want) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestUserDataAtAURL(t *testing.T) {
	c := serve(t, map[string]answer{"/u": text(userData)})
	fetch := func(line string) (*datasource.Data, error) {
		return URL{}.Fetch(within(t, 3*time.Second), env(datasource.Facts{Cmdline: cmdline.Parse(line)}))
	}
	got, err := fetch("testudo.datasource=" + c.URL + "/u")
	if err != nil || string(got.UserData) != userData {
		t.Fatalf("got %+v, %v", got, err)
	}
	again, err := fetch("testudo.datasource=" + c.URL + "/u")
	if err != nil || again.Meta.InstanceID != got.Meta.InstanceID {
		t.Errorf("the same URL is another instance: %v", err)
	}
	if _, err := fetch("testudo.datasource=" + c.URL + "/none"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("nothing there: got %v", err)
	}
	if _, err := fetch("testudo.datasource=url"); !errors.Is(err, datasource.ErrNone) {
		t.Errorf("no URL: got %v", err)
	}
	path := filepath.Join(files(t, map[string]string{"u": "local"}), "u")
	if got, err := fetch("testudo.datasource=file://" + path); err != nil || string(got.UserData) != "local" {
		t.Errorf("a file: got %+v, %v", got, err)
	}
	if m := (URL{}).Detect(&datasource.Facts{Cmdline: cmdline.Parse("testudo.datasource=file://" + path)}); m.Needs != datasource.Nothing {
		t.Errorf("a file needs %q", m.Needs)
	}
}

func TestConfigDrive(t *testing.T) {
	drive := datasource.Volume{Device: "/dev/sr0", Type: "iso9660", Label: "config-2"}
	for _, test := range []struct {
		name    string
		files   map[string]string
		want    string // instance and user data
		problem string
	}{
		{"the newest version", map[string]string{
			"openstack/2012-08-10/meta_data.json": `{"uuid": "old"}`, "openstack/latest/meta_data.json": openStackMeta,
			"openstack/latest/user_data": "u", "openstack/latest/network_data.json": openStackNet,
		}, "83679162-1378-4288-a2d4-70e13ec132aa u", ""},
		{"a date, where nothing is called latest", map[string]string{"openstack/2012-08-10/meta_data.json": `{"uuid": "old"}`, "openstack/2018-08-27/meta_data.json": `{"uuid": "new"}`}, "new ", ""},
		{"another cloud's", map[string]string{"ec2/latest/meta-data.json": "{}"}, "", "no folder openstack"},
		{"without metadata", map[string]string{"openstack/latest/user_data": "u"}, "", "no openstack/VERSION/meta_data.json"},
		{"garbage", map[string]string{"openstack/latest/meta_data.json": "\x00"}, "", "meta_data.json is not JSON"},
		{"a network that cannot be", map[string]string{"openstack/latest/meta_data.json": `{"uuid": "x"}`, "openstack/latest/network_data.json": `{"links": [{"id": "a", "type": "phy"}]}`}, "x ", "no ethernet_mac_address"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := &volumes{dirs: map[string]string{"/dev/sr0": files(t, test.files)}}
			e := env(datasource.Facts{Volumes: []datasource.Volume{drive}})
			e.Volumes = v
			data, err := ConfigDrive{}.Fetch(t.Context(), e)
			got := ""
			if data != nil {
				got = data.Meta.InstanceID + " " + string(data.UserData)
			}
			if got != test.want || (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
				t.Errorf("got %q, %v; want %q, %q", got, err, test.want, test.problem)
			}
			if data != nil && data.Partial != (test.problem != "") {
				t.Errorf("partial: %v", data.Partial)
			}
			if v.mounted != v.unmounted {
				t.Errorf("%d mounts, %d unmounts", v.mounted, v.unmounted)
			}
		})
	}
}

func TestOpenStackNetworkWithBondsAndVLANs(t *testing.T) {
	got, err := openStackNetwork([]byte(`{"links": [
		{"id": "eth0", "type": "phy", "ethernet_mac_address": "0c:c4:7a:34:6e:3c"}, {"id": "eth1", "type": "phy", "ethernet_mac_address": "0c:c4:7a:34:6e:3d"},
		{"id": "bond0", "type": "bond", "bond_links": ["eth0", "eth1"], "bond_mode": "802.3ad", "ethernet_mac_address": "0c:c4:7a:34:6e:3c"},
		{"id": "bond0.602", "type": "vlan", "vlan_id": 602, "vlan_link": "bond0", "vlan_mac_address": "fa:16:3e:b3:72:30"}],
		"networks": [{"id": "n", "type": "ipv4", "link": "bond0.602", "ip_address": "10.0.1.5", "netmask": "24", "gateway": "10.0.1.1"}, {"type": "ipv6_slaac", "link": "bond0"}]}`))
	want := `{"version":2,"ethernets":{"eth0":{"match":{"macaddress":"0c:c4:7a:34:6e:3c"},"dhcp4":false},"eth1":{"match":{"macaddress":"0c:c4:7a:34:6e:3d"},"dhcp4":false}},` +
		`"vlans":{"bond0.602":{"id":602,"link":"bond0","macaddress":"fa:16:3e:b3:72:30","dhcp4":false,"addresses":["10.0.1.5/24"],"routes":[{"to":"0.0.0.0/0","via":"10.0.1.1"}]}},` +
		`"bonds":{"bond0":{"interfaces":["eth0","eth1"],"parameters":{"mode":"802.3ad"},"macaddress":"0c:c4:7a:34:6e:3c","dhcp4":false,"accept-ra":true}}}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}

func TestFirmwareConfigAndSMBIOS(t *testing.T) {
	e := env(datasource.Facts{Firmware: []string{"opt/io.testudo/user-data", "opt/io.testudo/meta-data"}, OEMStrings: []string{
		"io.testudo.credential.binary:user-data=" + base64.StdEncoding.EncodeToString([]byte(userData)), "io.testudo.credential:meta-data=instance-id: i-2",
	}})
	e.Firmware = func(name string) ([]byte, error) {
		switch name {
		case "opt/io.testudo/user-data":
			return []byte(userData), nil
		case "opt/io.testudo/meta-data":
			return []byte("instance-id: i-1"), nil
		}
		return nil, fs.ErrNotExist
	}
	got, err := FirmwareConfig{}.Fetch(t.Context(), e)
	if err != nil || string(got.UserData) != userData || got.Meta.InstanceID != "i-1" {
		t.Errorf("fw_cfg: got %+v, %v", got, err)
	}
	got, err = SMBIOS{}.Fetch(t.Context(), e)
	if err != nil || string(got.UserData) != userData || got.Meta.InstanceID != "i-2" {
		t.Errorf("SMBIOS: got %+v, %v", got, err)
	}
	e.Facts.OEMStrings = []string{"io.testudo.credential.binary:user-data=!!!"}
	if got, err := (SMBIOS{}).Fetch(t.Context(), e); got != nil || err == nil || !strings.Contains(err.Error(), "not base64") {
		t.Errorf("garbage: got %+v, %v", got, err)
	}
}

func packedText(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

func TestVMwareGuestInfo(t *testing.T) {
	dmi := datasource.DMI{SysVendor: "VMware, Inc.", ProductUUID: "42113A5B-0000-4000-8000-0000000000AA"}
	network := `{"version":2,"ethernets":{"nics":{"match":{"name":"ens*"},"dhcp4":true}}}`
	for _, test := range []struct {
		name    string
		values  map[string]string
		want    *datasource.Data
		problem string
	}{
		{"plain", map[string]string{"userdata": "u", "metadata": "instance-id: i-1\nlocal-hostname: tortoise\npublic-keys-data: |\n  ssh-ed25519 AAAA0 mine\n"},
			&datasource.Data{Meta: datasource.Meta{InstanceID: "i-1", Hostname: "tortoise", PublicKeys: []string{"ssh-ed25519 AAAA0 mine"}}, UserData: []byte("u")}, ""},
		{"encoded", map[string]string{"userdata": packedText(t, "u"), "userdata.encoding": "gzip+base64", "metadata": base64.StdEncoding.EncodeToString([]byte("instance-id: i-1")), "metadata.encoding": "b64"},
			&datasource.Data{Meta: datasource.Meta{InstanceID: "i-1"}, UserData: []byte("u")}, ""},
		{"without an id the machine's own counts", map[string]string{"userdata": "u"},
			&datasource.Data{Meta: datasource.Meta{InstanceID: "42113a5b-0000-4000-8000-0000000000aa"}, UserData: []byte("u")}, ""},
		{"a network", map[string]string{"metadata": "network:\n  version: 2\n  ethernets:\n    nics: {match: {name: ens*}, dhcp4: true}"},
			&datasource.Data{Meta: datasource.Meta{InstanceID: "42113a5b-0000-4000-8000-0000000000aa"}, NetworkConfig: []byte(`{"ethernets":{"nics":{"dhcp4":true,"match":{"name":"ens*"}}},"version":2}`)}, ""},
		{"an encoded network", map[string]string{"metadata": "network: " + packedText(t, network) + "\nnetwork.encoding: gzip+base64"},
			&datasource.Data{Meta: datasource.Meta{InstanceID: "42113a5b-0000-4000-8000-0000000000aa"}, NetworkConfig: []byte(network)}, ""},
		{"cleared", map[string]string{"userdata": "---", "metadata": ""}, nil, datasource.ErrNone.Error()},
		{"nothing", nil, nil, datasource.ErrNone.Error()},
		{"an encoding that is none", map[string]string{"userdata": "u", "userdata.encoding": "rot13"}, nil, `guestinfo.userdata.encoding is "rot13"`},
		{"garbage", map[string]string{"userdata": "\x00", "userdata.encoding": "gz+b64"}, nil, "not base64"},
		{"metadata that are garbage", map[string]string{"userdata": "u", "metadata": "{{{"},
			&datasource.Data{Meta: datasource.Meta{InstanceID: "42113a5b-0000-4000-8000-0000000000aa"}, UserData: []byte("u"), Partial: true}, "guestinfo.metadata is not YAML"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := env(datasource.Facts{DMI: dmi})
			e.GuestInfo = func(_ context.Context, name string) (string, error) { return test.values[name], nil }
			got, err := VMware{}.Fetch(t.Context(), e)
			if (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
				t.Errorf("got %v, want %q", err, test.problem)
			}
			if got != nil {
				got.Raw = nil
				for _, b := range []*[]byte{&got.UserData, &got.VendorData, &got.NetworkConfig} {
					if len(*b) == 0 {
						*b = nil
					}
				}
				test.want.Source = "vmware (guestinfo)"
			}
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

const ovfText = `<?xml version="1.0" encoding="UTF-8"?>
<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:oe="http://schemas.dmtf.org/ovf/environment/1" oe:id="">
  <PlatformSection><Kind>VMware ESXi</Kind></PlatformSection>
  <PropertySection>
    <Property oe:key="instance-id" oe:value="i-1"/><Property oe:key="hostname" oe:value="tortoise"/>
    <Property oe:key="public-keys" oe:value="ssh-ed25519 AAAA0 mine"/>
    <Property oe:key="user-data" oe:value="I2Nsb3VkLWNvbmZpZwpob3N0bmFtZTogZnJvbS11c2VyLWRhdGEK"/>
  </PropertySection>
</Environment>`

func TestOVF(t *testing.T) {
	disc := datasource.Volume{Device: "/dev/sr0", Type: "iso9660", Label: "OVF ENV"}
	v := &volumes{dirs: map[string]string{"/dev/sr0": files(t, map[string]string{"ovf-env.xml": ovfText})}}
	e := env(datasource.Facts{Volumes: []datasource.Volume{disc}})
	e.Volumes = v
	check := func(got *datasource.Data, err error) {
		t.Helper()
		if err != nil || got.Meta.InstanceID != "i-1" || got.Meta.Hostname != "tortoise" || string(got.UserData) != userData || len(got.Meta.PublicKeys) != 1 {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	check(OVF{}.Fetch(t.Context(), e))
	if v.mounted != 1 || v.unmounted != 1 {
		t.Errorf("%d mounts, %d unmounts", v.mounted, v.unmounted)
	}
	g := env(datasource.Facts{DMI: datasource.DMI{SysVendor: "VMware, Inc."}})
	value := ovfText
	g.GuestInfo = func(context.Context, string) (string, error) { return value, nil }
	check(OVF{}.Fetch(t.Context(), g))
	value = ""
	if _, err := (OVF{}).Fetch(t.Context(), g); !errors.Is(err, datasource.ErrNone) {
		t.Errorf("nothing set: got %v", err)
	}
	value = "<Environment><PropertySection><Property key='admin' value='x'/></PropertySection></Environment>"
	if _, err := (OVF{}).Fetch(t.Context(), g); !errors.Is(err, datasource.ErrNone) {
		t.Errorf("another appliance's: got %v", err)
	}
	value = "<Envi"
	if _, err := (OVF{}).Fetch(t.Context(), g); err == nil || !strings.Contains(err.Error(), "not an OVF environment") {
		t.Errorf("garbage: got %v", err)
	}
}

const azureText = `<?xml version="1.0" encoding="utf-8"?>
<ns0:Environment xmlns="http://schemas.dmtf.org/ovf/environment/1" xmlns:ns0="http://schemas.dmtf.org/ovf/environment/1" xmlns:ns1="http://schemas.microsoft.com/windowsazure">
 <ns1:ProvisioningSection><ns1:Version>1.0</ns1:Version><ns1:LinuxProvisioningConfigurationSet>
  <ns1:ConfigurationSetType>LinuxProvisioningConfiguration</ns1:ConfigurationSetType><ns1:HostName>from-disc</ns1:HostName><ns1:UserName>me</ns1:UserName>
  <ns1:CustomData>Y3VzdG9t</ns1:CustomData>
  <ns1:SSH><ns1:PublicKeys><ns1:PublicKey><ns1:Fingerprint>AB</ns1:Fingerprint><ns1:Path>/home/me</ns1:Path><ns1:Value>ssh-ed25519 AAAA2 disc</ns1:Value></ns1:PublicKey></ns1:PublicKeys></ns1:SSH>
 </ns1:LinuxProvisioningConfigurationSet></ns1:ProvisioningSection>
</ns0:Environment>`

func TestAzureWithItsDisc(t *testing.T) {
	c := serve(t, answersOf("azure"))
	e := env(datasource.Facts{Volumes: []datasource.Volume{{Device: "/dev/sr0", Type: "udf"}, {Device: "/dev/vda1", Type: "vfat", Label: "EFI"}}})
	e.Volumes = &volumes{dirs: map[string]string{"/dev/sr0": files(t, map[string]string{"ovf-env.xml": azureText})}}
	got, err := at("azure", c.URL).Fetch(t.Context(), e)
	if err != nil || string(got.UserData) != "custom" || got.Meta.Hostname != "from-disc" || got.Meta.PublicKeys[0] != "ssh-ed25519 AAAA0 mine" {
		t.Errorf("got %+v, %v", got, err)
	}
	e.Volumes = &volumes{dirs: map[string]string{"/dev/sr0": files(t, map[string]string{"ovf-env.xml": "<"})}}
	if got, err := at("azure", c.URL).Fetch(t.Context(), e); err == nil || got == nil || !got.Partial || string(got.UserData) != userData {
		t.Errorf("a disc that is garbage: got %+v, %v", got, err)
	}
}

func FuzzMetadata(f *testing.F) {
	for _, seed := range []string{openStackMeta, openStackNet, ovfText, azureText, seedMeta, `{"interfaces": {"public": [{"ipv4": {"ip_address": "1.2.3.4", "netmask": "255.0.0.0"}}]}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if config, err := openStackNetwork(b); err == nil && len(config) > 0 && !bytes.Contains(config, []byte(`"version":2`)) {
			t.Errorf("got %s", config)
		}
		if o, err := parseObject("x", b); err == nil {
			if _, err := dropletNetwork(o); err != nil && err.Error() == "" {
				t.Error("an error without words")
			}
			(GCE{DefaultUser: "x"}).keys(o, o)
			_ = o.raw()
		}
		if o, err := parseYAML("x", b); err == nil {
			_ = o.raw()
			_, _ = guestNetwork(o)
		}
		_, _ = openStackVendor(b)
		for _, parse := range []func(string, []byte) (*datasource.Data, error){parseOVF, parseAzure} {
			if d, err := parse("x", b); d == nil && err == nil {
				t.Error("neither data nor an error")
			}
		}
		_, _ = decodeAs("x", string(b), "gz+b64")
		_, _ = parseOVF("x", b)
	})
}

func FuzzPrefix(f *testing.F) {
	f.Add("10.0.0.1", "255.255.255.0")
	f.Add("2001:db8::1", "64")
	f.Add("fd00::1/64", "")
	f.Fuzz(func(t *testing.T, address, mask string) {
		if p, err := prefix(address, mask); err == nil && !strings.Contains(p, "/") {
			t.Errorf("%q, %q: %s", address, mask, p)
		}
	})
}
