package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/testudo-os/testudo/pkg/api"
)

// serviceList shows what is wanted and, when asked, what is not.
func serviceList(set *pflag.FlagSet) action {
	all := set.BoolP("all", "a", false, "show disabled services too: those of the catalog, for one")
	return func(ctx context.Context, s *session, _ []string) error {
		services, err := s.client().Services(ctx)
		if err != nil {
			return err
		}
		if !*all {
			services = slices.DeleteFunc(services, func(v api.Service) bool { return v.State == api.StateDisabled })
		}
		return list(s, services, []string{"NAME", "STATE", "READY", "ESSENTIAL", "IMAGE", "SOURCE"}, func(v api.Service) []string {
			return []string{v.Name, string(v.State), yes(v.Ready), yes(v.Essential), dash(v.Image), source(v)}
		})
	}
}

// source says what declares a service: "built-in < user" where a file of the
// user's is laid over a built-in one.
func source(v api.Service) string {
	var labels []string
	for _, l := range v.Layers {
		labels = append(labels, l.Label)
	}
	if len(labels) < 2 {
		return dash(v.Source)
	}
	return strings.Join(labels, " < ") + " (" + v.Layers[len(labels)-1].Place + ")"
}

// servicePS leaves out what is disabled: nothing happens there. Of services that
// are named it tells what happened to them.
func servicePS(ctx context.Context, s *session, names []string) error {
	if len(names) > 0 {
		return serviceHistory(ctx, s, names)
	}
	services, err := s.client().Services(ctx)
	if err != nil {
		return err
	}
	services = slices.DeleteFunc(services, func(v api.Service) bool { return v.State == api.StateDisabled })
	return list(s, services, []string{"NAME", "STATE", "SINCE", "PID", "RESTARTS", "REASON"}, func(v api.Service) []string {
		return []string{v.Name, string(v.State), age(s.now().Sub(v.Since)), number(v.PID), strconv.Itoa(v.Restarts), dash(v.Reason)}
	})
}

// serviceDo does one thing to services in turn; one that fails does not keep
// the others from being done.
func serviceDo(verb api.Verb) action {
	return func(ctx context.Context, s *session, names []string) error {
		client := s.client()
		services, failed := []api.Service{}, false
		for _, name := range names {
			v, err := client.Do(ctx, name, verb)
			switch {
			case err != nil && len(names) == 1:
				return fmt.Errorf("%s %s: %w", verb, name, err)
			case err != nil:
				failed = true
				fmt.Fprintf(s.err, "ros: %s %s: %v\n", verb, name, err)
				continue
			case !s.json():
				s.printf("%s: %s\n", v.Name, v.State)
			}
			services = append(services, v)
		}
		if s.json() {
			if err := s.printJSON(services); err != nil {
				return err
			}
		}
		if failed {
			return errSilent
		}
		return nil
	}
}

func serviceInspect(ctx context.Context, s *session, args []string) error {
	raw, err := s.client().Inspect(ctx, args[0])
	if err != nil {
		return fmt.Errorf("inspect %s: %w", args[0], err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return fmt.Errorf("inspect %s: %w", args[0], err)
	}
	s.printf("%s\n", bytes.TrimSpace(out.Bytes()))
	return nil
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func number(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}
