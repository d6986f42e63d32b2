package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/service"
	"github.com/testudo-os/testudo/pkg/strictyaml"
)

func configExport(ctx context.Context, s *session, _ []string) error {
	raw, err := s.client().Config(ctx)
	if err != nil {
		return err
	}
	if s.json() {
		var out bytes.Buffer
		if err := json.Indent(&out, raw, "", "  "); err != nil {
			return fmt.Errorf("export configuration: %w", err)
		}
		s.printf("%s\n", bytes.TrimSpace(out.Bytes()))
		return nil
	}
	text, err := config.YAML(raw)
	if err != nil {
		return err
	}
	s.printf("%s", text)
	return nil
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
	if err == nil {
		if errs = declaredFindings(name, &cfg.Testudo.Services); len(errs) > 0 {
			err = errs
		}
	} else if !errors.As(err, &errs) {
		return err
	}
	for _, e := range errs {
		findings = append(findings, finding(e))
	}
	switch {
	case s.json():
		if err := s.printJSON(findings); err != nil {
			return err
		}
	case err == nil:
		s.printf("%s: valid\n", name)
	default:
		fmt.Fprintln(s.err, err)
	}
	if err != nil {
		return errSilent
	}
	return nil
}

// declaredFindings is what is wrong with the services that a configuration
// declares, laid over those of the release where they can be found.
func declaredFindings(file string, wanted *config.Services) (here strictyaml.Errors) {
	if len(wanted.Declare) == 0 {
		return nil
	}
	release := func(label, path string) service.Source {
		return service.Source{Label: label, Dir: service.Dir{Path: path, FS: os.DirFS(path)}, Optional: label == "catalog"}
	}
	declared := service.Source{Label: "configuration"}
	for _, d := range wanted.Declare {
		declared.Inline = append(declared.Inline, service.Text{File: d.File, Node: d.Node})
	}
	set := service.Load(service.Options{
		Enable: wanted.Enable, Disable: wanted.Disable, Profiles: wanted.Profiles,
		Lookup: func(name string) (string, bool) { value, ok := wanted.Variables[name]; return string(value), ok },
	}, release("built-in", layout.Services), release("catalog", layout.Catalog), declared)
	for _, e := range set.Findings(imageNames(layout.Images)) {
		if e.File == file {
			here = append(here, e)
		}
	}
	return here
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
