package probe

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// inNetworkOf calls do on a thread that is in the network namespace of process
// pid. Where that is another one than ours, the thread ends with the call.
func inNetworkOf(pid int, do func() error) error {
	theirs := fmt.Sprintf("/proc/%d/ns/net", pid)
	same, err := isSame(theirs, "/proc/self/ns/net")
	if err != nil {
		return fmt.Errorf("enter its network: %w", err)
	}
	if same {
		return do()
	}
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked
		result <- func() error {
			namespace, err := os.Open(theirs)
			if err != nil {
				return fmt.Errorf("enter its network: %w", err)
			}
			defer namespace.Close()
			if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("enter its network: %w", err)
			}
			return do()
		}()
	}()
	return <-result
}

func isSame(a, b string) (bool, error) {
	first, err := os.Stat(a)
	if err != nil {
		return false, err
	}
	second, err := os.Stat(b)
	if err != nil {
		return false, err
	}
	return os.SameFile(first, second), nil
}

// stat looks for path below the root of process pid. The kernel resolves it
// as the process would: a link does not lead out.
func stat(pid int, path string) error {
	root, err := unix.Open(fmt.Sprintf("/proc/%d/root", pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("look into its file system: %w", err)
	}
	defer unix.Close(root)
	file, err := unix.Openat2(root, path, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS})
	if err != nil {
		return err
	}
	return unix.Close(file)
}
