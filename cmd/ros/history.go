package main

import (
	"context"
	"strings"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
)

// serviceHistory shows what happened to services: their states and, of jobs,
// their runs.
func serviceHistory(ctx context.Context, s *session, names []string) error {
	rows := []api.Service{}
	for _, name := range names {
		row, err := s.client().Service(ctx, name)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	if s.json() {
		return s.printJSON(rows)
	}
	for i, row := range rows {
		if i > 0 {
			s.printf("\n")
		}
		s.printf("%s is %s for %s: %s\n", row.Name, row.State, age(s.now().Sub(row.Since)), dash(row.Reason))
		history := [][]string{{"TIME", "STATE", "REASON"}}
		for _, e := range row.History {
			history = append(history, []string{moment(e.Time), string(e.State), dash(e.Reason)})
		}
		s.printf("%s", align(history))
		if len(row.Runs) > 0 {
			runs := [][]string{{"RUN", "TOOK", "RESULT"}}
			for _, r := range row.Runs {
				runs = append(runs, []string{moment(r.Start), age(r.End.Sub(r.Start)), r.Reason})
			}
			s.printf("%s", align(runs))
		}
		if len(row.LastLog) > 0 {
			s.printf("it said last:\n  %s\n", strings.Join(row.LastLog, "\n  "))
		}
	}
	return nil
}

func moment(t time.Time) string { return t.Local().Format(time.DateTime) }
