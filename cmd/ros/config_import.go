package main

import (
	"context"
	"fmt"

	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/rancher"
	"github.com/testudo-os/testudo/pkg/service"
)

// configImport prints the translation, and the report beside it.
func configImport(_ context.Context, s *session, args []string) error {
	text, err := s.read(args[0])
	if err != nil {
		return err
	}
	r, err := rancher.Translate(args[0], text)
	if r == nil {
		return err
	}
	if s.json() {
		if printErr := s.printJSON(r); printErr != nil {
			return printErr
		}
	} else {
		s.printf("%s", r.Text)
		rows := [][]string{{"KEY", "OUTCOME", "MEANS"}}
		for _, row := range r.Report {
			rows = append(rows, []string{row.Key, string(row.Outcome), row.Message})
		}
		fmt.Fprint(s.err, align(rows))
	}
	return err
}

// configSchema prints a schema.
func configSchema(_ context.Context, s *session, args []string) error {
	schema := config.Schema
	if len(args) > 0 {
		switch args[0] {
		case "config":
		case "services":
			schema = service.Schema
		default:
			return usagef("no schema %q: want config or services", args[0])
		}
	}
	text, err := schema()
	if err != nil {
		return err
	}
	s.printf("%s", text)
	return nil
}
