// Command mkos builds Testudo, boots it in QEMU and tests it. build.sh calls
// it; nothing else needs to. Each verb has a file of its own in this folder and
// a row in the table of commands.go.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := exitCode(dispatch(ctx, commands(), os.Args[1:]))
	stop()
	os.Exit(code)
}

// exitCode prints what went wrong, once, and says it as a number: 0 done, 1
// failed, 2 wrong usage, or what a program that mkos stands in for has said.
func exitCode(err error) int {
	var usage usageError
	var exit exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return int(exit)
	case errors.As(err, &usage):
		fmt.Fprintln(os.Stderr, "mkos:", err)
		return 2
	default:
		fmt.Fprintln(os.Stderr, "mkos:", err)
		return 1
	}
}
