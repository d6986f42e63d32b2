package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/testudo-os/testudo/pkg/api"
)

// serviceUp applies edited service files.
func serviceUp(set *pflag.FlagSet) action {
	dry := set.Bool("dry-run", false, "say what would be done, and do nothing")
	return func(ctx context.Context, s *session, names []string) error {
		changes, err := s.client().Up(ctx, api.Up{Services: names, DryRun: *dry})
		if err != nil {
			return fmt.Errorf("service up: %w", err)
		}
		if s.json() {
			if err := s.printJSON(changes); err != nil {
				return err
			}
		} else {
			s.printf("%s", changeTable(changes))
		}
		for _, c := range changes {
			if c.Error != "" || c.Action == api.ChangeInvalid {
				return errSilent
			}
		}
		return nil
	}
}

func changeTable(changes []api.Change) string {
	if len(changes) == 0 {
		return "Nothing to do: all services are as their files say.\n"
	}
	rows := [][]string{{"SERVICE", "ACTION", "RESULT", "REASON"}}
	for _, c := range changes {
		reason := c.Reason
		if len(c.Keys) > 0 {
			reason += " (" + strings.Join(c.Keys, ", ") + ")"
		}
		result := "-"
		switch {
		case c.Error != "" && c.Result != nil && c.Result.Refused != nil:
			result, reason = "failed", c.Error+"; what ran before runs again"
		case c.Error != "":
			result, reason = "failed", c.Error
		case c.Result != nil:
			result = string(c.Result.State)
		}
		rows = append(rows, []string{c.Service, string(c.Action), result, reason})
	}
	return align(rows)
}
