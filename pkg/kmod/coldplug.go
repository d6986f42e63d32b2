package kmod

import (
	"os"
	"path/filepath"
	"strings"
)

// Modaliases collects what the devices below a sysfs root ask for: each once.
// It reads /sys/bus/*/devices, which is flat, instead of walking the tree of
// devices, and the processor's alias, which stands apart.
func Modaliases(sysfs string) []string {
	var out []string
	seen := map[string]bool{}
	add := func(file string) {
		b, err := os.ReadFile(file)
		if err != nil {
			return // the device has none, or has gone
		}
		alias := strings.TrimSpace(string(b))
		if alias != "" && !seen[alias] {
			seen[alias] = true
			out = append(out, alias)
		}
	}
	add(filepath.Join(sysfs, "devices/system/cpu/modalias"))
	buses, _ := os.ReadDir(filepath.Join(sysfs, "bus"))
	for _, bus := range buses {
		if noModalias(bus.Name()) {
			continue
		}
		dir := filepath.Join(sysfs, "bus", bus.Name(), "devices")
		f, err := os.Open(dir)
		if err != nil {
			continue
		}
		names, _ := f.Readdirnames(-1)
		f.Close()
		for _, name := range names {
			add(filepath.Join(dir, name, "modalias"))
		}
	}
	return out
}

// noModalias names buses of bookkeeping devices that no driver module serves.
func noModalias(bus string) bool {
	switch bus {
	case "memory", "cpu", "node", "clocksource", "clockevents", "workqueue", "event_source",
		"container", "machinecheck", "edac", "nvmem", "gpio", "memory_tiering", "pci_express":
		return true
	}
	return false
}
