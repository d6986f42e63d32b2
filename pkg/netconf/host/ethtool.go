package host

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/netplan"
)

// Commands of SIOCETHTOOL (linux/ethtool.h). The ioctl works with every
// driver; ethtool's netlink family has no call of its own for single offloads
// but strings of features, which this table does without.
const (
	ethtoolGWOL    = 0x05
	ethtoolSWOL    = 0x06
	ethtoolGRXCSUM = 0x14
	ethtoolSRXCSUM = 0x15
	ethtoolGTXCSUM = 0x16
	ethtoolSTXCSUM = 0x17
	ethtoolGTSO    = 0x1e
	ethtoolSTSO    = 0x1f
	ethtoolGGSO    = 0x23
	ethtoolSGSO    = 0x24
	ethtoolGFLAGS  = 0x25
	ethtoolSFLAGS  = 0x26
	ethtoolGGRO    = 0x2b
	ethtoolSGRO    = 0x2c

	wakeMagic = 1 << 5  // WAKE_MAGIC
	flagLRO   = 1 << 15 // ETH_FLAG_LRO
)

type ethtoolValue struct{ cmd, data uint32 }

type ethtoolWOL struct {
	cmd, supported, options uint32
	password                [6]byte
	_                       [2]byte
}

type ifreqData struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [16]byte
}

// ethtool makes one call for an interface; arg is a command's structure.
func ethtool(name string, arg unsafe.Pointer) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req := ifreqData{data: arg}
	copy(req.name[:unix.IFNAMSIZ-1], name)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req)))
	runtime.KeepAlive(arg)
	if errno != 0 {
		return errno
	}
	return nil
}

// wakeOnLAN has a card switch the machine on for a magic packet, or not.
func wakeOnLAN(name string, want *bool) error {
	if want == nil {
		return nil
	}
	w := ethtoolWOL{cmd: ethtoolGWOL}
	if err := ethtool(name, unsafe.Pointer(&w)); err != nil {
		if !*want {
			return nil // a card that cannot does not
		}
		return fmt.Errorf("wake on LAN: %w", err)
	}
	options := w.options &^ wakeMagic
	if *want {
		if w.supported&wakeMagic == 0 {
			return fmt.Errorf("wake on LAN: the card of %s cannot", name)
		}
		options |= wakeMagic
	}
	if options == w.options {
		return nil
	}
	w.cmd, w.options = ethtoolSWOL, options
	if err := ethtool(name, unsafe.Pointer(&w)); err != nil {
		return fmt.Errorf("wake on LAN: %w", err)
	}
	return nil
}

// offloads sets those that are said. TCP over IPv6 goes with TCP: the old call
// sets both.
func offloads(name string, o netplan.Offloads) error {
	for _, f := range []struct {
		what     string
		want     *bool
		get, set uint32
		bit      uint32
	}{
		{"receive-checksum-offload", o.ReceiveChecksum, ethtoolGRXCSUM, ethtoolSRXCSUM, 1},
		{"transmit-checksum-offload", o.TransmitChecksum, ethtoolGTXCSUM, ethtoolSTXCSUM, 1},
		{"tcp-segmentation-offload", o.TCPSegmentation, ethtoolGTSO, ethtoolSTSO, 1},
		{"tcp6-segmentation-offload", o.TCP6Segmentation, ethtoolGTSO, ethtoolSTSO, 1},
		{"generic-segmentation-offload", o.Segmentation, ethtoolGGSO, ethtoolSGSO, 1},
		{"generic-receive-offload", o.Receive, ethtoolGGRO, ethtoolSGRO, 1},
		{"large-receive-offload", o.LargeReceive, ethtoolGFLAGS, ethtoolSFLAGS, flagLRO},
	} {
		if f.want == nil {
			continue
		}
		v := ethtoolValue{cmd: f.get}
		err := ethtool(name, unsafe.Pointer(&v))
		data := v.data &^ f.bit
		if *f.want {
			data |= f.bit
		}
		if err == nil && data != v.data {
			v = ethtoolValue{cmd: f.set, data: data}
			err = ethtool(name, unsafe.Pointer(&v))
		}
		if err != nil && (*f.want || !errors.Is(err, unix.EOPNOTSUPP)) {
			return fmt.Errorf("%s: %w", f.what, err)
		}
	}
	return nil
}
