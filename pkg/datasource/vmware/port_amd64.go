package vmware

import (
	"encoding/binary"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// access reads the port that is in DX with all registers as they are in r, and
// puts them back there.
//
//go:noescape
func access(r *Registers)

func cpuid(leaf uint32) (ax, bx, cx, dx uint32)

// Do calls f with the machine's own port, in a thread that may use it. Without
// that right, which a locked-down kernel refuses, only VMware's hypervisor lets
// the access through; anywhere else it would end this program.
func Do(f func(Port) error) error {
	runtime.LockOSThread() // and never unlocked: the thread ends with its right
	_, _, errno := unix.Syscall(unix.SYS_IOPERM, portNumber, 4, 1)
	if errno != 0 && !onVMware() {
		runtime.UnlockOSThread()
		return fmt.Errorf("use port %#x: %w", portNumber, errno)
	}
	if !Port(access).Present() {
		return ErrAbsent
	}
	return f(access)
}

// onVMware asks the processor who the hypervisor is.
func onVMware() bool {
	if _, _, features, _ := cpuid(1); features&(1<<31) == 0 {
		return false // no hypervisor
	}
	_, b, c, d := cpuid(0x40000000)
	var name []byte
	for _, word := range []uint32{b, c, d} {
		name = binary.LittleEndian.AppendUint32(name, word)
	}
	return string(name) == "VMwareVMware"
}
