package main

import (
	"context"
	"errors"
	"os"
	"os/exec"

	"github.com/testudo-os/testudo/pkg/tools"
)

// qemuCommand runs QEMU as it is, for people who try things by hand.
func qemuCommand(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	t, err := tools.Ensure(ctx, cacheDir, logf)
	if err != nil {
		return err
	}
	cmd := t.Command(ctx, "qemu-system-x86_64", args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	var exit *exec.ExitError
	if err := cmd.Run(); errors.As(err, &exit) {
		return exitError(exit.ExitCode())
	} else if err != nil {
		return err
	}
	return nil
}
