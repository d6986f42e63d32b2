package qemutests

import (
	"regexp"
	"strings"
	"testing"

	"github.com/testudo-os/testudo/pkg/layout"
)

const diskSize = 2 << 30

// autoformat lets the machine take an empty disk for its state.
const autoformat = layout.ArgAutoformat + "=true"

// powerOff switches a machine off by ssh.
func powerOff(m *machine) {
	m.t.Helper()
	if out, err := m.login("ros").try("sudo ros poweroff"); err != nil && !isGone(err) {
		m.t.Logf("ros poweroff: %v %s", err, out) // the connection may end first
	}
	m.waitExit()
}

func thePowerButtonPowersOff(t *testing.T, m *machine) {
	ros := m.login("ros")
	ros.waitReady(coreServices()...)
	if err := m.PowerButton(m.within(commandTime)); err != nil {
		t.Fatal(err)
	}
	if err := m.WaitExit(m.within(powerTime)); err != nil {
		t.Fatalf("%v\nacpid says:\n%s", err, ros.run("ros service logs acpid; lsmod; ls -l /dev/input; cat /proc/bus/input/devices"))
	}
	if !strings.Contains(m.Text(), "Power down") {
		t.Error("QEMU ended without the kernel's own last line")
	}
}

func TestRebootComesBack(t *testing.T) {
	t.Parallel()
	m := boot(t, setup{reboot: true})
	ros := m.login("ros")
	ros.waitReady("console")
	before := strings.TrimSpace(ros.run("cat /proc/sys/kernel/random/boot_id"))
	mark := m.Mark()
	if out, err := ros.try("shutdown -r +0"); err != nil && !isGone(err) {
		t.Logf("shutdown -r: %v %s", err, out)
	}
	if _, err := m.WaitLineAfter(m.within(bootTime), mark, regexp.MustCompile(`Linux version`)); err != nil {
		t.Fatal(err)
	}
	if after := strings.TrimSpace(m.login("ros").run("cat /proc/sys/kernel/random/boot_id")); after == before {
		t.Error("it is the same boot")
	}
}
