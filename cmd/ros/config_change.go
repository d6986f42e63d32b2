package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/config"
)

func configSet(ctx context.Context, s *session, args []string) error {
	return editConfig(ctx, s, api.ConfigEdit{Verb: api.ConfigSet, Key: args[0], Value: args[1]})
}

func configUnset(ctx context.Context, s *session, args []string) error {
	return editConfig(ctx, s, api.ConfigEdit{Verb: api.ConfigUnset, Key: args[0]})
}

func configMerge(ctx context.Context, s *session, args []string) error {
	text, err := s.read(args[0])
	if err != nil {
		return err
	}
	return editConfig(ctx, s, api.ConfigEdit{Verb: api.ConfigMerge, Text: string(text), Name: args[0]})
}

// editConfig changes the file. A key that is not there is known without rosd.
func editConfig(ctx context.Context, s *session, o api.ConfigEdit) error {
	if o.Key != "" {
		if _, err := config.ParseKey(o.Key); err != nil {
			return usagef("%v", err)
		}
	}
	entry, err := s.client().EditConfig(ctx, o)
	if err != nil {
		return err
	}
	if s.json() {
		return s.printJSON(entry)
	}
	if entry.Overridden {
		s.printf("Note: the datasource or the kernel command line sets it, too, and counts more.\n")
	}
	if entry.Applied {
		s.printf("Nothing to do: the file says so already.\n")
		return nil
	}
	s.printf("Written, entry %d of the history. `ros config apply` puts it in force, and so does the next boot.\n", entry.ID)
	return nil
}

// configEdit has people edit a copy until it is valid, or they give up.
func configEdit(ctx context.Context, s *session, _ []string) error {
	file, err := s.client().ConfigFile(ctx)
	if err != nil {
		return err
	}
	text := file.Text
	if text == "" {
		text = config.Header + "\n# docs/configuration.md has the keys, and so has `ros config schema`.\n"
	}
	dir, err := os.MkdirTemp("", "ros-config-")
	if err != nil {
		return fmt.Errorf("edit configuration: %w", err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, filepath.Base(file.Path))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return fmt.Errorf("edit configuration: %w", err)
	}
	for {
		if err := s.editor(ctx, path); err != nil {
			return fmt.Errorf("edit configuration: %w", err)
		}
		edited, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("edit configuration: %w", err)
		}
		if string(edited) == text {
			s.printf("Nothing changed.\n")
			return nil
		}
		if _, err = config.Parse(filepath.Base(path), edited); err == nil {
			return editConfig(ctx, s, api.ConfigEdit{Verb: api.ConfigReplace, Text: string(edited), Name: filepath.Base(path), Base: file.Base})
		}
		fmt.Fprintf(s.err, "%v\nEdit it again? [Y/n] ", err)
		var answer string
		if n, err := fmt.Fscanln(s.in, &answer); n == 0 && err != nil && err.Error() != "unexpected newline" {
			answer = "n"
		}
		if strings.HasPrefix(strings.ToLower(answer), "n") {
			return errors.New("the file is as it was")
		}
	}
}

// runEditor is session.editor: $VISUAL, $EDITOR or vi.
func runEditor(ctx context.Context, path string) error {
	editor := os.Getenv("VISUAL")
	if editor == "" {
		editor = os.Getenv("EDITOR")
	}
	if editor == "" {
		editor = "vi"
	}
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", editor+` "$1"`, "sh", path)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

func configDiff(ctx context.Context, s *session, args []string) error {
	var ids [2]int
	for i, arg := range args {
		id, err := entryID(arg)
		if err != nil {
			return err
		}
		ids[i] = id
	}
	d, err := s.client().ConfigDiff(ctx, ids[0], ids[1])
	if err != nil {
		return err
	}
	if s.json() {
		return s.printJSON(d)
	}
	if len(d.Keys) == 0 {
		s.printf("No difference.\n")
	}
	s.printf("%s", d.Text)
	return nil
}

func entryID(arg string) (int, error) {
	id, err := strconv.Atoi(arg)
	if err != nil || id < 1 {
		return 0, usagef("%q is no entry: `ros config history` lists them", arg)
	}
	return id, nil
}

func configApply(set *pflag.FlagSet) action {
	o := api.ConfigApply{}
	set.BoolVar(&o.DryRun, "dry-run", false, "say what would be done, and do nothing")
	set.DurationVar(&o.Try, "try", 0, "go back after this time, also through a reboot, unless `ros config confirm` comes")
	return func(ctx context.Context, s *session, _ []string) error {
		if o.DryRun && o.Try != 0 {
			return usagef("--dry-run and --try exclude each other")
		}
		applied, err := s.client().ApplyConfig(ctx, o)
		if err != nil {
			return err
		}
		return showApplied(s, applied, o.DryRun)
	}
}

func configRollback(ctx context.Context, s *session, args []string) error {
	o := api.ConfigRollback{}
	if len(args) > 0 {
		id, err := entryID(args[0])
		if err != nil {
			return err
		}
		o.To = id
	}
	applied, err := s.client().RollbackConfig(ctx, o)
	if err != nil {
		return err
	}
	return showApplied(s, applied, false)
}

func showApplied(s *session, a api.ConfigApplied, dry bool) error {
	failed := false
	for _, action := range a.Actions {
		failed = failed || action.Error != ""
	}
	if s.json() {
		if err := s.printJSON(a); err != nil {
			return err
		}
	} else {
		s.printf("%s", appliedText(a, dry, s.now()))
	}
	if failed {
		return errSilent
	}
	return nil
}

func appliedText(a api.ConfigApplied, dry bool, now time.Time) string {
	var b strings.Builder
	if len(a.Actions) == 0 {
		b.WriteString("Nothing to do: the configuration is in force as it is.\n")
	} else {
		rows := [][]string{{"WHEN", "WHAT", "KEYS"}}
		for _, action := range a.Actions {
			what := action.What
			if action.Error != "" {
				what += ": FAILED: " + action.Error
			}
			rows = append(rows, []string{action.When, what, strings.Join(action.Keys, ", ")})
		}
		b.WriteString(align(rows))
	}
	if a.Reboot {
		b.WriteString("A part of it takes a reboot.\n")
	}
	if a.TryUntil != nil {
		fmt.Fprintf(&b, "On trial: it goes back in %s unless `ros config confirm` comes.\n", age(a.TryUntil.Sub(now)))
	}
	if dry {
		b.WriteString("Nothing was done.\n")
	}
	return b.String()
}

func configConfirm(ctx context.Context, s *session, _ []string) error {
	entry, err := s.client().ConfirmConfig(ctx)
	if err != nil {
		return err
	}
	if s.json() {
		return s.printJSON(entry)
	}
	s.printf("Entry %d stays in force.\n", entry.ID)
	return nil
}

func configHistory(ctx context.Context, s *session, _ []string) error {
	entries, err := s.client().ConfigHistory(ctx)
	if err != nil {
		return err
	}
	return list(s, entries, []string{"ENTRY", "TIME", "STATE", "CHANGE"}, func(e api.ConfigEntry) []string {
		state := "-"
		switch {
		case e.Trial:
			state = "on trial"
		case e.Applied:
			state = "in force"
		}
		return []string{strconv.Itoa(e.ID), e.Time.Format(time.DateTime), state, e.Change}
	})
}
