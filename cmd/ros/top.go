package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/testudo-os/testudo/pkg/api"
)

// load is what a service used between two readings.
type load struct {
	Service     string  `json:"service"`
	PID         int     `json:"pid"`
	CPU         float64 `json:"cpu_percent"` // of one processor
	Memory      int64   `json:"memory"`
	MemoryLimit int64   `json:"memory_limit"`
	Processes   int64   `json:"processes"`
	ReadRate    float64 `json:"read_bytes_per_second"`
	WriteRate   float64 `json:"write_bytes_per_second"`
}

// sortKeys: the most of each first; names in their order.
var sortKeys = map[string]func(a, b load) int{
	"cpu":    func(a, b load) int { return cmp.Compare(b.CPU, a.CPU) },
	"memory": func(a, b load) int { return cmp.Compare(b.Memory, a.Memory) },
	"io":     func(a, b load) int { return cmp.Compare(b.ReadRate+b.WriteRate, a.ReadRate+a.WriteRate) },
	"name":   func(a, b load) int { return strings.Compare(a.Service, b.Service) },
}

// top shows one table, or on a terminal one after another until ctrl-C.
func top(set *pflag.FlagSet) action {
	by := set.String("sort", "cpu", strings.Join(slices.Sorted(maps.Keys(sortKeys)), ", "))
	once := set.Bool("once", false, "one table, also on a terminal")
	return func(ctx context.Context, s *session, _ []string) error {
		order, ok := sortKeys[*by]
		if !ok {
			return usagef("--sort %s: want %s", *by, strings.Join(slices.Sorted(maps.Keys(sortKeys)), ", "))
		}
		live := s.terminal && !*once && !s.json()
		before, err := s.client().Usage(ctx)
		if err != nil {
			return err
		}
		for {
			select {
			case <-time.After(s.interval):
			case <-ctx.Done():
				if live {
					return nil
				}
				return ctx.Err()
			}
			after, err := s.client().Usage(ctx)
			if err != nil {
				if live && ctx.Err() != nil {
					return nil
				}
				return err
			}
			loads := between(before, after)
			slices.SortStableFunc(loads, order)
			if live {
				s.printf("\x1b[H\x1b[2J") // home, clear (ECMA-48)
			}
			if err := s.showLoads(loads); err != nil || !live {
				return err
			}
			before = after
		}
	}
}

func (s *session) showLoads(loads []load) error {
	return list(s, loads, []string{"SERVICE", "CPU", "MEMORY", "LIMIT", "READ/S", "WRITE/S", "PROCS", "PID"}, func(l load) []string {
		limit := "-"
		if l.MemoryLimit > 0 {
			limit = bytesText(l.MemoryLimit)
		}
		return []string{
			l.Service, fmt.Sprintf("%.1f%%", l.CPU), bytesText(l.Memory), limit,
			bytesText(int64(l.ReadRate)), bytesText(int64(l.WriteRate)), fmt.Sprint(l.Processes), number(l.PID),
		}
	})
}

// between gives what was used from one reading to the next. What was not there
// before, or was started anew since, has no rates yet.
func between(before, after []api.Usage) []load {
	earlier := map[string]api.Usage{}
	for _, u := range before {
		earlier[u.Service] = u
	}
	loads := make([]load, 0, len(after))
	for _, u := range after {
		l := load{Service: u.Service, PID: u.PID, Memory: u.Memory, MemoryLimit: u.MemoryLimit, Processes: u.Processes}
		seconds := u.Time.Sub(earlier[u.Service].Time).Seconds()
		if b := earlier[u.Service]; b.PID == u.PID && seconds > 0 && u.CPU >= b.CPU {
			l.CPU = float64(u.CPU-b.CPU) / 1e4 / seconds
			l.ReadRate = float64(u.ReadBytes-b.ReadBytes) / seconds
			l.WriteRate = float64(u.WriteBytes-b.WriteBytes) / seconds
		}
		loads = append(loads, l)
	}
	return loads
}

// bytesText shows a size: 512 B, 1.5 KiB, 12 MiB.
func bytesText(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	value := float64(n) / 1024
	unit := 0
	for value >= 1024 && unit < len(units)-1 {
		value /= 1024
		unit++
	}
	if value < 10 {
		return fmt.Sprintf("%.1f %ciB", value, units[unit])
	}
	return fmt.Sprintf("%.0f %ciB", value, units[unit])
}
