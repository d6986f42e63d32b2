package main

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/testudo-os/testudo/pkg/api"
)

func showEvents(set *pflag.FlagSet) action {
	var o api.EventOptions
	set.BoolVarP(&o.Follow, "follow", "f", false, "go on with events to come")
	set.IntVarP(&o.Tail, "tail", "n", -1, "the last so many events; -1 for all that are kept")
	return func(ctx context.Context, s *session, _ []string) error {
		out := s.stream(o.Follow)
		err := s.client().Events(ctx, o, func(e api.SystemEvent) error {
			if s.json() {
				return out.add(e)
			}
			s.printf("%s %s %s: %s%s\n", s.colored(faint, e.Time.UTC().Format("2006-01-02T15:04:05.000Z")),
				e.Kind, s.colored(cyan, e.Name), s.stateColor(e.State), reason(e))
			return nil
		})
		if o.Follow && ctx.Err() != nil {
			return nil // that is how following ends
		}
		if err != nil {
			return fmt.Errorf("events: %w", err)
		}
		return out.end()
	}
}

// reason is why, unless that is no more than the state's name.
func reason(e api.SystemEvent) string {
	if e.Reason == "" || e.Reason == string(e.State) {
		return ""
	}
	return ": " + e.Reason
}

func (s *session) stateColor(state api.State) string {
	switch state {
	case api.StateInvalid, api.StateCrashLoop:
		return s.colored(red, string(state))
	case api.StateBackoff:
		return s.colored(yellow, string(state))
	}
	return string(state)
}
