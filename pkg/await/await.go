// Package await waits for what another process does, without polling. It is
// small enough for PID 1: the standard library and x/sys only.
package await

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// File waits until a file is there, in a folder that is.
func File(ctx context.Context, name string) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("wait for %s: %w", name, err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	defer events.Close()
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(name), unix.IN_CREATE|unix.IN_MOVED_TO); err != nil {
		return fmt.Errorf("wait for %s: %w", name, err)
	}
	// The context ends a read by its deadline.
	stop := context.AfterFunc(ctx, func() { _ = events.SetReadDeadline(time.Now()) })
	defer stop()
	buf := make([]byte, 4096)
	for {
		// The watch stands before the first look: nothing can be missed.
		if _, err := os.Lstat(name); err == nil {
			return nil
		}
		if _, err := events.Read(buf); err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return fmt.Errorf("wait for %s: %w", name, err)
		}
	}
}

// Changes calls f whenever a file in a folder that is there was made, replaced
// or removed, until ctx ends, which is no error, or f gives one. Changes that
// come together may lead to one call. f is called once at the start, too:
// nothing can be missed.
func Changes(ctx context.Context, name string, f func() error) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("watch %s: %w", name, err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	defer events.Close()
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(name), unix.IN_MOVED_TO|unix.IN_CLOSE_WRITE|unix.IN_DELETE); err != nil {
		return fmt.Errorf("watch %s: %w", name, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = events.SetReadDeadline(time.Now()) })
	defer stop()
	buf := make([]byte, 16<<10)
	for changed := true; ; {
		if changed {
			if err := f(); err != nil {
				return err
			}
		}
		n, err := events.Read(buf)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("watch %s: %w", name, err)
		}
		changed = names(buf[:n], filepath.Base(name))
	}
}

// names says whether one of struct inotify_event (inotify(7)) is about a file.
func names(events []byte, base string) bool {
	for len(events) >= unix.SizeofInotifyEvent {
		end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(events[12:]))
		if end > len(events) {
			break
		}
		if string(bytes.TrimRight(events[unix.SizeofInotifyEvent:end], "\x00")) == base {
			return true
		}
		events = events[end:]
	}
	return false
}
