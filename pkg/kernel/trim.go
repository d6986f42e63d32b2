package kernel

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// unneeded is what of a kernel's modules is left out of the system: folders or
// files below its modules folder, and why. What remains is for virtual machines
// and servers that run containers. A module that one of these needs stays.
func unneeded() []struct{ path, why string } {
	return []struct{ path, why string }{
		{"kernel/drivers/comedi/", "data acquisition cards"},
		{"kernel/drivers/soundwire/", "sound"},
		{"kernel/sound/", "sound"},
		{"kernel/drivers/media/", "cameras and television"},
		{"kernel/drivers/staging/", "drivers that are not finished"},
		{"kernel/drivers/net/wwan/", "mobile phone modems"},
		{"kernel/drivers/bluetooth/", "radio"},
		{"kernel/net/bluetooth/", "radio"},
		{"kernel/net/nfc/", "radio"},
		{"kernel/drivers/nfc/", "radio"},
		{"kernel/drivers/platform/surface/", "tablets"},
		{"kernel/drivers/hid/amd-sfh-hid/", "sensors of laptops"},
		{"kernel/drivers/hid/surface-hid/", "tablets"},
		{"kernel/drivers/hid/hid-", "odd keyboards, mice and game pads"}, // but for those below
		{"kernel/drivers/input/rmi4/", "touch pads"},
		{"kernel/drivers/input/ff-memless.ko", "game pads that shake"},
		{"kernel/drivers/leds/", "lamps"},
		{"kernel/drivers/thermal/intel/int340x_thermal/", "laptops"},
		{"kernel/drivers/misc/cardreader/", "memory cards of laptops"},
		{"kernel/drivers/uio/uio_aec.ko", "industrial cards"},
		{"kernel/drivers/uio/uio_cif.ko", "industrial cards"},
		{"kernel/drivers/uio/uio_mf624.ko", "industrial cards"},
		{"kernel/drivers/uio/uio_netx.ko", "industrial cards"},
		{"kernel/drivers/uio/uio_sercos3.ko", "industrial cards"},
		{"kernel/drivers/scsi/scsi_debug.ko", "tests of the kernel"},
		{"kernel/drivers/block/null_blk/", "tests of the kernel"},
		{"kernel/drivers/block/aoe/", "ATA over Ethernet"},
		{"kernel/fs/bcachefs/", "experimental; it has left the kernel since"},
		{"kernel/fs/orangefs/", "clusters of supercomputers"},
		{"kernel/fs/sysv/", "UNIX of the eighties"},
		{"kernel/fs/romfs/", "embedded devices"},
		{"kernel/fs/zonefs/", "zoned disks without a file system"},
		{"kernel/fs/smb/server/", "Samba in a container serves without it"},
		{"kernel/net/dccp/", "a protocol that nobody speaks; it is leaving the kernel"},
		{"kernel/net/netfilter/xt_dccp.ko", "see dccp"},
		{"kernel/net/tipc/", "clusters of telephone exchanges"},
		{"kernel/net/rds/", "clusters of one database"},
		{"kernel/net/smc/", "mainframes"},
		{"kernel/net/netfilter/nf_conntrack_h323.ko", "video telephones of the nineties"},
	}
}

// needed are exceptions: keyboards and mice as such, also of Hyper-V.
func needed() []string { return []string{"hid", "hid_generic", "hid_hyperv", "usbhid"} }

// left lists the files of modules that are left out.
func (t *table) left() ([]string, error) {
	var keep, drop []string
	for name, file := range t.file {
		matches := func(u struct{ path, why string }) bool { return strings.HasPrefix(file, u.path) }
		if slices.ContainsFunc(unneeded(), matches) && !slices.Contains(needed(), name) {
			drop = append(drop, name)
		} else {
			keep = append(keep, name)
		}
	}
	kept, err := t.closure(keep, nil)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, name := range drop {
		if !slices.Contains(kept, name) {
			files = append(files, t.file[name])
		}
	}
	slices.Sort(files)
	return files, nil
}

// trim removes what is left out from a folder of modules with a modules.dep.
func trim(dir string) error {
	dep, err := os.ReadFile(filepath.Join(dir, "modules.dep"))
	if err != nil {
		return err
	}
	builtin, err := os.ReadFile(filepath.Join(dir, "modules.builtin"))
	if err != nil {
		return err
	}
	t, err := parseTable(string(dep), string(builtin))
	if err != nil {
		return err
	}
	files, err := t.left()
	if err != nil {
		return err
	}
	var errs []error
	for _, file := range files {
		errs = append(errs, os.Remove(filepath.Join(dir, file)))
	}
	return errors.Join(errs...)
}
