package qemu

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Toolbox makes commands for programs by name; pkg/tools is the one in use.
type Toolbox interface {
	Command(ctx context.Context, name string, args ...string) *exec.Cmd
}

// Network says what the machine's network card is plugged into.
type Network string

// The networks a machine can have.
const (
	UserNet     Network = "user"     // QEMU's own NAT with DHCP and DNS; the default
	IsolatedNet Network = "isolated" // the same without a way out: DHCP and forwards work
	SilentNet   Network = "silent"   // a link that is up with nobody on it: no DHCP
	NoNet       Network = "none"     // no network card
)

// Accel says what runs the guest's instructions.
type Accel string

// The accelerators. Counted is TCG with one virtual nanosecond an instruction:
// its guest times repeat from run to run whatever the host is doing.
const (
	TCG     Accel = "tcg"
	KVM     Accel = "kvm"
	Counted Accel = "icount"
)

// Disk is a raw disk image on a bus of the machine.
type Disk struct {
	Path     string
	Serial   string // what the guest sees; empty: QEMU's default
	ReadOnly bool
	Bus      string // "virtio" (default), "nvme", "scsi", "ide", "usb"
}

// Forward lets the host reach a TCP port of the guest.
type Forward struct {
	Host  int // 0: the kernel chooses a free one; VM.HostPort tells which
	Guest int
}

// Config describes a machine. The zero value is a machine with nothing to boot.
type Config struct {
	Name   string // in error messages
	Accel  Accel  // default TCG
	Memory int    // MiB, default 1024
	CPUs   int    // default 2; Counted allows 1 only

	Kernel, Initrd, Append string // direct boot
	ISO, DiskImage         string // or boot one of these through the firmware
	UEFI                   *UEFI  // the firmware; nil: SeaBIOS

	Disks    []Disk
	Seed     string // image with volume label cidata, attached read-only
	Network  Network
	Forwards []Forward

	SerialLog string // every byte of the serial console is kept here
	Terminal  bool   // the serial console is QEMU's own stdin and stdout (ctrl-a x ends it)
	Reboot    bool   // a reset of the guest starts it again instead of ending QEMU
	Extra     []string
}

const (
	qmpFD    = 3 // ExtraFiles start at 3
	serialFD = 4
)

// arguments is QEMU's command line for the machine.
func (c Config) arguments() ([]string, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	memory, cpus := c.Memory, c.CPUs
	if memory == 0 {
		memory = 1024
	}
	if cpus == 0 {
		cpus = 2
	}
	args := []string{"-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35", "-m", strconv.Itoa(memory)}
	switch c.Accel {
	case KVM:
		args = append(args, "-accel", "kvm", "-cpu", "host", "-smp", strconv.Itoa(cpus))
	case Counted:
		args = append(args, "-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-cpu", "max", "-smp", "1")
	default:
		args = append(args, "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", strconv.Itoa(cpus))
	}
	if !c.Reboot {
		args = append(args, "-no-reboot")
	}
	args = append(args,
		"-device", "virtio-rng-pci",
		"-chardev", fmt.Sprintf("socket,id=qmp,fd=%d", qmpFD), "-mon", "chardev=qmp,mode=control")
	if c.UEFI != nil {
		args = append(args, c.UEFI.arguments()...)
	}
	args = append(args, c.serialArguments()...)
	args = append(args, c.bootArguments()...)
	disks := c.Disks
	if c.DiskImage != "" {
		disks = append([]Disk{{Path: c.DiskImage, Serial: "system"}}, disks...)
	}
	if c.Seed != "" {
		disks = append(disks, Disk{Path: c.Seed, Serial: "cidata", ReadOnly: true})
	}
	for i, d := range disks {
		args = append(args, d.arguments(i)...)
	}
	args = append(args, c.networkArguments()...)
	return append(args, c.Extra...), nil
}

func (c Config) check() error {
	for _, p := range c.files() {
		// QEMU's option parser splits at commas.
		if strings.Contains(p, ",") {
			return fmt.Errorf("machine %s: a file name with a comma: %q", c.Name, p)
		}
	}
	switch {
	case c.Accel == Counted && c.CPUs > 1:
		return fmt.Errorf("machine %s: counted instructions allow one CPU, not %d", c.Name, c.CPUs)
	case len(c.Forwards) > 0 && (c.Network == NoNet || c.Network == SilentNet):
		return fmt.Errorf("machine %s: a forward needs a network, not %q", c.Name, c.Network)
	case c.Kernel == "" && (c.Initrd != "" || c.Append != ""):
		return fmt.Errorf("machine %s: an initrd or kernel arguments without a kernel", c.Name)
	}
	for _, d := range c.Disks {
		switch d.Bus {
		case "", "virtio", "nvme", "scsi", "ide", "usb":
		default:
			return fmt.Errorf("machine %s: no disk bus %q", c.Name, d.Bus)
		}
	}
	return nil
}

func (c Config) files() []string {
	files := []string{c.Kernel, c.Initrd, c.ISO, c.DiskImage, c.Seed, c.SerialLog}
	if c.UEFI != nil {
		files = append(files, c.UEFI.Code, c.UEFI.Variables)
	}
	for _, d := range c.Disks {
		files = append(files, d.Path)
	}
	return files
}

func (c Config) serialArguments() []string {
	if !c.Terminal {
		return []string{"-chardev", fmt.Sprintf("socket,id=serial,fd=%d", serialFD), "-serial", "chardev:serial"}
	}
	chardev := "stdio,id=serial,mux=on,signal=off"
	if c.SerialLog != "" {
		chardev += ",logfile=" + c.SerialLog
	}
	return []string{"-chardev", chardev, "-serial", "chardev:serial", "-mon", "chardev=serial,mode=readline"}
}

func (c Config) bootArguments() []string {
	var args []string
	if c.Kernel != "" {
		args = append(args, "-kernel", c.Kernel)
	}
	if c.Initrd != "" {
		args = append(args, "-initrd", c.Initrd)
	}
	if c.Append != "" {
		args = append(args, "-append", c.Append)
	}
	if c.ISO != "" {
		args = append(args, "-drive", "if=none,id=iso,media=cdrom,readonly=on,format=raw,file="+c.ISO,
			"-device", "ide-cd,drive=iso,bootindex=1")
	}
	return args
}

func (d Disk) arguments(i int) []string {
	id := fmt.Sprintf("disk%d", i)
	drive := fmt.Sprintf("if=none,id=%s,format=raw,file=%s,discard=unmap", id, d.Path)
	if d.ReadOnly {
		drive += ",readonly=on"
	}
	args := []string{"-drive", drive}
	driver := "virtio-blk-pci"
	switch d.Bus {
	case "nvme":
		driver = "nvme"
	case "scsi":
		args = append(args, "-device", "virtio-scsi-pci,id=bus-"+id)
		driver = "scsi-hd,bus=bus-" + id + ".0"
	case "ide":
		driver = "ide-hd"
	case "usb":
		args = append(args, "-device", "qemu-xhci,id=bus-"+id)
		driver = "usb-storage,bus=bus-" + id + ".0"
	}
	device := fmt.Sprintf("%s,drive=%s,id=dev-%s", driver, id, id)
	serial := d.Serial
	if serial == "" && d.Bus == "nvme" {
		serial = filepath.Base(d.Path) // NVMe controllers must have one
	}
	if serial != "" {
		device += ",serial=" + serial
	}
	return append(args, "-device", device)
}

// networkID names the card and its link for device_del and set_link.
const networkID = "net0"

func (c Config) networkArguments() []string {
	var netdev string
	switch c.Network {
	case NoNet:
		return []string{"-nic", "none"}
	case SilentNet:
		netdev = "hubport,hubid=0,id=" + networkID
	case IsolatedNet:
		netdev = "user,restrict=on,id=" + networkID
	default:
		netdev = "user,id=" + networkID
	}
	for _, f := range c.Forwards {
		netdev += fmt.Sprintf(",hostfwd=tcp:127.0.0.1:%d-:%d", f.Host, f.Guest)
	}
	// romfile= leaves out the PXE ROM: nothing boots from this card, and
	// SeaBIOS would spend its time on it.
	return []string{"-netdev", netdev, "-device", "virtio-net-pci,romfile=,netdev=" + networkID + ",id=nic0"}
}
