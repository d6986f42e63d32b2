package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
)

// command is one verb of mkos.
type command struct {
	name    string
	summary string
	run     func(ctx context.Context, args []string) error
}

// commands is the table of verbs, in the order help prints them.
func commands() []command {
	return []command{
		{"build", "make dist/", buildCommand},
		{"run", "build, and boot it in QEMU", runCommand},
		{"test", "check the source, run the unit tests, boot machines", testCommand},
		{"bench", "measure it against a bare kernel and Debian 13", benchCommand},
		{"images", "build the system images", imagesCommand},
		{"tree", "lay out the file tree of a recipe", treeCommand},
		{"picture", "draw the README's picture of a boot", pictureCommand},
		{"qemu", "run Debian 13's QEMU with the arguments as they are", qemuCommand},
		{"clean", "remove what was built", cleanCommand},
	}
}

// usageError is a mistake in how mkos was called.
type usageError string

func (e usageError) Error() string { return string(e) }

// exitError is the exit code of a program that mkos stood in for; the program
// has already said what was wrong.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func dispatch(ctx context.Context, table []command, args []string) error {
	if len(args) == 0 {
		help(os.Stderr, table)
		return usageError("a verb is missing")
	}
	if strings.TrimLeft(args[0], "-") == "help" || args[0] == "-h" {
		help(os.Stdout, table)
		return nil
	}
	if err := atTop(); err != nil {
		return err
	}
	for _, c := range table {
		if c.name == args[0] {
			return c.run(ctx, args[1:])
		}
	}
	return usageError(fmt.Sprintf("no verb %q; try help", args[0]))
}

func help(w io.Writer, table []command) {
	fmt.Fprintln(w, "usage: ./build.sh VERB [FLAGS]")
	for _, c := range table {
		fmt.Fprintf(w, "  %-10s %s\n", c.name, c.summary)
	}
	fmt.Fprintln(w, "VERB -h lists a verb's flags.")
}
