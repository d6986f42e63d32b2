// Command init is process 1 of Testudo. It brings the machine from the
// kernel's hand-over to a running containerd and rosd, keeps these two running,
// reaps every orphan, and takes the machine down in order. It reads no
// configuration beyond the kernel command line, knows nothing of services, and
// must not exit: every step's error is handled, every goroutine's panic caught.
//
// Reading steps from top to bottom is reading the boot; reading their undo
// parts from bottom to top is reading the shutdown. Each step has a file of its
// own, where what undoes it stands next to it.
package main

import (
	"fmt"
	"os"

	"github.com/testudo-os/testudo/pkg/boot"
)

// buildEpoch is when this release was built, in seconds since 1970: the clock
// is never before it. Set with -ldflags "-X main.buildEpoch=...".
var buildEpoch string

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "init: this is process 1 of Testudo and runs only as that")
		os.Exit(2)
	}
	newMachine(buildEpoch).live()
}

// steps is the boot. testudo.break=NAME on the kernel command line stops
// before a step with a shell.
func (m *machine) steps() []boot.Step {
	return []boot.Step{
		{Name: "kernel-filesystems", Do: m.mountKernelFilesystems},      // 1: /proc, /sys, /dev
		{Name: "kernel-log", Do: m.openKernelLog},                       // 2: lines with a monotonic stamp
		{Name: "kernel-arguments", Do: m.readKernelArguments},           // 3: testudo.*
		{Name: "limits", Do: m.raiseLimits},                             // 4: out-of-memory score, open files
		{Name: "reaper", Do: m.startReaper},                             // 5: no zombies from here on
		{Name: "boot-modules", Do: m.loadBootModules},                   // 6: what reaches the system image and disks
		{Name: "system-image", Do: m.mountSystemImage, Needed: true},    // 7: loop, dm-verity, EROFS
		{Name: "root", Do: m.switchRoot, Needed: true},                  // 8: it becomes /
		{Name: "drivers", Do: m.loadDrivers},                            // 9: for disks and networks; udev has the rest
		{Name: "filesystems", Do: m.mountFilesystems},                   // 10: /run, /tmp, /etc, cgroup2, ...
		{Name: "kernel-settings", Do: m.setKernel},                      // 11: sysctls
		{Name: "folders", Do: m.makeFolders},                            // 12: /run/testudo, /var/tmp, ...
		{Name: "etc", Do: m.fillEtc},                                    // 13: from its skeleton
		{Name: "cgroups", Do: m.delegateControllers},                    // 14: for everyone below
		{Name: "build-clock", Do: m.raiseClock},                         // 15: never before the build
		{Name: "containerd", Do: m.startContainerd},                     // 16: starts while drivers wait for disks; stopped with rosd
		{Name: "rosd", Do: m.startRosd},                                 // 17: so does it; it waits for step 26
		{Name: "loopback", Do: m.raiseLoopback},                         // 18
		{Name: "hostname", Do: m.setHostname},                           // 19
		{Name: "state-disk", Do: m.attachState, Undo: m.detachState},    // 20: or RAM
		{Name: "clock", Do: m.raiseClock},                               // 21: nor before the last shutdown
		{Name: "machine-id", Do: m.setMachineID},                        // 22
		{Name: "random-seed", Do: m.rotateSeed, Undo: m.saveSeed},       // 23
		{Name: "watchdog", Do: m.openWatchdog},                          // 24: feeds it until the end
		{Name: "processes", Do: m.allowProcesses, Undo: m.endProcesses}, // 25: whoever is left at the end
		{Name: "services", Do: m.allowServices, Undo: m.stopServices},   // 26: the machine's record, which rosd waits for; ends the services first
		{Name: "boot-record", Do: m.writeBootRecord},                    // 27
	}
}
