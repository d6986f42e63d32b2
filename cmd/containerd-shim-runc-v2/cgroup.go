package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const cgroupRoot = "/sys/fs/cgroup"

// moveToCgroup moves this process to the cgroup v2 at path, which is made when
// it is missing. cgroup.procs takes "0" for the writing process.
func moveToCgroup(path string) error {
	clean := filepath.Clean(path)
	if !strings.HasPrefix(clean, cgroupRoot+"/") {
		return fmt.Errorf("move to cgroup %q: not below %s", path, cgroupRoot)
	}
	if err := os.MkdirAll(clean, 0o755); err != nil {
		return fmt.Errorf("move to cgroup: %w", err)
	}
	if err := os.WriteFile(filepath.Join(clean, "cgroup.procs"), []byte("0"), 0o644); err != nil {
		return fmt.Errorf("move to cgroup: %w", err)
	}
	return nil
}
