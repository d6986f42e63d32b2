package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// hugePages says who gets pages of 2 MiB: programs that ask for them. Where
// everyone does (Debian's default) each Go program's small heap takes several,
// of which it uses little: 25 MiB on an idle system.
const hugePages = "/sys/kernel/mm/transparent_hugepage/enabled"

// minFree is how many kilobytes the kernel is to keep free for its own needs of
// the moment, given all it has: its own rule (mm/page_alloc.c) for machines
// without huge pages. With them it keeps 5 % of a small machine's memory.
func minFree(total float64) int {
	return int(min(max(math.Sqrt(16*total), 128), 256<<10))
}

// memTotal is the kernel's memory in kilobytes.
func memTotal() float64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	return float64(info.Totalram) * float64(info.Unit) / 1024
}

// setting is one file below /proc/sys.
type setting struct{ key, value string }

// settings are those that every machine gets; users change them by
// configuration, which rosd applies later.
func settings() []setting {
	return []setting{
		{"vm/min_free_kbytes", strconv.Itoa(minFree(memTotal()))},
		{"kernel/panic", "10"}, // a panicked machine starts again; the boot loader may pick another release
		{"kernel/kptr_restrict", "1"},
		{"fs/protected_symlinks", "1"},
		{"fs/protected_hardlinks", "1"},
		{"fs/protected_fifos", "1"},
		{"fs/protected_regular", "2"},
	}
}

func (m *machine) setKernel(context.Context) error {
	var errs []error
	for _, s := range settings() {
		if _, given := m.args.Get(strings.TrimPrefix(s.key, "kernel/")); given {
			continue // panic=0 on the command line stays
		}
		if err := writeFile(filepath.Join("/proc/sys", s.key), s.value); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

const cgroupRoot = "/sys/fs/cgroup"

// delegateControllers makes all controllers available to the groups below the
// root.
func (m *machine) delegateControllers(context.Context) error {
	text, err := os.ReadFile(filepath.Join(cgroupRoot, "cgroup.controllers"))
	if err != nil {
		return fmt.Errorf("list cgroup controllers: %w", err)
	}
	var errs []error
	for _, name := range strings.Fields(string(text)) {
		// One by one: a controller that refuses does not keep the others out.
		if err := writeFile(filepath.Join(cgroupRoot, "cgroup.subtree_control"), "+"+name); err != nil {
			errs = append(errs, fmt.Errorf("delegate the cgroup controller %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}
