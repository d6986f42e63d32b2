package bench

import (
	"strings"
	"testing"
)

func results(ssh float64) map[string]*Result {
	return map[string]*Result{
		Bare:        {Name: Bare, Figures: map[Figure]float64{InitAt: 2}},
		DebianName:  {Name: DebianName, Figures: map[Figure]float64{SSHAt: 16}},
		TestudoCore: {Name: TestudoCore, Figures: map[Figure]float64{SSHAt: ssh, PowerOff: 1}},
	}
}

func find(t *testing.T, aims []Aim, what string) Aim {
	t.Helper()
	for _, a := range aims {
		if strings.Contains(a.What, what) {
			return a
		}
	}
	t.Fatalf("no aim says %q: %v", what, aims)
	return Aim{}
}

func TestAnAimIsMetUpToItsLimitAndMissedBeyondIt(t *testing.T) {
	for _, c := range []struct {
		ssh     float64
		what    string
		verdict string
	}{
		{3.2, "bare kernel's time", "met by 0.00 s (0 %)"},
		{4, "bare kernel's time", "MISSED by 0.80 s (25 %)"},
		{4, "Debian's", "met by 0.00 s (0 %)"},
		{5, "Debian's", "MISSED by 1.00 s (25 %)"},
		{2, "power off", "met by 0.00 s (0 %)"},
	} {
		a := find(t, judge(results(c.ssh)), c.what)
		if got := a.Verdict(); got != c.verdict {
			t.Errorf("%s at %v s: %q, want %q", c.what, c.ssh, got, c.verdict)
		}
	}
}

func TestAnAimWithoutItsFiguresIsNotJudged(t *testing.T) {
	r := results(2)
	delete(r, DebianName)
	if a := find(t, judge(r), "Debian's"); a.Met || !strings.Contains(a.Verdict(), "debian was not measured") {
		t.Errorf("%+v: %s", a, a.Verdict())
	}
	if a := find(t, judge(r), "idle memory"); a.Met || !strings.Contains(a.Verdict(), "no memory_above") {
		t.Errorf("%+v: %s", a, a.Verdict())
	}
}

func TestOnlySubjectsThatWereMeasuredHaveAims(t *testing.T) {
	for _, a := range judge(results(2)) {
		if a.Subject != TestudoCore {
			t.Errorf("an aim of %s", a.Subject)
		}
	}
}

func TestAnAimThatOnlySomeRunsMeetSaysSo(t *testing.T) {
	r := results(3)
	r[TestudoCore].Spread = map[Figure]Range{SSHAt: {2.9, 3.4}}
	a := find(t, judge(r), "bare kernel's time")
	if !a.Met || !strings.Contains(a.Verdict(), "not in every run: 2.90 to 3.40") {
		t.Errorf("%+v: %s", a, a.Verdict())
	}
	if a := find(t, judge(r), "Debian's"); strings.Contains(a.Verdict(), "not in every run") {
		t.Errorf("all runs are below 4 s, yet: %s", a.Verdict())
	}
}
