package main

import (
	"strings"
	"testing"
)

func TestOnlyCgroupsBelowTheRootAreTaken(t *testing.T) {
	for _, path := range []string{"", "/", "/tmp/x", cgroupRoot, cgroupRoot + "/../../tmp", "engine", cgroupRoot + "x"} {
		if err := moveToCgroup(path); err == nil || !strings.Contains(err.Error(), "not below") {
			t.Errorf("%q: %v", path, err)
		}
	}
}
