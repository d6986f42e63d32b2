package qemu

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
)

// trouble is what no serial log may contain: signs that the kernel or a
// program of ours broke, whatever else went well.
func trouble() *regexp.Regexp {
	return regexp.MustCompile(`Kernel panic|\bOops\b|\bBUG: |WARNING: (CPU|possible)|cut here \]---|Call Trace:|` +
		`general protection fault|\bsegfault at\b|invoked oom-killer|Out of memory: Killed|Memory cgroup out of memory|` +
		`blocked for more than \d+ seconds|soft lockup|rcu: INFO: |` +
		`\bpanic: |goroutine \d+ \[|fatal error: (all goroutines|runtime|unexpected signal|concurrent map)`)
}

// ScanLog returns the lines of a serial log that tell of trouble, each with
// its number. A line that matches one of allowed is expected.
func ScanLog(r io.Reader, allowed ...*regexp.Regexp) ([]string, error) {
	bad := trouble()
	var found []string
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if bad.MatchString(line) && !matchesAny(line, allowed) {
			found = append(found, fmt.Sprintf("%d: %s", n, line))
		}
	}
	if err := lines.Err(); err != nil {
		return found, fmt.Errorf("scan serial log: %w", err)
	}
	return found, nil
}

func matchesAny(line string, res []*regexp.Regexp) bool {
	for _, re := range res {
		if re.MatchString(line) {
			return true
		}
	}
	return false
}
