package main

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// clock reads CLOCK_BOOTTIME, and the same less the time that processors idled,
// in microseconds. busy is -1 before /proc is the working directory.
func clock() (now, busy int64) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return -1, -1
	}
	now = ts.Nano() / int64(time.Microsecond)
	stat, err := os.ReadFile("stat")
	if err != nil {
		return now, -1
	}
	cpus, idle := idleTime(string(stat))
	return now, now*cpus - idle
}

// tick is USER_HZ, in microseconds.
const tick = 10_000

// idleTime reads how many processors /proc/stat lists, and the microseconds
// that they together were idle or waited for a disk.
func idleTime(stat string) (cpus, idle int64) {
	for line := range strings.Lines(stat) {
		f := strings.Fields(line)
		if len(f) < 6 || !strings.HasPrefix(f[0], "cpu") {
			continue
		}
		if f[0] != "cpu" {
			cpus++
			continue
		}
		for _, s := range f[4:6] {
			if n, err := strconv.ParseInt(s, 10, 64); err == nil {
				idle += n * tick
			}
		}
	}
	return cpus, idle
}
