package bench

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Share is what one program, or kind of kernel thread, has worked until ssh
// answered.
type Share struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"` // of processor time
}

// ended stands for the programs that were not there any more.
const ended = "ended programs, the kernel before them, interrupts"

// shares says who worked until ssh answered, the most first.
func (l Log) shares() ([]Share, error) {
	var all []Share
	rest := l.Marks["ssh"].Busy
	for _, text := range l.Facts["worked"] {
		f := strings.Fields(text)
		if len(f) != 2 {
			return nil, fmt.Errorf("the probe says that something worked: %q", text)
		}
		worked, err := micros(f[1])
		if err != nil {
			return nil, fmt.Errorf("work of %s: %w", f[0], err)
		}
		all = append(all, Share{f[0], worked.Seconds()})
		rest -= worked
	}
	all = append(all, Share{ended, max(rest, time.Duration(0)).Seconds()})
	slices.SortStableFunc(all, func(a, b Share) int { return int(1e6 * (b.Seconds - a.Seconds)) })
	return all, nil
}

// resident is how much of all processes of that name is in memory, in MiB.
func (l Log) resident(name string) (float64, error) {
	found, sum := false, 0.0
	for _, text := range l.Facts["resident"] {
		f := strings.Fields(text)
		if len(f) != 3 || f[0] != name {
			continue
		}
		kilobytes, err := strconv.ParseFloat(f[1], 64)
		if err != nil {
			return 0, fmt.Errorf("memory of %s: %w", name, err)
		}
		found, sum = true, sum+kilobytes/1024
	}
	if !found {
		return 0, fmt.Errorf("no process %s was there when the machine was idle", name)
	}
	return sum, nil
}
