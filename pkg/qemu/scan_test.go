package qemu

import (
	"regexp"
	"strings"
	"testing"
)

func TestScanLog(t *testing.T) {
	for line, bad := range map[string]bool{
		"[    1.0] Kernel panic - not syncing: VFS":          true,
		"[    1.0] Oops: 0000 [#1] PREEMPT SMP":              true,
		"[    1.0] BUG: kernel NULL pointer dereference":     true,
		"[    1.0] WARNING: CPU: 0 PID: 1 at kernel/x.c:1":   true,
		"panic: runtime error: index out of range":           true,
		"[    1.0] init: panic: boom":                        true,
		"goroutine 1 [running]:":                             true,
		"[    1.0] Out of memory: Killed process 12 (rosd)":  true,
		"[    1.0] sh[12]: segfault at 0 ip 0 sp 0 error 4":  true,
		"[    0.0] Command line: console=ttyS0 panic=-1":     false,
		"[    0.0] Kernel command line: panic=-1 oops=panic": false,
		"[    1.0] Memory: 900K/1024K available":             false,
		"[    1.0] pcieport: AER: enabled":                   false,
		"login: ":                                            false,
	} {
		found, err := ScanLog(strings.NewReader("fine\n" + line + "\r\n"))
		if err != nil || (len(found) > 0) != bad {
			t.Errorf("%q: found %q, %v", line, found, err)
		}
		if bad && len(found) > 0 && !strings.HasPrefix(found[0], "2: ") {
			t.Errorf("%q has no line number", found[0])
		}
	}
}

func TestExpectedLinesAreNoTrouble(t *testing.T) {
	found, err := ScanLog(strings.NewReader("Memory cgroup out of memory: Killed process 9 (hog)\n"), regexp.MustCompile(`\(hog\)`))
	if err != nil || len(found) > 0 {
		t.Errorf("%q, %v", found, err)
	}
}

func FuzzScanLog(f *testing.F) {
	f.Add("Kernel panic\nfine\n")
	f.Fuzz(func(t *testing.T, text string) {
		found, err := ScanLog(strings.NewReader(text))
		if err == nil && len(found) > strings.Count(text, "\n")+1 {
			t.Errorf("%d lines found in %q", len(found), text)
		}
	})
}
