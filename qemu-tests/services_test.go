package qemutests

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/layout"
)

// services asks `ros service ls`.
func (s *session) services() (map[string]api.Service, error) {
	out, err := s.try("ros service ls --all --format json")
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

func TestAServiceOfYoursWithAnInit(t *testing.T) {
	t.Parallel()
	disk := newDisk(t, diskSize)
	first := boot(t, setup{disks: disks(disk), args: autoformat})
	first.login("root").put(layout.UserServices+"/reaped.yaml", "644", []byte(`services:
  reaped:
    image: testudo/syslog
    init: true
    # Leaves orphans behind, and does not reap: that is the init's work.
    entrypoint: [sh, -c, "for i in 1 2 3; do (sleep 0.1 &); done; exec sleep 1000000"]
    stop_grace_period: 1m
`))
	powerOff(first)

	m := boot(t, setup{disks: disks(disk)})
	root := m.login("root")
	svc := root.waitReady("reaped")["reaped"]
	if got := root.run(fmt.Sprintf("tr '\\0' ' ' < /proc/%d/cmdline", svc.PID)); !strings.HasPrefix(got, "/.testudo-init -- ") {
		t.Errorf("its first process is %q", got)
	}
	children := fmt.Sprintf("cat /proc/%[1]d/task/%[1]d/children | wc -w", svc.PID)
	m.eventually(time.Minute, func() error {
		if n := strings.TrimSpace(root.run(children)); n != "1" {
			return fmt.Errorf("it has %s children", n)
		}
		return nil
	})
	// sleep as process 1 would ignore the signal and use up the grace period.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if out, err := root.ssh.Run(ctx, "ros service stop reaped"); err != nil {
		t.Errorf("stop: %v %s", err, out)
	}
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
