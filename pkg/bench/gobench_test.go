package bench

import (
	"strings"
	"testing"
)

func TestValuesOfGosBenchmarksAreReadWithTheirUnits(t *testing.T) {
	got := parseGoBenchmarks("goos: linux\nBenchmarkPlan/1000-2   \t  100\t 1234567 ns/op\n" +
		"BenchmarkStore-2 \t 40000 \t 2500 ns/op \t 400000 lines/s\t 0 dropped/line\nBenchmarkOdd-2 1\nPASS\nok x 1.2s\n")
	for name, values := range map[string]map[string]float64{
		"BenchmarkPlan/1000": {"ns/op": 1234567},
		"BenchmarkStore":     {"ns/op": 2500, "lines/s": 400000, "dropped/line": 0},
	} {
		for unit, want := range values {
			if v, ok := got[name][unit]; !ok || v != want {
				t.Errorf("%s: %v %s, want %v", name, v, unit, want)
			}
		}
	}
	if len(got) != 2 {
		t.Errorf("got %v", got)
	}
}

func FuzzGoBenchmarks(f *testing.F) {
	f.Add("BenchmarkPlan/10-2 1 2 ns/op\n")
	f.Fuzz(func(t *testing.T, text string) {
		for name := range parseGoBenchmarks(text) {
			if !strings.HasPrefix(name, "Benchmark") {
				t.Errorf("%q is no benchmark", name)
			}
		}
	})
}
