package clouds

import (
	"slices"
	"strings"
	"testing"

	"github.com/testudo-os/testudo/pkg/cmdline"
	"github.com/testudo-os/testudo/pkg/datasource"
)

// The strings are those of machines of each kind, as cloud-init's and systemd's
// test data and the clouds' documentation show them.
func TestDetect(t *testing.T) {
	type dmi = datasource.DMI
	cidata := datasource.Volume{Device: "/dev/sr0", Type: "iso9660", Label: "cidata"}
	for _, test := range []struct {
		name  string
		facts datasource.Facts
		want  string // the candidates in order
	}{
		{"a PC", datasource.Facts{DMI: dmi{SysVendor: "Dell Inc.", ProductName: "PowerEdge R640", ProductSerial: "8XJK2N2", ProductUUID: "4c4c4544-0058-4a10-804b-b8c04f324e32"}}, ""},
		{"a PC whose UUID happens to begin with ec2", datasource.Facts{DMI: dmi{SysVendor: "Supermicro", ProductUUID: "ec2a1b2c-0000-1000-8000-ac1f6b000000"}}, ""},
		{"nothing at all", datasource.Facts{}, ""},
		{"QEMU on a laptop", datasource.Facts{DMI: dmi{SysVendor: "QEMU", ProductName: "Standard PC (Q35 + ICH9, 2009)", ChassisVendor: "QEMU"}}, ""},
		{"Hyper-V that is not Azure", datasource.Facts{DMI: dmi{SysVendor: "Microsoft Corporation", ProductName: "Virtual Machine", ChassisAssetTag: "5187-2338-4011-3409-7621-0433-59"}}, ""},
		{"VirtualBox", datasource.Facts{DMI: dmi{SysVendor: "innotek GmbH", ProductName: "VirtualBox"}}, ""},

		{"EC2 Nitro", datasource.Facts{DMI: dmi{SysVendor: "Amazon EC2", ProductName: "t3.micro", BIOSVendor: "Amazon EC2", ProductUUID: "ec2b1d6a-5a4f-9b6c-8b1c-1a2b3c4d5e6f", ProductSerial: "ec2b1d6a-5a4f-9b6c-8b1c-1a2b3c4d5e6f", ChassisAssetTag: "Amazon EC2"}}, "ec2"},
		{"EC2 on Xen", datasource.Facts{Hypervisor: "ec2e1916-9099-7caf-fd21-012345abcdef", DMI: dmi{SysVendor: "Xen", ProductName: "HVM domU"}}, "ec2"},
		{"EC2 on Xen without its hypervisor folder", datasource.Facts{DMI: dmi{SysVendor: "Xen", ProductName: "HVM domU", ProductUUID: "EC2E1916-9099-7CAF-FD21-012345ABCDEF"}}, "ec2"},
		{"Xen elsewhere", datasource.Facts{DMI: dmi{SysVendor: "Xen", ProductName: "HVM domU", ProductUUID: "a2c1e916-9099-7caf-fd21-012345abcdef"}}, ""},
		{"Outscale", datasource.Facts{DMI: dmi{SysVendor: "3DS Outscale", ProductName: "3DS Outscale VM"}}, "ec2"},
		{"Brightbox", datasource.Facts{DMI: dmi{ProductSerial: "srv-otuxg.gb1.brightbox.com"}}, "ec2"},
		{"GCE", datasource.Facts{DMI: dmi{SysVendor: "Google", ProductName: "Google Compute Engine", ProductSerial: "GoogleCloud-8F2E88F"}}, "gce"},
		{"GCE by its serial number", datasource.Facts{DMI: dmi{ProductSerial: "GoogleCloud-8F2E88F"}}, "gce"},
		{"Azure", datasource.Facts{DMI: dmi{SysVendor: "Microsoft Corporation", ProductName: "Virtual Machine", ChassisAssetTag: "7783-7084-3265-9085-8269-3286-77"}}, "azure"},
		{"Oracle", datasource.Facts{DMI: dmi{SysVendor: "QEMU", ChassisAssetTag: "OracleCloud.com"}}, "oracle"},
		{"Hetzner", datasource.Facts{DMI: dmi{SysVendor: "Hetzner", ProductName: "vServer", ProductSerial: "12345678"}}, "hetzner"},
		{"DigitalOcean", datasource.Facts{DMI: dmi{SysVendor: "DigitalOcean", ProductName: "Droplet", ProductSerial: "22532410"}}, "digitalocean"},
		{"Vultr", datasource.Facts{DMI: dmi{SysVendor: "Vultr", ProductName: "VC2"}}, "vultr"},
		{"Vultr's bare metal", datasource.Facts{DMI: dmi{SysVendor: "Supermicro"}, Cmdline: cmdline.Parse("quiet vultr")}, "vultr"},
		{"Scaleway", datasource.Facts{DMI: dmi{SysVendor: "Scaleway", ProductName: "SCW-DEV1-S"}}, "scaleway"},
		{"Exoscale", datasource.Facts{DMI: dmi{SysVendor: "Exoscale", ProductName: "Exoscale Compute Platform"}}, "exoscale"},
		{"CloudStack", datasource.Facts{DMI: dmi{SysVendor: "Apache Software Foundation", ProductName: "CloudStack KVM Hypervisor"}}, "cloudstack"},
		{"Equinix Metal", datasource.Facts{DMI: dmi{SysVendor: "Packet", ProductName: "c3.small.x86"}}, "equinix"},
		{"OpenStack", datasource.Facts{DMI: dmi{SysVendor: "OpenStack Foundation", ProductName: "OpenStack Nova"}}, "openstack"},
		{"OpenStack of Red Hat", datasource.Facts{DMI: dmi{SysVendor: "Red Hat", ProductName: "OpenStack Compute"}}, "openstack"},
		{"Open Telekom Cloud", datasource.Facts{DMI: dmi{SysVendor: "OpenStack Foundation", ProductName: "OpenTelekomCloud", ChassisAssetTag: "OpenTelekomCloud"}}, "openstack"},
		{"VMware", datasource.Facts{DMI: dmi{SysVendor: "VMware, Inc.", ProductName: "VMware20,1"}}, "vmware ovf"},

		{"a seed disc", datasource.Facts{Volumes: []datasource.Volume{cidata}}, "nocloud"},
		{"Proxmox", datasource.Facts{DMI: dmi{SysVendor: "QEMU", ProductName: "Standard PC (i440FX + PIIX, 1996)", BIOSVendor: "SeaBIOS"}, Volumes: []datasource.Volume{cidata}}, "nocloud"},
		{"a seed in a directory", datasource.Facts{SeedDirs: []string{datasource.SeedDir}}, "nocloud"},
		{"a seed named by the serial number", datasource.Facts{DMI: dmi{SysVendor: "QEMU", ProductSerial: "ds=nocloud;s=http://10.0.2.2/"}}, "nocloud"},
		{"a config drive of OpenStack comes before its service", datasource.Facts{DMI: dmi{ProductName: "OpenStack Nova"}, Volumes: []datasource.Volume{{Device: "/dev/sr0", Type: "iso9660", Label: "config-2"}}}, "configdrive openstack"},
		{"a seed disc in a cloud comes first", datasource.Facts{DMI: dmi{SysVendor: "Hetzner"}, Volumes: []datasource.Volume{{Device: "/dev/vdb", Type: "vfat", Label: "CIDATA"}}}, "nocloud hetzner"},
		{"fw_cfg and OEM strings", datasource.Facts{Firmware: []string{"opt/io.testudo/user-data", "opt/other"}, OEMStrings: []string{"io.testudo.credential:user-data=#cloud-config"}}, "fw_cfg smbios"},
		{"OEM strings of others", datasource.Facts{OEMStrings: []string{"io.systemd.credential:x=y", "Dell System", "io.testudo.credential:password=x"}}, ""},
		{"an appliance's disc", datasource.Facts{Volumes: []datasource.Volume{{Device: "/dev/sr0", Type: "iso9660", Label: "OVF ENV"}}}, "ovf"},

		{"names on the command line count, and others do not", datasource.Facts{DMI: dmi{SysVendor: "Hetzner"}, Volumes: []datasource.Volume{cidata}, Cmdline: cmdline.Parse("testudo.datasource=ec2,hetzner")}, "ec2 hetzner"},
		{"a URL", datasource.Facts{DMI: dmi{SysVendor: "Hetzner"}, Cmdline: cmdline.Parse("testudo.datasource=https://h/u")}, "url"},
		{"none", datasource.Facts{DMI: dmi{SysVendor: "Hetzner"}, Volumes: []datasource.Volume{cidata}, Cmdline: cmdline.Parse("testudo.datasource=none")}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			plan := datasource.Choose(&test.facts, All(Options{SeedDir: datasource.SeedDir}))
			var got []string
			for _, c := range plan.Candidates {
				got = append(got, c.Source.Name())
				if c.Reason == "" {
					t.Errorf("%s is asked for no reason", c.Source.Name())
				}
			}
			if s := strings.Join(got, " "); s != test.want {
				t.Errorf("got %q, want %q", s, test.want)
			}
			if len(plan.Candidates)+len(plan.Passed) != len(All(Options{})) {
				t.Errorf("%d asked and %d passed of %d", len(plan.Candidates), len(plan.Passed), len(All(Options{})))
			}
			for _, p := range plan.Passed {
				if p.Reason == "" {
					t.Errorf("%s is passed for no reason", p.Name)
				}
			}
		})
	}
}

func TestOnAMachineThatIsNoCloudNobodyIsAskedOverTheNetwork(t *testing.T) {
	for _, f := range []datasource.Facts{
		{},
		{DMI: datasource.DMI{SysVendor: "Dell Inc.", ProductName: "PowerEdge R640"}},
		{DMI: datasource.DMI{SysVendor: "QEMU"}, Volumes: []datasource.Volume{{Device: "/dev/vdb", Type: "vfat", Label: "cidata"}}},
		{DMI: datasource.DMI{SysVendor: "VMware, Inc."}},
	} {
		if remote := datasource.Choose(&f, All(Options{})).Remote(); len(remote) > 0 {
			t.Errorf("%+v: %s", f, remote[0].Source.Name())
		}
	}
}

func TestANameThatIsNoSourceIsTold(t *testing.T) {
	plan := datasource.Choose(&datasource.Facts{Cmdline: cmdline.Parse("testudo.datasource=ec3")}, All(Options{}))
	if len(plan.Problems) != 1 || !strings.Contains(plan.Problems[0], `no datasource "ec3", want one of url, nocloud`) {
		t.Errorf("got %q", plan.Problems)
	}
}

func TestNamesAreUnlikeEachOther(t *testing.T) {
	var names []string
	for _, s := range All(Options{}) {
		if slices.Contains(names, s.Name()) {
			t.Errorf("two sources are called %s", s.Name())
		}
		names = append(names, s.Name())
	}
}

func TestReasonsDoNotShowSecrets(t *testing.T) {
	f := datasource.Facts{
		OEMStrings: []string{"io.testudo.credential:user-data=password: hush"},
		Cmdline:    cmdline.Parse("ds=nocloud;s=https://user:hush@h/seed/?token=hush"),
	}
	plan := datasource.Choose(&f, All(Options{}))
	for _, c := range plan.Candidates {
		if strings.Contains(c.Reason, "hush") {
			t.Errorf("%s: %s", c.Source.Name(), c.Reason)
		}
	}
}
