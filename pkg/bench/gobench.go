package bench

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// goBenchmarks runs benchmarks of Testudo's own packages on the host: what an
// event costs the planner, and a line the log store.
func goBenchmarks(ctx context.Context, r *Result) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-run=^$", "-bench=^Benchmark(Plan|Store)$", "./pkg/service", "./pkg/logs")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, lastLines(string(out), 15))
	}
	found := parseGoBenchmarks(string(out))
	for figure, of := range map[Figure]struct {
		name, unit string
		factor     float64
	}{
		PlanMany:  {"BenchmarkPlan/1000", "ns/op", 1e-6},
		StoreRate: {"BenchmarkStore", "lines/s", 1},
		StoreLine: {"BenchmarkStore", "ns/op", 1e-3},
	} {
		v, ok := found[of.name][of.unit]
		if !ok {
			return fmt.Errorf("go test did not say %s of %s:\n%s", of.unit, of.name, lastLines(string(out), 15))
		}
		r.Figures[figure] = v * of.factor
	}
	return nil
}

// parseGoBenchmarks reads the lines of go test -bench: a name with the number
// of processors behind it, how often it ran, then values with their units.
func parseGoBenchmarks(text string) map[string]map[string]float64 {
	found := map[string]map[string]float64{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		name := f[0]
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i]
		}
		values := map[string]float64{}
		for i := 2; i+1 < len(f); i += 2 {
			if v, err := strconv.ParseFloat(f[i], 64); err == nil {
				values[f[i+1]] = v
			}
		}
		found[name] = values
	}
	return found
}
