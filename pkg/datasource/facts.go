package datasource

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/testudo-os/testudo/pkg/cmdline"
)

// Facts are what can be known of a machine without asking anyone: the input of
// Choose. pkg/datasource/host collects them.
type Facts struct {
	DMI        DMI
	OEMStrings []string     // SMBIOS type 11
	Hypervisor string       // of Xen: /sys/hypervisor/uuid
	Firmware   []string     // names in QEMU's fw_cfg below opt/
	Volumes    []Volume     // that a source could live on
	Problems   []string     // what could not be looked at
	Cmdline    cmdline.Args // of the kernel
	SeedDirs   []string     // directories that hold a seed
}

// DMI are the strings of /sys/class/dmi/id.
type DMI struct {
	SysVendor, ProductName, ProductVersion, ProductSerial, ProductUUID string
	ChassisAssetTag, ChassisVendor, BoardVendor, BIOSVendor            string
}

// Fingerprint tells machines apart without telling their serial number. It is
// empty where the firmware says nothing that could.
func (d DMI) Fingerprint() string {
	uuid := strings.ToLower(strings.TrimSpace(d.ProductUUID))
	if strings.Trim(uuid, "0-f") == "" {
		uuid = "" // all zeros or all ones: not set
	}
	if uuid == "" && d.ProductSerial == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(uuid + "\n" + d.ProductSerial))
	return hex.EncodeToString(sum[:8])
}

// Labelled gives the volumes with one of the labels, in capitals or not.
func (f *Facts) Labelled(labels ...string) []Volume {
	var out []Volume
	for _, v := range f.Volumes {
		for _, l := range labels {
			if strings.EqualFold(v.Label, l) {
				out = append(out, v)
			}
		}
	}
	return out
}

// Product is the name of the machine for reasons: "QEMU Standard PC".
func (d DMI) Product() string {
	name := strings.TrimSpace(d.SysVendor + " " + d.ProductName)
	if name == "" {
		return "no name in SMBIOS"
	}
	return name
}
