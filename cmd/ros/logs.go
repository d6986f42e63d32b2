package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/testudo-os/testudo/pkg/api"
)

type logFlags struct {
	follow bool
	tail   int
	times  bool
}

func (f *logFlags) bind(set *pflag.FlagSet) {
	set.BoolVarP(&f.follow, "follow", "f", false, "go on with lines to come")
	set.IntVarP(&f.tail, "tail", "n", -1, "the last so many lines; -1 for all")
}

func serviceLogs(set *pflag.FlagSet) action {
	var f logFlags
	f.bind(set)
	set.BoolVarP(&f.times, "timestamps", "t", false, "show when each line was written")
	return func(ctx context.Context, s *session, args []string) error {
		return s.logs(ctx, f, args[0], func(l api.LogLine) string {
			if f.times {
				return stamp(l) + " " + l.Line
			}
			return l.Line
		})
	}
}

func allLogs(set *pflag.FlagSet) action {
	var f logFlags
	f.bind(set)
	return func(ctx context.Context, s *session, _ []string) error {
		return s.logs(ctx, f, "", func(l api.LogLine) string { return fmt.Sprintf("%s %s: %s", stamp(l), l.Service, l.Line) })
	}
}

func stamp(l api.LogLine) string { return l.Time.UTC().Format("2006-01-02T15:04:05.000Z") }

// logs prints lines as they come. In JSON it is an array, or with --follow,
// which has no end, one object a line.
func (s *session) logs(ctx context.Context, f logFlags, service string, text func(api.LogLine) string) error {
	lines := []api.LogLine{}
	err := s.client().Logs(ctx, api.LogOptions{Service: service, Tail: f.tail, Follow: f.follow}, func(l api.LogLine) error {
		switch {
		case !s.json():
			s.printf("%s\n", text(l))
		case f.follow:
			return json.NewEncoder(s.out).Encode(l)
		default:
			lines = append(lines, l)
		}
		return nil
	})
	if f.follow && ctx.Err() != nil {
		return nil // that is how following ends
	}
	if err != nil {
		return fmt.Errorf("logs: %w", err)
	}
	if s.json() && !f.follow {
		return s.printJSON(lines)
	}
	return nil
}
