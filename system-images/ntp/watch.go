package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// rule says what follows when a file of a folder is made, replaced or removed.
type rule struct {
	dir, file string // file: a pattern as in filepath.Match
	command   []string
}

// watch returns the commands that follow from changes to come. Changes that
// come together lead to one command of each kind.
func watch(rules []rule) (<-chan []string, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watch folders: %w", err)
	}
	file := os.NewFile(uintptr(fd), "inotify")
	byWatch := map[int32][]rule{}
	for _, r := range rules {
		// Whoever writes in place has closed the file; others moved it here.
		wd, err := unix.InotifyAddWatch(fd, r.dir, unix.IN_CREATE|unix.IN_CLOSE_WRITE|unix.IN_MOVED_TO|unix.IN_DELETE)
		if err != nil {
			file.Close()
			return nil, fmt.Errorf("watch %s: %w", r.dir, err)
		}
		byWatch[int32(wd)] = append(byWatch[int32(wd)], r)
	}
	commands := make(chan []string)
	go func() {
		defer close(commands)
		buf := make([]byte, 16<<10)
		for {
			n, err := file.Read(buf)
			if err != nil {
				say("watch folders: %v", err)
				return
			}
			for _, command := range follow(byWatch, buf[:n]) {
				commands <- command
			}
		}
	}()
	return commands, nil
}

// follow reads a run of struct inotify_event (inotify(7)).
func follow(rules map[int32][]rule, events []byte) [][]string {
	var commands [][]string
	for len(events) >= unix.SizeofInotifyEvent {
		wd := int32(binary.NativeEndian.Uint32(events))
		end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(events[12:]))
		if end > len(events) {
			break
		}
		name := string(bytes.TrimRight(events[unix.SizeofInotifyEvent:end], "\x00"))
		events = events[end:]
		for _, r := range rules[wd] {
			match, err := filepath.Match(r.file, name)
			known := slices.ContainsFunc(commands, func(c []string) bool { return slices.Equal(c, r.command) })
			if err == nil && match && !known {
				commands = append(commands, r.command)
			}
		}
	}
	return commands
}
