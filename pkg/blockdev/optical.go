package blockdev

import (
	"math"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// From linux/cdrom.h.
const (
	cdromDriveStatus = 0x5326
	currentSlot      = math.MaxInt32
	noDisc           = 1
	trayOpen         = 2
)

// noMedium says whether an optical drive has nothing to read. Until someone
// has asked, the kernel gives an empty one a size, and reading it would leave
// errors in the kernel log.
func (d Device) noMedium(f *os.File) bool {
	if !strings.HasPrefix(d.Name, "sr") {
		return false
	}
	status, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), cdromDriveStatus, currentSlot)
	return errno == 0 && (status == noDisc || status == trayOpen)
}
