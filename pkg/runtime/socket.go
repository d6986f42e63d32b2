package runtime

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// waitForSocket returns when something listens on the unix socket path. It
// sleeps in inotify: containerd makes the file (IN_CREATE) and, listening,
// sets its owner and mode (IN_ATTRIB).
func waitForSocket(ctx context.Context, path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return fmt.Errorf("wait for %s: %w", path, err)
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("wait for %s: %w", path, err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	defer events.Close()
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_CREATE|unix.IN_ATTRIB|unix.IN_MOVED_TO); err != nil {
		return fmt.Errorf("wait for %s: watch %s: %w", path, dir, err)
	}
	// The context ends a read by its deadline.
	stop := context.AfterFunc(ctx, func() { events.SetReadDeadline(time.Now()) })
	defer stop()

	buffer := make([]byte, 4096)
	for {
		// The watch stands before the first try: nothing can be missed.
		if listens(path) {
			return nil
		}
		if _, err := events.Read(buffer); err != nil {
			if ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
				return fmt.Errorf("wait for %s: %w", path, context.Cause(ctx))
			}
			return fmt.Errorf("wait for %s: %w", path, err)
		}
	}
}

func listens(path string) bool {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
