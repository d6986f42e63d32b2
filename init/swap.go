package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// swapOff gives up all swap: a file on the state disk would keep it mounted.
// What does not fit into memory any more is an error; no service runs by now.
func swapOff() error {
	text, err := os.ReadFile("/proc/swaps")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list swap: %w", err)
	}
	var errs []error
	for _, path := range swaps(string(text)) {
		name, err := unix.BytePtrFromString(path)
		if err != nil {
			errs = append(errs, fmt.Errorf("give up swap on %s: %w", path, err))
			continue
		}
		if _, _, errno := unix.Syscall(unix.SYS_SWAPOFF, uintptr(unsafe.Pointer(name)), 0, 0); errno != 0 {
			errs = append(errs, fmt.Errorf("give up swap on %s: %w", path, errno))
		}
	}
	return errors.Join(errs...)
}

// swaps reads /proc/swaps: a heading, then a path in each line, with octal
// escapes for blanks.
func swaps(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		path, _, _ := strings.Cut(line, " ")
		path, _, _ = strings.Cut(path, "\t")
		if !strings.HasPrefix(path, "/") {
			continue
		}
		if plain, err := strconv.Unquote(`"` + strings.ReplaceAll(path, `"`, `\"`) + `"`); err == nil {
			path = plain
		}
		out = append(out, path)
	}
	return out
}
