package kernel

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// omission is a part of a kernel's modules that is left out of the system: a
// folder or a file below its modules folder, or the beginning of such a path.
type omission struct{ path, why string }

// unneeded is what is left out of every kernel. What remains is for virtual
// machines and servers that run containers. A module that one of these needs stays.
func unneeded() []omission {
	return []omission{
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
		{"kernel/drivers/power/supply/surface_", "tablets"},
		{"kernel/drivers/bus/mhi/", "mobile phone modems"},
		{"kernel/drivers/net/mhi_net.ko", "mobile phone modems"},
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
		{"kernel/drivers/acpi/apei/einj", "tests of the kernel"},
		{"kernel/crypto/tcrypt.ko", "tests of the kernel"},
		{"kernel/net/core/pktgen.ko", "tests of networks"},
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

// unneededInCloud is what is left out of the kernel for virtual machines beside
// that: what it has of drivers for real hardware, and of what needs such
// hardware to be of use. The generic kernel keeps it.
func unneededInCloud() []omission {
	return []omission{
		{"kernel/drivers/infiniband/", "RDMA, for supercomputers; the network cards of these drivers work without"},
		{"kernel/net/sunrpc/xprtrdma/", "NFS over RDMA"},
		{"kernel/drivers/nvme/host/nvme-rdma.ko", "NVMe over RDMA"},
		{"kernel/drivers/nvme/host/nvme-fc.ko", "NVMe over Fibre Channel"},
		{"kernel/drivers/scsi/scsi_transport_fc.ko", "Fibre Channel"},
		{"kernel/drivers/nvme/target/", "for those who serve disks to others"},
		{"kernel/drivers/target/", "for those who serve disks to others"},
		{"kernel/drivers/vhost/vhost_scsi.ko", "for those who serve disks to others"},
		{"kernel/drivers/xen/xen-pciback/", "the host's side of Xen"},
		{"kernel/drivers/xen/xen-scsiback.ko", "the host's side of Xen"},
		{"kernel/drivers/block/xen-blkback/", "the host's side of Xen"},
		{"kernel/drivers/net/xen-netback/", "the host's side of Xen"},
		{"kernel/drivers/scsi/mpi3mr/", "RAID controllers"},
		{"kernel/drivers/scsi/ipr.ko", "RAID controllers of one vendor's servers"},
		{"kernel/drivers/scsi/libsas/", "for SAS controllers that this kernel does not have"},
		{"kernel/drivers/scsi/st.ko", "tapes"},
		{"kernel/drivers/scsi/ch.ko", "changers of tapes"},
		{"kernel/drivers/block/drbd/", "version 8 of 2008; who replicates disks today builds version 9"},
		{"kernel/drivers/md/dm-vdo/", "deduplication: for large arrays of disks"},
		{"kernel/drivers/md/dm-zoned.ko", "for shingled disks"},
		{"kernel/drivers/md/bcache/", "for a slow disk beside a fast one"},
		{"kernel/arch/x86/events/intel/", "counters that no virtual machine sees"},
		{"kernel/arch/x86/events/amd/", "counters that no virtual machine sees"},
		{"kernel/drivers/powercap/", "the power that a processor draws"},
		{"kernel/arch/x86/events/rapl.ko", "the power that a processor draws"},
	}
}

// omissions are what is left out of a kernel.
func (f Flavour) omissions() []omission {
	if f == Cloud {
		return append(unneeded(), unneededInCloud()...)
	}
	return unneeded()
}

// needed are exceptions: keyboards and mice as such, also of Hyper-V.
func needed() []string { return []string{"hid", "hid_generic", "hid_hyperv", "usbhid"} }

// left lists the files of modules that are left out.
func (t *table) left(omissions []omission) ([]string, error) {
	var keep, drop []string
	for name, file := range t.file {
		matches := func(o omission) bool { return strings.HasPrefix(file, o.path) }
		if slices.ContainsFunc(omissions, matches) && !slices.Contains(needed(), name) {
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
func trim(dir string, flavour Flavour) error {
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
	files, err := t.left(flavour.omissions())
	if err != nil {
		return err
	}
	var errs []error
	for _, file := range files {
		errs = append(errs, os.Remove(filepath.Join(dir, file)))
	}
	return errors.Join(errs...)
}
