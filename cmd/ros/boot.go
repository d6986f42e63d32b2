package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/api"
)

func bootBlame(ctx context.Context, s *session, _ []string) error {
	steps, err := s.client().Boot(ctx)
	if err != nil {
		return err
	}
	slices.SortStableFunc(steps, func(a, b api.BootStep) int { return cmp.Compare(b.End-b.Start, a.End-a.Start) })
	return list(s, steps, []string{"TOOK", "AT", "KIND", "NAME", "ERROR"}, func(b api.BootStep) []string {
		return []string{seconds(b.End - b.Start), seconds(b.Start), b.Kind, b.Name, b.Error}
	})
}

const chartWidth = 60

// bootChart draws one bar for each step, the time from kernel start to the
// last end being the width.
func bootChart(ctx context.Context, s *session, _ []string) error {
	steps, err := s.client().Boot(ctx)
	if err != nil {
		return err
	}
	slices.SortStableFunc(steps, func(a, b api.BootStep) int { return cmp.Compare(a.Start, b.Start) })
	var end int64 = 1
	for _, b := range steps {
		end = max(end, b.End)
	}
	if s.json() {
		return list(s, steps, nil, nil)
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
