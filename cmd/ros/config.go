package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// configExport prints what is in force, as a file that could make it so again.
func configExport(set *pflag.FlagSet) action {
	o := exportFlags(set)
	return func(ctx context.Context, s *session, _ []string) error { return showConfig(ctx, s, *o, nil) }
}

// exportFlags are those of export and get.
func exportFlags(set *pflag.FlagSet) *api.ConfigOptions {
	o := &api.ConfigOptions{}
	set.BoolVar(&o.Full, "full", false, "with what is built in and what the vendor says")
	set.BoolVar(&o.Private, "private", false, "with secrets")
	return o
}

// configGet prints one key, or all.
func configGet(set *pflag.FlagSet) action {
	o := exportFlags(set)
	return func(ctx context.Context, s *session, args []string) error {
		if len(args) == 0 {
			return showConfig(ctx, s, *o, nil)
		}
		key, err := config.ParseKey(args[0])
		if err != nil {
			return usagef("%v", err)
		}
		o.Full = true
		return showConfig(ctx, s, *o, key.Steps)
	}
}

func showConfig(ctx context.Context, s *session, o api.ConfigOptions, steps []string) error {
	raw, err := s.client().Config(ctx, o)
	if err != nil {
		return err
	}
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	if steps == nil && !s.json() {
		text, err := config.YAML(raw)
		if err != nil {
			return err
		}
		s.printf("%s", text)
		return nil
	}
	value, ok := down(value, steps)
	if !ok {
		return errSilent // as a shell script wants it: nothing, and exit code 1
	}
	if s.json() {
		return s.printJSON(value)
	}
	switch v := value.(type) {
	case map[string]any, []any:
		data, err := yaml.Marshal(value)
		if err != nil {
			return fmt.Errorf("show the configuration: %w", err)
		}
		s.printf("%s", data)
	case float64: // of JSON; a whole number is to look like one
		s.printf("%s\n", strconv.FormatFloat(v, 'f', -1, 64))
	default:
		s.printf("%v\n", value)
	}
	return nil
}

// down follows steps into JSON.
func down(value any, steps []string) (any, bool) {
	for _, step := range steps {
		if digits, ok := strings.CutPrefix(step, "["); ok {
			i, err := strconv.Atoi(strings.TrimSuffix(digits, "]"))
			list, isList := value.([]any)
			if err != nil || !isList || i >= len(list) {
				return nil, false
			}
			value = list[i]
			continue
		}
		object, ok := value.(map[string]any)
		if !ok {
			return nil, false
		}
		if value, ok = object[step]; !ok {
			return nil, false
		}
	}
	return value, true
}

// finding is one row of `ros config validate --format json`, and of `ros service
// validate`.
type finding struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Path    string `json:"path"`
	Message string `json:"message"`
}

// configValidate needs no rosd: it checks the file as the next boot would.
func configValidate(_ context.Context, s *session, args []string) error {
	name := args[0]
	text, err := s.read(name)
	if err != nil {
		return err
	}
	if name == "-" {
		name = "standard input"
	}
	cfg, err := config.Parse(name, text)
	findings := []finding{}
	var errs strictyaml.Errors
	if errors.As(err, &errs) {
		for _, e := range errs {
			findings = append(findings, finding(e))
		}
	} else if err != nil {
		return err
	}
	switch {
	case s.json():
		if err := s.printJSON(findings); err != nil {
			return err
		}
	case err == nil:
		for _, n := range cfg.Notes {
			fmt.Fprintln(s.err, n)
		}
		s.printf("%s: valid\n", name)
	default:
		fmt.Fprintln(s.err, err)
	}
	if err != nil {
		return errSilent
	}
	return nil
}

func (s *session) read(name string) ([]byte, error) {
	if name == "-" {
		text, err := io.ReadAll(s.in)
		if err != nil {
			return nil, fmt.Errorf("read standard input: %w", err)
		}
		return text, nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return text, nil
}
