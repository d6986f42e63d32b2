package qemutests

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
)

// services asks `ros service ls`.
func (s *session) services() (map[string]api.Service, error) {
	out, err := s.try("ros service ls --format json")
	if err != nil {
		return nil, err
	}
	var list []api.Service
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		return nil, fmt.Errorf("ros service ls: %w: %s", err, out)
	}
	byName := map[string]api.Service{}
	for _, svc := range list {
		byName[svc.Name] = svc
	}
	return byName, nil
}

// status asks `ros status`.
func (s *session) status() api.Status {
	s.m.t.Helper()
	var st api.Status
	out := s.run("ros status --format json")
	if err := json.Unmarshal([]byte(out), &st); err != nil {
		s.m.t.Fatalf("ros status: %v: %s", err, out)
	}
	return st
}

// waitReady waits until services are ready and returns them all.
func (s *session) waitReady(names ...string) map[string]api.Service {
	s.m.t.Helper()
	var all map[string]api.Service
	s.m.eventually(3*time.Minute, func() (err error) {
		if all, err = s.services(); err != nil {
			return err
		}
		for _, name := range names {
			if svc, ok := all[name]; !ok {
				return fmt.Errorf("there is no service %s", name)
			} else if !svc.Ready {
				return fmt.Errorf("%s is %s: %s", name, svc.State, svc.Reason)
			}
		}
		return nil
	})
	return all
}

// coreServices are those of the core variant.
func coreServices() []string {
	return []string{"acpid", "console", "network", "ntp", "syslog", "udev"}
}

// pids maps running services to their process ids.
func pids(all map[string]api.Service) map[string]int {
	m := map[string]int{}
	for name, svc := range all {
		if svc.PID != 0 {
			m[name] = svc.PID
		}
	}
	return m
}

// without is names less one.
func without(names []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == name })
}
