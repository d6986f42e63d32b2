package qemutests

import (
	"fmt"
	"strings"
	"testing"
)

// Without a word of their own services would inherit containerd's score, and
// the kernel would spare a leaking service and kill what is innocent.
func theKernelSparesOnlyTheServicesThatSaySo(t *testing.T, m *machine) {
	root := m.login("root")
	root.waitReady(append(coreServices(), "docker")...)
	spared := map[string]int{"docker": -500, "network": -800, "syslog": -300, "udev": -900}
	out := root.run(`for p in /proc/[0-9]*; do
		read -r score < $p/oom_score_adj && read -r cgroup < $p/cgroup && read -r name < $p/comm &&
			echo "$score $cgroup $name"
	done 2>/dev/null; true`)
	seen := map[string]bool{}
	for line := range strings.Lines(out) {
		var score int
		var cgroup, name string
		if _, err := fmt.Sscan(line, &score, &cgroup, &name); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		// The engine moves to a group of its own.
		cgroup = strings.Replace(cgroup, "0::/docker-engine", "0::/system/docker", 1)
		service, found := strings.CutPrefix(cgroup, "0::/system/")
		if !found {
			continue // PID 1 and its two children, shims, kernel threads
		}
		service, _, _ = strings.Cut(service, "/")
		seen[service] = true
		// The process that takes connections spares itself, not its sessions.
		if name == "sshd" && score == -1000 {
			continue
		}
		if score < spared[service] {
			t.Errorf("%s of %s has the score %d, want %d", name, service, score, spared[service])
		}
	}
	for _, service := range append(coreServices(), "docker") {
		if !seen[service] {
			t.Errorf("no process of %s was seen in:\n%s", service, out)
		}
	}
}
