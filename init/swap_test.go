package main

import (
	"slices"
	"testing"
)

func TestSwapsAreReadAsTheKernelListsThem(t *testing.T) {
	text := "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/var/lib/testudo/swap/swapfile          file\t\t32764\t\t0\t\t-2\n/dev/vdb1                               partition\t1\t0\t-3\n/mnt/two\\040words\tfile\t1\t0\t-4\n"
	want := []string{"/var/lib/testudo/swap/swapfile", "/dev/vdb1", "/mnt/two words"}
	if got := swaps(text); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := swaps(""); got != nil {
		t.Errorf("got %q", got)
	}
}
