package qemu

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// CPUTime is the processor time that QEMU has used so far, which a busy host
// changes less than it changes wall time.
func (v *VM) CPUTime() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", v.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("processor time of machine %s: %w", v.cfg.Name, err)
	}
	return cpuTime(string(stat))
}

// cpuTime reads utime and stime, fields 14 and 15 of proc_pid_stat(5), in
// hundredths of a second. Field 2 is a name in parentheses that may hold anything.
func cpuTime(stat string) (time.Duration, error) {
	rest := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:]) // from field 3 on
	if len(rest) < 13 {
		return 0, fmt.Errorf("not the stat of a process: %q", stat)
	}
	var sum time.Duration
	for _, s := range rest[11:13] {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("stat of a process: %w", err)
		}
		sum += time.Duration(n) * 10 * time.Millisecond
	}
	return sum, nil
}
