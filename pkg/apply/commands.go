package apply

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/testudo-os/testudo/pkg/atomicfile"
	"github.com/testudo-os/testudo/pkg/config"
)

// Runner runs a program to its end, standard input empty, output to the log. An
// error is that it could not be run, or the context's; what the program itself
// says by its exit code is not.
type Runner func(ctx context.Context, argv ...string) error

// Runcmd runs the commands of runcmd in order, once for each instance: dir,
// mostly layout.InstanceDir, holds a stamp per instance, written when all is
// done. A machine that goes down in between runs them again from the first.
func Runcmd(ctx context.Context, cfg *config.Config, dir, instance string, run Runner) error {
	if len(cfg.Runcmd) == 0 {
		return nil
	}
	stamp, todo, err := once(dir, instance, "runcmd")
	if err != nil || !todo {
		return err
	}
	if err := script(ctx, "runcmd", cfg.Runcmd, filepath.Dir(stamp), run); err != nil {
		return err
	}
	if err := atomicfile.Write(stamp, nil, 0o644); err != nil {
		return fmt.Errorf("note that runcmd is done: %w", err)
	}
	return nil
}

// Bootcmd runs the commands of bootcmd in order. dir is where their script
// lies, a directory of root's own.
func Bootcmd(ctx context.Context, cfg *config.Config, dir string, run Runner) error {
	if len(cfg.Bootcmd) == 0 {
		return nil
	}
	return script(ctx, "bootcmd", cfg.Bootcmd, dir, run)
}

func script(ctx context.Context, name string, commands []config.Command, dir string, run Runner) error {
	path := filepath.Join(dir, name+".sh")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	// For root alone: commands may hold secrets.
	if err := atomicfile.Write(path, []byte(Script(name, commands)), 0o700); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := run(ctx, "/bin/sh", path); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// Script gives the shell script that cloud-init's meaning of such a list comes
// to: one shell runs all entries, so that cd and variables carry on, and one
// that fails does not stop the next. Failures are told with the entry's index.
// `command eval` keeps the shell alive when an entry is no valid shell text.
func Script(name string, commands []config.Command) string {
	var b strings.Builder
	b.WriteString("#!/bin/sh\n")
	for i, c := range commands {
		line := shellLine(c)
		where := name + "[" + strconv.Itoa(i) + "]"
		fmt.Fprintf(&b, "command eval %s || echo \"%s: exit status $?\" >&2\n", quote(line), where)
	}
	b.WriteString("exit 0\n")
	return b.String()
}

// quote makes one word of the shell of s.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
