package qemutests

import (
	"strings"
	"testing"

	"github.com/testudo-os/testudo/pkg/qemu"
)

func disks(d ...qemu.Disk) []qemu.Disk { return d }

// identity is what makes a machine the same one after a reboot.
const identity = "cat /etc/machine-id; for f in /etc/ssh/ssh_host_*_key.pub; do cat $f; done; cat ~/kept"

func TestStateOutlivesAPowerOffWhichLeavesItClean(t *testing.T) {
	t.Parallel()
	disk := newDisk(t, diskSize)
	first := boot(t, setup{disks: disks(disk), args: autoformat})
	ros := first.login("ros")
	ros.waitReady(coreServices()...)
	if st := ros.status(); st.Machine.StateMode != "disk" {
		t.Fatalf("state is kept in %q: %s", st.Machine.StateMode, st.Machine.StateReason)
	}
	ros.run("sh -c 'echo kept > ~/kept; sudo touch /etc/lost /run/lost'")
	before := ros.run(identity)
	powerOff(first)
	first.h.checkDisk(t, disk)

	second := boot(t, setup{disks: disks(disk)})
	ros = second.login("ros")
	if after := ros.run(identity); after != before {
		t.Errorf("before the reboot:\n%s\nafter it:\n%s", before, after)
	}
	if out := ros.run("ls -d /etc/lost /run/lost 2>/dev/null || true"); strings.TrimSpace(out) != "" {
		t.Errorf("these should not have outlived the reboot: %s", out)
	}
}

func withoutAStateDiskEverythingLivesInRAMAndSaysSo(t *testing.T, m *machine) {
	ros := m.login("ros")
	if st := ros.status(); st.Machine.StateMode != "ram" || st.Machine.StateReason == "" {
		t.Errorf("machine: %+v", st.Machine)
	}
}

func TestAStateDiskInTroubleStillBootsToALogin(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, h *host, d *qemu.Disk){
		"full": func(t *testing.T, h *host, d *qemu.Disk) {
			mkfs(t, h, d.Path)
			fill(t, h, d.Path)
		},
		"read-only": func(t *testing.T, h *host, d *qemu.Disk) {
			mkfs(t, h, d.Path)
			d.ReadOnly = true
		},
		"corrupt": func(t *testing.T, h *host, d *qemu.Disk) {
			mkfs(t, h, d.Path)
			smash(t, d.Path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			disk := newDisk(t, 256<<20)
			spoil(t, getHost(t), &disk)
			m := boot(t, setup{disks: disks(disk), allow: `EXT4-fs|I/O error|blk_update`})
			st := m.login("ros").status()
			if st.Machine.StateReason == "" && len(st.Machine.Warnings) == 0 && len(st.Problems) == 0 {
				t.Errorf("nobody says what is wrong with the disk: %+v", st)
			}
		})
	}
}
