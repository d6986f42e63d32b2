package service

import (
	"fmt"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// check says what is wrong with a service whose keys are all right one by one.
func (y *serviceYAML) check() (problems []string) {
	s := y.service
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	switch {
	case s.Image == "":
		bad("image is missing")
	case strings.ContainsAny(s.Image, " \t\n") || strings.HasPrefix(s.Image, "/"):
		bad("image: %q is not the name of an image", s.Image)
	}
	if y.Healthcheck != nil && len(y.Healthcheck.Test) == 0 && !y.Healthcheck.Disable {
		bad("healthcheck.test is missing")
	}
	if s.Ready == ReadyHealthy && s.Healthcheck == nil {
		bad("x-ros.ready: healthy needs a healthcheck")
	}
	if s.Ready == ReadyExit && (s.Restart.Policy == "always" || s.Restart.Policy == "unless-stopped") {
		bad("x-ros.ready: exit is for a service that ends, and restart: %s for one that does not; want no or on-failure", s.Restart.Policy)
	}
	if s.Privileged && len(s.CapAdd)+len(s.CapDrop)+len(s.Devices)+len(s.DeviceCgroup) > 0 {
		bad("privileged gives every capability and device: cap_add, cap_drop, devices and device_cgroup_rules have no meaning beside it")
	}
	if s.NetworkMode == "host" {
		for _, name := range sortedKeys(s.Sysctls) {
			if strings.HasPrefix(name, "net.") {
				bad("sysctls.%s would be set for the whole machine with network_mode: host", name)
			}
		}
	}
	for _, name := range sortedKeys(s.Ulimits) {
		if !slices.Contains(ulimitNames, name) {
			bad("ulimits.%s: unknown limit%s", name, strictyaml.Suggest(name, ulimitNames))
		}
	}
	for _, d := range s.DependsOn {
		if d.Name == s.Name {
			bad("depends_on: it depends on itself")
		}
	}
	if s.PidsLimit == 0 && y.PidsLimit < -1 {
		bad("pids_limit: want a number, or -1 for no limit")
	}
	for _, t := range s.Tmpfs {
		for _, v := range s.Volumes {
			if t.Target == v.Target {
				bad("%s is mounted twice", t.Target)
			}
		}
	}
	return problems
}
