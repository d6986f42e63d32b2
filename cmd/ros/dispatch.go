package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// command is one verb: a group of further verbs, or something to do.
type command struct {
	name    string
	args    string // as shown in usage
	summary string
	example string // a whole command line, shown by --help
	hidden  bool

	sub []*command

	min, max int      // how many arguments; max -1: any number
	services bool     // arguments are names of services
	formats  []string // of --format, the default first; nil: table and json
	flags    func(*pflag.FlagSet) action
}

// action does a command's work once flags are parsed.
type action func(ctx context.Context, s *session, args []string) error

// plain is for commands without flags of their own.
func plain(a action) func(*pflag.FlagSet) action {
	return func(*pflag.FlagSet) action { return a }
}

func dispatch(ctx context.Context, s *session, args []string) error {
	if len(args) > 0 && args[0] == "help" {
		args = append(args[1:len(args):len(args)], "--help")
	}
	at, path := root(), []string{"ros"}
	for at.sub != nil {
		if len(args) == 0 {
			return usagef("%s: what?\n%s", strings.Join(path, " "), strings.TrimRight(overview(at, path), "\n"))
		}
		if args[0] == "-h" || args[0] == "--help" {
			s.printf("%s", overview(at, path))
			return nil
		}
		next := at.find(args[0])
		if next == nil {
			return unknown(at, path, args[0])
		}
		at, path, args = next, append(path, next.name), args[1:]
	}
	return at.run(ctx, s, path, args)
}

func (c *command) run(ctx context.Context, s *session, path, args []string) error {
	set := pflag.NewFlagSet(strings.Join(path, " "), pflag.ContinueOnError)
	set.SetOutput(s.err)
	set.Usage = func() {} // shown below, to the right stream
	set.StringVar(&s.socket, "socket", s.socket, "where rosd listens")
	set.Lookup("socket").DefValue = layout.APISocket
	formats := c.formats
	if formats == nil {
		formats = []string{"table", "json"}
	}
	set.StringVar(&s.format, "format", formats[0], strings.Join(formats, " or "))
	do := c.flags(set)
	usage := func() string {
		text := fmt.Sprintf("usage: %s\n\n%s.\n", strings.TrimSpace(set.Name()+" [flags] "+c.args), c.summary)
		return text + "\nExample: " + c.example + "\n\n" + set.FlagUsages()
	}
	if c.name == completeVerb {
		return do(ctx, s, args) // its arguments are somebody else's flags
	}
	if err := set.Parse(args); errors.Is(err, pflag.ErrHelp) {
		s.printf("%s", usage())
		return nil
	} else if err != nil {
		return usagef("%v\n%s", err, strings.TrimRight(usage(), "\n"))
	}
	if !slices.Contains(formats, s.format) {
		return usagef("unknown format %q: want %s", s.format, strings.Join(formats, " or "))
	}
	if n := set.NArg(); n < c.min || c.max >= 0 && n > c.max {
		return usagef("usage: %s", strings.TrimSpace(set.Name()+" [flags] "+c.args))
	}
	return do(ctx, s, set.Args())
}

func (c *command) find(name string) *command {
	for _, sub := range c.sub {
		if sub.name == name {
			return sub
		}
	}
	return nil
}

// names gives the verbs people may see.
func (c *command) names() []string {
	var out []string
	for _, sub := range c.sub {
		if !sub.hidden {
			out = append(out, sub.name)
		}
	}
	return out
}

func unknown(at *command, path []string, word string) error {
	hint := fmt.Sprintf("`%s --help` lists what there is", strings.Join(path, " "))
	if near := strictyaml.Nearest(word, at.names()); near != "" {
		hint = fmt.Sprintf("did you mean `%s %s`?", strings.Join(path, " "), near)
	}
	return usagef("unknown command %q: %s", strings.Join(append(path[1:len(path):len(path)], word), " "), hint)
}

// overview lists a group's commands, those of groups below it as well.
func overview(at *command, path []string) string {
	var rows [][]string
	var walk func(c *command, path []string)
	walk = func(c *command, path []string) {
		for _, sub := range c.sub {
			way := append(path[:len(path):len(path)], sub.name)
			if sub.sub != nil {
				walk(sub, way)
			} else if !sub.hidden {
				rows = append(rows, []string{"  " + strings.TrimSpace(strings.Join(way, " ")+" "+sub.args), sub.summary})
			}
		}
	}
	walk(at, path)
	var b strings.Builder
	fmt.Fprintf(&b, "usage: %s COMMAND\n\n", strings.Join(path, " "))
	b.WriteString(align(rows))
	b.WriteString("\nEach command takes --help; each listing takes --format json.\n")
	return b.String()
}
