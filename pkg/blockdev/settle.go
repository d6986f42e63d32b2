package blockdev

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Drivers return before their disks are there on two buses only: NVMe scans
// namespaces in a work queue, USB storage waits a second for the device. All
// other disks are there when finit_module returns, which waits for the kernel's
// asynchronous probes.

// Unsettled names the controllers that have not shown a disk yet.
func (r Roots) Unsettled() []string {
	var out []string
	nvme, _ := filepath.Glob(filepath.Join(r.Sys, "class/nvme/nvme*"))
	for _, dir := range nvme {
		disks, _ := filepath.Glob(filepath.Join(dir, "nvme*n*"))
		if len(disks) == 0 {
			out = append(out, filepath.Base(dir))
		}
	}
	usb, _ := filepath.Glob(filepath.Join(r.Sys, "bus/usb/devices/*:*/bInterfaceClass"))
	for _, file := range usb {
		class, err := os.ReadFile(file)
		if err != nil || strings.TrimSpace(string(class)) != "08" { // mass storage
			continue
		}
		disks, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "host*/target*/*/block/*"))
		if len(disks) == 0 {
			out = append(out, filepath.Base(filepath.Dir(file)))
		}
	}
	return out
}

// Settle waits until no controller is unsettled or the context ends.
func (r Roots) Settle(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		waiting := r.Unsettled()
		if len(waiting) == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for disks of %s: %w", strings.Join(waiting, ", "), ctx.Err())
		}
	}
}
