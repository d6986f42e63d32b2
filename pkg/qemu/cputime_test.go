package qemu

import (
	"testing"
	"time"
)

func TestProcessorTimeIsUserAndSystemTimeWhateverTheProgramIsCalled(t *testing.T) {
	got, err := cpuTime("42 (a ) b) S 1 42 42 0 -1 4194560 1 2 3 4 150 25 0 0 20 0 1 0 100 0 0")
	if err != nil || got != 1750*time.Millisecond {
		t.Fatalf("cpuTime = %v, %v, want 1.75s", got, err)
	}
	for _, bad := range []string{"", "42 (x) S 1", "1 (x) S 1 2 3 4 5 6 7 8 9 10 a b"} {
		if got, err := cpuTime(bad); err == nil {
			t.Errorf("cpuTime(%q) = %v, want an error", bad, got)
		}
	}
}
