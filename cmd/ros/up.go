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
		changes, err := s.up(ctx, api.Up{Services: names, DryRun: *dry})
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
		return failedChanges(changes)
	}
}

// up applies service files. The images that this takes are fetched first, each
// with its progress; nothing is stopped before all of them are here.
func (s *session) up(ctx context.Context, o api.Up) ([]api.Change, error) {
	client := s.client()
	if o.DryRun {
		return client.Up(ctx, o)
	}
	preview := o
	preview.DryRun = true
	changes, err := client.Up(ctx, preview)
	if err != nil {
		return nil, err
	}
	for _, c := range changes {
		if !c.Pull {
			continue
		}
		bar := s.progress(c.Service)
		_, err := client.Pull(ctx, c.Service, bar.show)
		bar.end()
		if err != nil {
			return nil, fmt.Errorf("pull %s: %w", c.Service, err)
		}
	}
	return client.Up(ctx, o)
}

// failedChanges is for the exit code: the table has told.
func failedChanges(changes []api.Change) error {
	for _, c := range changes {
		if c.Error != "" || c.Action == api.ChangeInvalid {
			return errSilent
		}
	}
	return nil
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
