package ocispec

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/testudo-os/testudo/pkg/service"
)

// addDevices fills in device nodes and the cgroup's device rules. runc adds
// the standard ones (null, zero, random, tty, pts, ...) by itself.
func addDevices(s *specs.Spec, svc *service.Service, host Host) error {
	hostDev := covered("/dev", s.Mounts) && !isTmpfs("/dev", s.Mounts)
	if svc.Privileged {
		s.Linux.Resources.Devices = []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}
		if hostDev || host.Devices == nil {
			return nil
		}
		devices, err := host.Devices()
		if err != nil {
			return fmt.Errorf("list the machine's devices: %w", err)
		}
		s.Linux.Devices = devices
		return nil
	}
	rules := []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}
	for _, d := range svc.Devices {
		device, err := host.Device(d.Source)
		if err != nil {
			return fmt.Errorf("device %s: %w", d.Source, err)
		}
		permissions := d.Permissions
		if permissions == "" {
			permissions = "rwm"
		}
		major, minor := device.Major, device.Minor
		rules = append(rules, specs.LinuxDeviceCgroup{Allow: true, Type: device.Type, Major: &major, Minor: &minor, Access: permissions})
		if hostDev {
			continue
		}
		device.Path = d.Target
		if device.Path == "" {
			device.Path = path.Clean(d.Source)
		}
		s.Linux.Devices = append(s.Linux.Devices, device)
	}
	for _, text := range svc.DeviceCgroup {
		rule, err := parseDeviceRule(text)
		if err != nil {
			return err
		}
		rules = append(rules, rule)
	}
	s.Linux.Resources.Devices = rules
	return nil
}

func isTmpfs(target string, mounts []specs.Mount) bool {
	for _, m := range mounts {
		if m.Destination == target {
			return m.Type == "tmpfs"
		}
	}
	return false
}

// parseDeviceRule reads "TYPE MAJOR:MINOR ACCESS" of the kernel's
// Documentation/admin-guide/cgroup-v1/devices.rst; * stands for any.
func parseDeviceRule(text string) (specs.LinuxDeviceCgroup, error) {
	bad := func(why string) (specs.LinuxDeviceCgroup, error) {
		return specs.LinuxDeviceCgroup{}, fmt.Errorf("device_cgroup_rules %q: %s (want for example \"c 13:* rwm\")", text, why)
	}
	fields := strings.Fields(text)
	if len(fields) != 3 {
		return bad("needs type, numbers and access")
	}
	if fields[0] != "a" && fields[0] != "b" && fields[0] != "c" {
		return bad("type must be a, b or c")
	}
	majorText, minorText, found := strings.Cut(fields[1], ":")
	if !found {
		return bad("numbers must be MAJOR:MINOR")
	}
	major, err := deviceNumber(majorText)
	if err != nil {
		return bad("bad major number")
	}
	minor, err := deviceNumber(minorText)
	if err != nil {
		return bad("bad minor number")
	}
	if strings.Trim(fields[2], "rwm") != "" {
		return bad("access is made of r, w and m")
	}
	return specs.LinuxDeviceCgroup{Allow: true, Type: fields[0], Major: major, Minor: minor, Access: fields[2]}, nil
}

func deviceNumber(text string) (*int64, error) {
	if text == "*" {
		return nil, nil
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return nil, err
	}
	number := int64(n)
	return &number, nil
}
