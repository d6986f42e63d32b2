package qemutests

import (
	"regexp"
	"strings"
	"testing"
)

// What docs/recover.md promises of kernel arguments.
func TestKernelArgumentsThatGetPeopleIn(t *testing.T) {
	t.Parallel()
	m := boot(t, setup{args: "testudo.break=rosd testudo.services.disable=ntp", noSeed: true})
	emergency := regexp.MustCompile(`emergency# $`)
	if _, err := m.WaitLine(m.within(bootTime), emergency); err != nil {
		t.Fatal(err)
	}
	sh := &serialShell{m: m}
	sh.answer("ls /run/testudo/api.sock || echo no service manager\n", `^no service manager`)
	sh.answer("exit\n", `@.*\$ $`)
	if got := strings.TrimSpace(sh.run("sudo -i id -un")); got != "root" {
		t.Errorf("sudo -i id -un says %q", got)
	}
	if got := sh.run("ros service ls --all | grep ntp"); !strings.Contains(got, "disabled") {
		t.Errorf("ntp is not disabled: %s", got)
	}
}
