package bench

import (
	"math"
	"testing"
	"time"
)

func TestSharesAreSortedAndWhatNobodyDidIsTold(t *testing.T) {
	l := Log{
		Marks: map[string]Mark{"ssh": {At: 4 * time.Second, Busy: 3 * time.Second}},
		Facts: map[string][]string{"worked": {"rosd 250000", "containerd 750000"}},
	}
	got, err := l.shares()
	if err != nil {
		t.Fatal(err)
	}
	want := []Share{{ended, 2}, {"containerd", 0.75}, {"rosd", 0.25}}
	if len(got) != len(want) {
		t.Fatalf("got %v", got)
	}
	for i := range want {
		if got[i].Name != want[i].Name || math.Abs(got[i].Seconds-want[i].Seconds) > 1e-9 {
			t.Errorf("got %v, want %v", got[i], want[i])
		}
	}
	for _, bad := range []string{"rosd", "rosd x", ""} {
		if got, err := (Log{Facts: map[string][]string{"worked": {bad}}}).shares(); err == nil {
			t.Errorf("%q gives %v", bad, got)
		}
	}
}

func TestResidentMemoryIsThatOfAllProcessesOfAName(t *testing.T) {
	l := Log{Facts: map[string][]string{"resident": {"rosd 20480 9000", "sshd 1024 1", "sshd 2048 1"}}}
	for name, want := range map[string]float64{"rosd": 20, "sshd": 3} {
		if got, err := l.resident(name); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", name, got, err, want)
		}
	}
	if _, err := l.resident("dockerd"); err == nil {
		t.Error("no error for who is not there")
	}
}
