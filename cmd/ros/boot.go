package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/bootchart"
)

func bootBlame(ctx context.Context, s *session, _ []string) error {
	steps, err := s.client().Boot(ctx)
	if err != nil {
		return err
	}
	slices.SortStableFunc(steps, func(a, b api.BootStep) int { return cmp.Compare(b.End-b.Start, a.End-a.Start) })
	return list(s, steps, []string{"TOOK", "WAITED", "AT", "KIND", "NAME", "WHY"}, func(b api.BootStep) []string {
		waited, why := waits(b)
		if b.Error != "" {
			why = b.Error
		}
		return []string{seconds(b.End - b.Start), waited, seconds(b.Start), b.Kind, b.Name, why}
	})
}

// waits says how long a service waited in all, and for what the longest.
func waits(b api.BootStep) (all, longest string) {
	var sum, most int64
	for _, w := range b.Waits {
		sum += w.To - w.From
		if w.To-w.From > most {
			most, longest = w.To-w.From, w.Reason
		}
	}
	if sum == 0 {
		return "-", ""
	}
	return seconds(sum), longest
}

const chartWidth = 60

// bootChart draws the boot: SVG for a file, bars of text for a terminal.
func bootChart(ctx context.Context, s *session, _ []string) error {
	steps, err := s.client().Boot(ctx)
	if err != nil {
		return err
	}
	slices.SortStableFunc(steps, func(a, b api.BootStep) int { return cmp.Compare(a.Start, b.Start) })
	switch {
	case s.json():
		return list(s, steps, nil, nil)
	case s.format == "svg" || s.format == "auto" && !s.terminal:
		v, err := s.client().Version(ctx)
		if err != nil {
			return err
		}
		s.printf("%s", bootchart.SVG("Boot of "+release(v), steps))
		return nil
	}
	// One bar for each step, the time from kernel start to the last end being
	// the width.
	var end int64 = 1
	for _, b := range steps {
		end = max(end, b.End)
	}
	rows := [][]string{{"NAME", "0 s" + strings.Repeat(" ", chartWidth-3-len(seconds(end))) + seconds(end), "TOOK"}}
	for _, b := range steps {
		rows = append(rows, []string{b.Name, bar(b, end), seconds(b.End - b.Start)})
	}
	s.printf("%s", align(rows))
	return nil
}

func bar(b api.BootStep, end int64) string {
	column := func(t int64) int { return int(min(max(t, 0), end) * chartWidth / end) }
	from := min(column(b.Start), chartWidth-1)
	to := min(max(column(b.End), from+1), chartWidth)
	mark := "#"
	if b.Kind == "init" {
		mark = "="
	}
	return strings.Repeat(" ", from) + strings.Repeat(mark, to-from)
}

// seconds shows microseconds.
func seconds(us int64) string { return fmt.Sprintf("%.3f s", float64(us)/1e6) }
