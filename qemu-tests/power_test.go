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

func TestPoweroffFromSSHLeavesACleanStateDisk(t *testing.T) {
	t.Parallel()
	disk := newDisk(t, diskSize)
	m := boot(t, setup{disks: disks(disk), args: autoformat})
	ros := m.login("ros")
	ros.waitReady(coreServices()...)
	ros.run("sh -c 'echo kept > ~/kept'")
	if out, err := ros.try("sudo ros poweroff"); err != nil && !isGone(err) {
		t.Logf("ros poweroff: %v %s", err, out) // the connection may end first
	}
	m.waitExit()
	m.h.checkDisk(t, disk)
}

func TestRebootComesBack(t *testing.T) {
	t.Parallel()
	m := boot(t, setup{reboot: true})
	ros := m.login("ros")
	ros.waitReady("console")
	before := strings.TrimSpace(ros.run("cat /proc/sys/kernel/random/boot_id"))
	mark := m.Mark()
	if out, err := ros.try("sudo ros reboot"); err != nil && !isGone(err) {
		t.Logf("ros reboot: %v %s", err, out)
	}
	if _, err := m.WaitLineAfter(m.within(bootTime), mark, regexp.MustCompile(`Linux version`)); err != nil {
		t.Fatal(err)
	}
	if after := strings.TrimSpace(m.login("ros").run("cat /proc/sys/kernel/random/boot_id")); after == before {
		t.Error("it is the same boot")
	}
}
