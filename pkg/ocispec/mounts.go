package ocispec

import (
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/testudo-os/testudo/pkg/service"
)

const defaultTmpfsMode = 0o1777

// mounts returns the mounts in the order runc makes them, parents first, and
// the propagation the root file system needs for them ("" = the default).
// What the service mounts at or above a default mount replaces it: with the
// host's /dev, its pts and shm come along.
func mounts(svc *service.Service, extra []specs.Mount) ([]specs.Mount, string) {
	own := append(volumeMounts(svc), tmpfsMounts(svc)...)
	own = append(own, extra...)

	var all []specs.Mount
	for _, d := range defaultMounts(svc) {
		if !covered(d.Destination, own) {
			all = append(all, d)
		}
	}
	all = append(all, own...)
	// Stable: of two mounts at one depth the order of the file stays.
	sort.SliceStable(all, func(i, j int) bool { return depth(all[i].Destination) < depth(all[j].Destination) })
	return all, rootPropagation(svc)
}

func depth(name string) int { return strings.Count(path.Clean(name), "/") }

func covered(name string, by []specs.Mount) bool {
	for _, m := range by {
		if within(name, path.Clean(m.Destination)) {
			return true
		}
	}
	return false
}

func defaultMounts(svc *service.Service) []specs.Mount {
	shmSize := "size=65536k"
	if svc.ShmSize > 0 {
		shmSize = fmt.Sprintf("size=%d", svc.ShmSize)
	}
	sys := []string{"nosuid", "noexec", "nodev"}
	cgroup := []string{"nosuid", "noexec", "nodev", "relatime"}
	if !svc.Privileged {
		sys = append(sys, "ro")
		cgroup = append(cgroup, "ro")
	}
	list := []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: sys},
	}
	if svc.Userns && svc.NetworkMode == "host" {
		// The kernel lets only the owner of a network namespace mount its sysfs.
		list[len(list)-1] = specs.Mount{Destination: "/sys", Type: "bind", Source: "/sys", Options: append([]string{"rbind", "rro"}, sys[:3]...)}
	}
	if svc.Ipc == "host" {
		list = append(list, specs.Mount{Destination: "/dev/shm", Type: "bind", Source: "/dev/shm", Options: []string{"rbind", "nosuid", "noexec", "nodev"}})
	} else {
		list = append(list, specs.Mount{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", shmSize}})
	}
	if svc.Privileged || svc.Cgroup == "host" {
		list = append(list, specs.Mount{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: cgroup})
	}
	return list
}

func volumeMounts(svc *service.Service) []specs.Mount {
	var list []specs.Mount
	for _, v := range svc.Volumes {
		bind, readOnly := "bind", "ro"
		if v.Recursive {
			// rro: a read-only volume is read-only in the mounts below it too.
			bind, readOnly = "rbind", "rro"
		}
		options := []string{bind}
		if v.ReadOnly {
			options = append(options, readOnly)
		}
		if v.NoExec {
			options = append(options, "noexec")
		}
		propagation := v.Propagation
		if propagation == "" {
			propagation = "rprivate"
		}
		list = append(list, specs.Mount{
			Destination: v.Target, Type: "bind", Source: v.Source,
			Options: append(options, propagation),
		})
	}
	return list
}

// mapMounts has what the service sees of the machine's files belong, in its own
// ids, to whom it belongs on the machine. Where the file system cannot do that
// the files belong to nobody there, which is only good for reading.
func mapMounts(mounts []specs.Mount, ids []specs.LinuxIDMapping, mappable func(string) bool) error {
	if ids == nil {
		return nil
	}
	for i, m := range mounts {
		switch {
		case m.Type != "bind":
		case mappable == nil || mappable(m.Source):
			mounts[i].UIDMappings, mounts[i].GIDMappings = ids, ids
		case !slices.Contains(m.Options, "ro") && !slices.Contains(m.Options, "rro"):
			return fmt.Errorf("volume %s: the file system of %s knows no other owners, as userns_mode: auto needs: make it read-only", m.Destination, m.Source)
		}
	}
	return nil
}

func tmpfsMounts(svc *service.Service) []specs.Mount {
	var list []specs.Mount
	for _, t := range svc.Tmpfs {
		mode := t.Mode
		if mode == 0 {
			mode = defaultTmpfsMode
		}
		options := []string{"nosuid", "nodev", "noexec", fmt.Sprintf("mode=%o", mode)}
		if t.Size > 0 {
			options = append(options, fmt.Sprintf("size=%d", t.Size))
		}
		list = append(list, specs.Mount{Destination: t.Target, Type: "tmpfs", Source: "tmpfs", Options: options})
	}
	return list
}

// rootPropagation is what Docker does: a shared volume needs a shared root
// mount, one that receives mounts needs a slave one.
func rootPropagation(svc *service.Service) string {
	propagation := ""
	for _, v := range svc.Volumes {
		switch v.Propagation {
		case "shared", "rshared":
			return "rshared"
		case "slave", "rslave":
			propagation = "rslave"
		}
	}
	return propagation
}

func maskedPaths() []string {
	return []string{
		"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys",
		"/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
		"/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap",
	}
}

func readonlyPaths() []string {
	return []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
}
