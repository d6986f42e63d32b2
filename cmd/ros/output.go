package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// align lays rows out in columns, two spaces between; the last column is free.
func align(rows [][]string) string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row[:max(len(row)-1, 0)] {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell)
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " "))
		b.WriteByte('\n')
	}
	return b.String()
}

// printJSON prints v for programs. A list that is nil is an empty list.
func (s *session) printJSON(v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	s.printf("%s\n", data)
	return nil
}

// list prints a listing: an array of objects, or a table under a heading.
func list[T any](s *session, items []T, heading []string, row func(T) []string) error {
	if s.json() {
		if items == nil {
			items = []T{}
		}
		return s.printJSON(items)
	}
	rows := [][]string{heading}
	for _, item := range items {
		rows = append(rows, row(item))
	}
	s.printf("%s", align(rows))
	return nil
}

// age says a length of time in one or two units: 5s, 3m12s, 2h5m, 4d3h.
func age(d time.Duration) string {
	d = max(d, 0).Truncate(time.Second)
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	default:
		return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
	}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
