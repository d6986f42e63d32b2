package service

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// syslogSocket is what /dev/log points to on the machine.
const syslogSocket = "/run/syslog/dev-log"

// problem is something wrong with a service as a whole, told at one of its keys
// or, with "", at its name.
type problem struct{ key, message string }

// check says what is wrong with a service whose keys are all right one by one.
func (y *serviceYAML) check() []problem {
	s, problems := y.service, y.problems
	bad := func(key, format string, args ...any) {
		problems = append(problems, problem{key, fmt.Sprintf(format, args...)})
	}
	switch {
	case s.Image == "":
		bad("", "image is missing")
	case strings.ContainsAny(s.Image, " \t\n") || strings.HasPrefix(s.Image, "/"):
		bad("image", "image: %q is not the name of an image", s.Image)
	}
	probe := y.Ros.Supervision.Healthcheck
	if y.Healthcheck != nil && len(y.Healthcheck.Test) == 0 && !y.Healthcheck.Disable && probe == (probeYAML{}) {
		bad("healthcheck", "healthcheck.test is missing")
	}
	if problem := y.Ros.Supervision.Schedule.check(s); problem != "" {
		bad("x-ros.schedule", "%s", problem)
	}
	if problem := probe.check(y.Healthcheck); problem != "" {
		bad("x-ros.healthcheck", "%s", problem)
	}
	if s.Ready == ReadyHealthy && s.Healthcheck == nil {
		bad("x-ros.ready", "x-ros.ready: healthy needs a healthcheck")
	}
	if s.Ready == ReadyExit && (s.Restart.Policy == "always" || s.Restart.Policy == "unless-stopped") {
		bad("x-ros.ready", "x-ros.ready: exit is for a service that ends, and restart: %s for one that does not; want no or on-failure", s.Restart.Policy)
	}
	if s.Privileged && len(s.CapAdd)+len(s.CapDrop)+len(s.Devices)+len(s.DeviceCgroup) > 0 {
		bad("privileged", "privileged gives every capability and device: cap_add, cap_drop, devices and device_cgroup_rules have no meaning beside it")
	}
	s.checkUserns(bad)
	if s.NetworkMode == "host" {
		for _, name := range sortedKeys(s.Sysctls) {
			if strings.HasPrefix(name, "net.") {
				bad("sysctls", "sysctls.%s would be set for the whole machine with network_mode: host", name)
			}
		}
	}
	for _, name := range sortedKeys(s.Ulimits) {
		if !slices.Contains(ulimitNames, name) {
			bad("ulimits", "ulimits.%s: unknown limit%s", name, strictyaml.Suggest(name, ulimitNames))
		}
	}
	for _, d := range s.DependsOn {
		if d.Name == s.Name {
			bad("depends_on."+s.Name, "depends_on: it depends on itself")
		}
	}
	if s.PidsLimit == 0 && y.PidsLimit < -1 {
		bad("pids_limit", "pids_limit: want a number, or -1 for no limit")
	}
	mounted := map[string]bool{}
	for _, v := range s.Volumes {
		if mounted[v.Target] {
			bad("volumes", "%s is mounted twice", v.Target)
		}
		mounted[v.Target] = true
		if v.Source == "/dev/log" || v.Source == syslogSocket {
			bad("volumes", "%s is a socket that each start of syslog makes anew, and a bind of it would lead to the old one: bind its folder (%[2]s:%[2]s:ro) and write to %[3]s",
				v.Source, path.Dir(syslogSocket), syslogSocket)
		}
	}
	for _, t := range s.Tmpfs {
		if mounted[t.Target] {
			bad("tmpfs", "%s is mounted twice", t.Target)
		}
		mounted[t.Target] = true
	}
	if s.Hostname != "" && s.Uts == "host" {
		bad("hostname", "hostname: uts: host gives it the machine's name")
	}
	if s.CPUs > 0 && (s.CPUQuota > 0 || s.CPUPeriod > 0) {
		bad("cpus", "cpus says the same as cpu_quota and cpu_period; want one of them")
	}
	if s.CPUPeriod > 0 && s.CPUQuota == 0 {
		bad("cpu_period", "cpu_period has no meaning without cpu_quota")
	}
	switch {
	case s.MemReservation > 0 && s.MemLimit > 0 && s.MemReservation > s.MemLimit:
		bad("mem_reservation", "mem_reservation is above mem_limit")
	case s.MemswapLimit != 0 && s.MemLimit == 0:
		bad("memswap_limit", "memswap_limit is memory and swap together, and needs mem_limit")
	case s.MemswapLimit > 0 && s.MemswapLimit < s.MemLimit:
		bad("memswap_limit", "memswap_limit is memory and swap together; it is below mem_limit")
	}
	return problems
}
