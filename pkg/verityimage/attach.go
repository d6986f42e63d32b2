package verityimage

import (
	"errors"
	"fmt"
	"os"

	"github.com/containerd/go-dmverity/pkg/dm"
	"golang.org/x/sys/unix"
)

// Attach makes the device and gives its node. The loop device below it goes
// with the file system's last unmount only if the caller removes the dm device;
// PID 1 never does: its root is on it.
//
// flags are dm-verity's optional parameters, such as "check_at_most_once".
func Attach(file, name string, root Root, flags ...string) (device string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("attach the image: %w", err)
	}
	defer f.Close()
	head := make([]byte, superblockSize)
	if _, err := f.ReadAt(head, root.Offset); err != nil {
		return "", fmt.Errorf("read the superblock of %s at %d: %w", file, root.Offset, err)
	}
	sb, err := parseSuperblock(head)
	if err != nil {
		return "", fmt.Errorf("%s at %d: %w", file, root.Offset, err)
	}
	loop, err := attachLoop(f)
	if err != nil {
		return "", fmt.Errorf("attach %s to a loop device: %w", file, err)
	}
	// An open device keeps its file although AUTOCLEAR is set: dm opens it
	// before we close ours.
	defer loop.Close()
	target, err := sb.target(loop.Name(), root, flags)
	if err != nil {
		return "", fmt.Errorf("dm-verity table of %s: %w", file, err)
	}
	return activate(name, target)
}

// activate makes a device-mapper device of one target.
func activate(name string, target dm.Target) (device string, err error) {
	control, err := dm.Open()
	if err != nil {
		return "", fmt.Errorf("device mapper: %w", err)
	}
	defer func() { err = errors.Join(err, control.Close()) }()
	number, err := control.CreateDevice(name)
	if err != nil {
		return "", err
	}
	load := func() error {
		if err := control.LoadTable(name, []dm.Target{target}); err != nil {
			return err
		}
		return control.SuspendDevice(name, false)
	}
	if err := load(); err != nil {
		return "", errors.Join(err, control.RemoveDevice(name))
	}
	// devtmpfs has the node by the time the ioctl returns; no udev is asked.
	return fmt.Sprintf("/dev/dm-%d", unix.Minor(number)), nil
}

// attachLoop binds a file to a free loop device, read-only. Another process
// may take the free one first: then the next is tried.
func attachLoop(f *os.File) (*os.File, error) {
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	for range 16 {
		number, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("find a free one: %w", err)
		}
		loop, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", number), os.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		config := unix.LoopConfig{
			Fd:   uint32(f.Fd()),
			Size: 4096, // logical block: that of the file system and the tree
			Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_READ_ONLY | unix.LO_FLAGS_AUTOCLEAR},
		}
		copy(config.Info.File_name[:len(config.Info.File_name)-1], f.Name())
		err = unix.IoctlLoopConfigure(int(loop.Fd()), &config)
		if err == nil {
			return loop, nil
		}
		loop.Close()
		if !errors.Is(err, unix.EBUSY) {
			return nil, fmt.Errorf("configure %s: %w", loop.Name(), err)
		}
	}
	return nil, errors.New("others took each free one first")
}
