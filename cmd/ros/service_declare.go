package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/api"
)

// newService is what `ros service create` can say without a file. More is said
// by writing the file.
type newService struct {
	Image       string   `yaml:"image"`
	Entrypoint  []string `yaml:"entrypoint,omitempty,flow"`
	Command     []string `yaml:"command,omitempty,flow"`
	Environment []string `yaml:"environment,omitempty"`
	User        string   `yaml:"user,omitempty"`
	Volumes     []string `yaml:"volumes,omitempty"`
	NetworkMode string   `yaml:"network_mode,omitempty"`
	MemLimit    string   `yaml:"mem_limit,omitempty"`
	ReadOnly    bool     `yaml:"read_only,omitempty"`
	DependsOn   []string `yaml:"depends_on,omitempty,flow"`
	Restart     string   `yaml:"restart,omitempty"`
}

// serviceCreate writes a service file, or hands one in. rosd judges it: what is
// not valid is never written.
func serviceCreate(set *pflag.FlagSet) action {
	var n newService
	set.StringVar(&n.Image, "image", "", "what to run: testudo/NAME")
	set.StringArrayVar(&n.Entrypoint, "entrypoint", nil, "a word of the entrypoint; repeat for more")
	set.StringArrayVar(&n.Command, "command", nil, "a word of the command; repeat for more")
	set.StringArrayVarP(&n.Environment, "env", "e", nil, "KEY=VALUE")
	set.StringVarP(&n.User, "user", "u", "", "USER[:GROUP]")
	set.StringArrayVarP(&n.Volumes, "volume", "v", nil, "SOURCE:TARGET[:ro]")
	set.StringVar(&n.NetworkMode, "network", "", "host or none")
	set.StringVar(&n.MemLimit, "memory", "", "limit, such as 64m")
	set.BoolVar(&n.ReadOnly, "read-only", false, "nothing can be written to the image's files")
	set.StringArrayVar(&n.DependsOn, "depends-on", nil, "a service to wait for")
	set.StringVar(&n.Restart, "restart", "always", "no, always, unless-stopped or on-failure[:N]")
	file := set.String("file", "", "take this file (- for standard input) instead of flags")
	dryRun := set.Bool("dry-run", false, "print the file and write nothing")
	now := applyNow(set)
	return func(ctx context.Context, s *session, args []string) error {
		if (n.Image == "") == (*file == "") {
			return usagef("want --image or --file")
		}
		text, err := n.text(args[0])
		if *file != "" {
			text, err = s.read(*file)
		}
		if err != nil {
			return err
		}
		if *dryRun {
			s.printf("%s", text)
			return nil
		}
		return s.declare(ctx, args, api.DeclareCreate, api.Declaration{File: string(text)}, *now)
	}
}

func (n newService) text(name string) ([]byte, error) {
	// A dollar of the command line is a dollar.
	for _, list := range [][]string{n.Entrypoint, n.Command, n.Environment, n.Volumes} {
		for i := range list {
			list[i] = strings.ReplaceAll(list[i], "$", "$$")
		}
	}
	text, err := yaml.Marshal(map[string]map[string]newService{"services": {name: n}})
	if err != nil {
		return nil, fmt.Errorf("write the service file: %w", err)
	}
	return append([]byte("# Written by `ros service create`; yours to change.\n"), text...), nil
}

// applyNow is systemctl's word for "and at once".
func applyNow(set *pflag.FlagSet) *bool {
	return set.Bool("now", false, "apply it at once, as `ros service up` of the service does")
}

func serviceRemove(set *pflag.FlagSet) action {
	now := applyNow(set)
	return func(ctx context.Context, s *session, names []string) error {
		return s.declare(ctx, names, api.DeclareRemove, api.Declaration{}, *now)
	}
}

func serviceChoose(on bool) func(*pflag.FlagSet) action {
	verb := api.DeclareDisable
	if on {
		verb = api.DeclareEnable
	}
	return func(set *pflag.FlagSet) action {
		now := applyNow(set)
		return func(ctx context.Context, s *session, names []string) error {
			return s.declare(ctx, names, verb, api.Declaration{}, *now)
		}
	}
}

// declared is one row of what these commands print as JSON.
type declared struct {
	api.Declared
	Changes []api.Change `json:"changes,omitempty"` // what --now did
}

// declare does one thing to services in turn; one that fails does not keep the
// others from being done.
func (s *session) declare(ctx context.Context, names []string, verb api.Declare, d api.Declaration, now bool) error {
	rows, failed := []declared{}, false
	for _, name := range names {
		row, err := s.declareOne(ctx, name, verb, d, now)
		switch {
		case errors.Is(err, errSilent):
			failed = true
		case err != nil && len(names) == 1:
			return fmt.Errorf("%s %s: %w", verb, name, err)
		case err != nil:
			failed = true
			fmt.Fprintf(s.err, "ros: %s %s: %v\n", verb, name, err)
			continue
		}
		rows = append(rows, row)
	}
	if s.json() {
		if err := s.printJSON(rows); err != nil {
			return err
		}
	}
	if failed {
		return errSilent
	}
	return nil
}

// declareOne says which command applies the change, unless it does so itself.
func (s *session) declareOne(ctx context.Context, name string, verb api.Declare, d api.Declaration, now bool) (row declared, err error) {
	if row.Declared, err = s.client().Declare(ctx, name, verb, d); err != nil {
		return row, err
	}
	if !now {
		if !s.json() {
			s.printf("%s: %s; `ros service up %[1]s` applies it, and so does the next boot\n", name, row.Message)
		}
		return row, nil
	}
	if !s.json() {
		s.printf("%s: %s\n", name, row.Message)
	}
	row.Changes, err = s.up(ctx, api.Up{Services: []string{name}})
	if verb == api.DeclareRemove && errors.Is(err, api.ErrNotFound) {
		return row, nil // it never ran
	}
	if err != nil {
		return row, err
	}
	if !s.json() && len(row.Changes) > 0 {
		s.printf("%s", changeTable(row.Changes))
	}
	return row, failedChanges(row.Changes)
}
