package qemutests

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/testudo-os/testudo/pkg/api"
)

func TestCoreBootsToALogin(t *testing.T) {
	t.Parallel()
	m := boot(t, setup{cloudConfig: "hostname: shell\nwrite_files:\n  - path: /home/ros/note\n    content: hello\n"})
	ros := m.login("ros")
	all := ros.waitReady(coreServices()...)

	t.Run("every service is running and its row is complete", func(t *testing.T) {
		for name, svc := range all {
			if svc.State != api.StateRunning && svc.State != api.StateExited && svc.State != api.StateDisabled {
				t.Errorf("%s is %s: %s", name, svc.State, svc.Reason)
			}
			if svc.Restarts != 0 {
				t.Errorf("%s was restarted %d times: %s", name, svc.Restarts, svc.Reason)
			}
			if svc.Image == "" || svc.Since.IsZero() || svc.State == api.StateRunning && svc.PID == 0 {
				t.Errorf("the row of %s lacks something: %+v", name, svc)
			}
		}
	})
	t.Run("the machine is healthy and has no problems", func(t *testing.T) {
		if st := ros.status(); !st.Healthy || len(st.Problems) > 0 {
			t.Errorf("healthy: %v, problems: %q", st.Healthy, st.Problems)
		}
	})
	t.Run("the cloud-config was applied", func(t *testing.T) {
		if got := strings.TrimSpace(ros.run("hostname")); got != "shell" {
			t.Errorf("hostname is %q", got)
		}
		if got := strings.TrimSpace(ros.run("cat /home/ros/note")); got != "hello" {
			t.Errorf("the written file holds %q", got)
		}
	})
	t.Run("user ros has its ids and groups and can become root", func(t *testing.T) {
		id := ros.run("id")
		for _, want := range []string{"uid=1000(ros)", "27(sudo)", "998(docker)"} {
			if !strings.Contains(id, want) {
				t.Errorf("id says %q, which lacks %s", id, want)
			}
		}
		if got := strings.TrimSpace(ros.run("sudo id -u")); got != "0" {
			t.Errorf("sudo id -u says %q", got)
		}
	})
	t.Run("root logs in by key", func(t *testing.T) {
		if got := strings.TrimSpace(m.login("root").run("id -u")); got != "0" {
			t.Errorf("id -u says %q", got)
		}
	})
	t.Run("boot blame names the steps of init", func(t *testing.T) {
		var steps []api.BootStep
		out := ros.run("ros boot blame --format json")
		if err := json.Unmarshal([]byte(out), &steps); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		kinds := map[string]int{}
		for _, s := range steps {
			kinds[s.Kind]++
			if s.Error != "" {
				t.Errorf("step %s failed: %s", s.Name, s.Error)
			}
		}
		if kinds["init"] == 0 || kinds["service"] == 0 {
			t.Errorf("steps by kind: %v", kinds)
		}
	})
	t.Run("the kernel log has no warnings", func(t *testing.T) {
		// Level 4 and more urgent, less what is said wherever Debian's kernel
		// runs on such a machine, whatever system is on it.
		emulation := regexp.MustCompile(`(?i)` + strings.Join([]string{
			`mds|mmio stale|spectre|retbleed|TSA:|TAA:|its:|speculative|vulnerable`, // leaks that QEMU's processor cannot close
			`acpi|pci |platform |i8042|legacy|mtrr`,                                 // QEMU's board and its tables
			`tsc|clocksource|no_timer_check|APIC calibration`,                       // clocks of an emulated processor
			`hpet: Lost|hrtimer: interrupt took`,                                    // the same, when the host is busy
			`random: `,                                                              // few sources of randomness
			`device-mapper: .*IMA_DISABLE_HTABLE`,                                   // how Debian configured IMA, told when device-mapper loads
		}, "|"))
		for line := range strings.Lines(ros.run("sudo dmesg -r | grep -E '^<[0-4]>' || true")) {
			if !emulation.MatchString(line) {
				t.Errorf("kernel log: %s", line)
			}
		}
	})
	t.Run("only ssh listens to the network", func(t *testing.T) {
		for line := range strings.Lines(ros.run("cat /proc/net/tcp /proc/net/tcp6")) {
			f := strings.Fields(line)
			if len(f) < 4 || f[3] != "0A" {
				continue
			}
			addr, port, _ := strings.Cut(f[1], ":")
			if port != "0016" && addr != "0100007F" && addr != "00000000000000000000000001000000" {
				t.Errorf("something listens on port 0x%s of %s", port, addr)
			}
		}
	})
}

func TestSerialConsoleHasALoginPrompt(t *testing.T) {
	t.Parallel()
	m := boot(t, setup{prompt: true})
	if _, err := m.WaitLine(m.within(bootTime), regexp.MustCompile(`login: $`)); err != nil {
		t.Fatal(err)
	}
}

// Without a console PID 1 begins with its standard files closed, before there
// is a /dev of our making.
func TestAMachineWithoutAConsoleBoots(t *testing.T) {
	t.Parallel()
	ros := boot(t, setup{noConsole: true}).login("ros")
	if got := ros.run("sudo dmesg"); !strings.Contains(got, "unable to open an initial console") {
		t.Errorf("the machine had a console:\n%s", got)
	}
}
