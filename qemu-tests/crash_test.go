package qemutests

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
)

func TestWhateverIsKilledIsBackAndTheRestGoesOn(t *testing.T) {
	t.Parallel()
	m := boot(t, setup{})
	root := m.login("root")
	before := pids(root.waitReady(coreServices()...))

	// The console is last: killing it ends this very session.
	for _, daemon := range []string{"rosd", "containerd"} {
		t.Run(daemon, func(t *testing.T) {
			old := pidOf(root, daemon)
			root.run("kill -9 " + old)
			m.eventually(time.Minute, func() error {
				if now := pidOf(root, daemon); now == "" || now == old {
					return fmt.Errorf("%s is not back: %q", daemon, now)
				}
				all, err := root.services()
				if err != nil {
					return err
				}
				return sameRunning(before, all, "")
			})
		})
	}
	for _, name := range without(coreServices(), "console") {
		t.Run(name, func(t *testing.T) {
			root.run(fmt.Sprintf("kill -9 %d", before[name]))
			m.eventually(time.Minute, func() error {
				all, err := root.services()
				if err != nil {
					return err
				}
				svc := all[name]
				if !svc.Ready || svc.PID == before[name] || svc.Restarts == 0 {
					return fmt.Errorf("%s is %s (%s), pid %d, %d restarts", name, svc.State, svc.Reason, svc.PID, svc.Restarts)
				}
				if err := sameRunning(before, all, name); err != nil {
					return err
				}
				before[name] = svc.PID
				return nil
			})
			if out := root.run("ros service ps"); !strings.Contains(out, name) {
				t.Errorf("ros service ps does not speak of %s:\n%s", name, out)
			}
		})
	}
	t.Run("console", func(t *testing.T) {
		if _, err := root.try(fmt.Sprintf("kill -9 %d; sleep 5", before["console"])); err == nil {
			t.Error("the session outlived the console's first process")
		}
		again := m.login("root")
		all := again.waitReady("console")
		if err := sameRunning(before, all, "console"); err != nil {
			t.Error(err)
		}
	})
}

// pidOf finds a process by its name; "" when there is none.
func pidOf(s *session, name string) string {
	s.m.t.Helper()
	out := s.run("for d in /proc/[0-9]*; do [ \"$(cat $d/comm 2>/dev/null)\" = " + name + " ] && echo ${d#/proc/}; done; true")
	first, _, _ := strings.Cut(strings.TrimSpace(out), "\n")
	return first
}

// sameRunning fails when a service other than except has another process than before.
func sameRunning(before map[string]int, all map[string]api.Service, except string) error {
	for name, pid := range before {
		if name != except && all[name].PID != pid {
			return fmt.Errorf("%s had process %d and now has %d (%s)", name, pid, all[name].PID, all[name].Reason)
		}
	}
	return nil
}

func aHundredOrphansASecondAreReaped(t *testing.T, m *machine) {
	root := m.login("root")
	root.put("/run/guest", "755", guestProgram(t))
	root.run("/run/guest orphans 100 5 >/dev/null 2>&1")
	m.eventually(30*time.Second, func() error {
		out := root.run("grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l")
		if n := strings.TrimSpace(out); n != "0" {
			return fmt.Errorf("%s zombies are left", n)
		}
		return nil
	})
	root.waitReady(coreServices()...)
}
