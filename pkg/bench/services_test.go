package bench

import (
	"strings"
	"testing"
	"time"
)

func TestTheExtraServicesAreDeclaredUnderNamesOfTheirOwn(t *testing.T) {
	text := serviceFile(3)
	for _, want := range []string{"  bench-1:\n", "  bench-2:\n", "  bench-3:\n"} {
		if strings.Count(text, want) != 1 {
			t.Errorf("%q is not there once:\n%s", want, text)
		}
	}
	if got := serviceFile(0); got != "" {
		t.Errorf("no services give %q", got)
	}
}

func idleLog(available, processes string, busy time.Duration) Log {
	return Log{
		Marks: map[string]Mark{markIdle: {90 * time.Second, busy}},
		Facts: map[string][]string{"MemTotal": {"1048576"}, "MemAvailable": {available}, "processes": {processes}},
	}
}

func TestTheCostOfAServiceIsItsShareOfTheDifference(t *testing.T) {
	got := samples{}
	err := got.addDifference(idleLog("900000", "20", 5*time.Second), idleLog("859040", "28", 6*time.Second), 4)
	if err != nil || got[ServiceBusy][0] != 250 || got[ServiceMemory][0] != 10 {
		t.Errorf("%v, %v, want 250 million instructions and 10 MiB", got, err)
	}
}

func TestServicesThatDidNotStartCostNothingAndThatIsAnError(t *testing.T) {
	same := idleLog("900000", "20", 5*time.Second)
	if err := (samples{}).addDifference(same, same, 4); err == nil {
		t.Error("no process more, yet no error")
	}
}
