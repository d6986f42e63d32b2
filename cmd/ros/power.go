package main

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"
)

// power asks for one way down and returns when it has begun.
func power(verb string) action {
	return func(ctx context.Context, s *session, _ []string) error {
		if err := s.client().Power(ctx, verb); err != nil {
			return fmt.Errorf("%s: %w", verb, err)
		}
		fmt.Fprintln(s.err, map[string]string{"reboot": "Rebooting.", "poweroff": "Powering off.", "halt": "Halting."}[verb])
		return nil
	}
}

// powerNames are the old names of the way down, for links to ros.
func powerNames() map[string]action {
	return map[string]action{
		"reboot":   likeHalt("reboot"),
		"poweroff": likeHalt("poweroff"),
		"halt":     likeHalt("halt"),
		"shutdown": likeShutdown,
	}
}

// likeHalt takes the flags of halt(8) that have a meaning here.
func likeHalt(verb string) action {
	return func(ctx context.Context, s *session, args []string) error {
		set := pflag.NewFlagSet(verb, pflag.ContinueOnError)
		set.SetOutput(s.err)
		off := set.BoolP("poweroff", "p", false, "switch the machine off")
		restart := set.Bool("reboot", false, "start the machine again")
		halt := set.Bool("halt", false, "leave the machine on")
		force := set.BoolP("force", "f", false, "taken, but the way down is the ordered one: it is bounded in time")
		if done, err := parse(set, args); done || err != nil {
			return err
		}
		if set.NArg() > 0 {
			return usagef("unknown argument %q", set.Arg(0))
		}
		if *force {
			fmt.Fprintf(s.err, "%s: services are stopped in order, each within its grace period, also with --force\n", verb)
		}
		return power(choose(verb, *halt, *off, *restart))(ctx, s, nil)
	}
}

// likeShutdown takes the flags of shutdown(8); the only time is now. The words
// after the time, which shutdown writes to all terminals, are not sent.
func likeShutdown(ctx context.Context, s *session, args []string) error {
	set := pflag.NewFlagSet("shutdown", pflag.ContinueOnError)
	set.SetOutput(s.err)
	set.BoolP("h", "h", false, "switch the machine off")
	off := set.BoolP("poweroff", "P", false, "switch the machine off")
	restart := set.BoolP("reboot", "r", false, "start the machine again")
	halt := set.BoolP("halt", "H", false, "leave the machine on")
	cancel := set.BoolP("cancel", "c", false, "refused: nothing is ever scheduled")
	if done, err := parse(set, args); done || err != nil {
		return err
	}
	switch at := set.Arg(0); {
	case *cancel:
		return usagef("-c: there is nothing to cancel, the only time that is kept is now")
	case at != "now" && at != "+0":
		return usagef("want `shutdown [-h|-r|-H] now`: no other time is kept")
	case set.NArg() > 1:
		fmt.Fprintln(s.err, "shutdown: the message is sent to nobody")
	}
	return power(choose("poweroff", *halt, *off, *restart))(ctx, s, nil)
}

func parse(set *pflag.FlagSet, args []string) (done bool, err error) {
	switch err := set.Parse(args); {
	case err == pflag.ErrHelp: // usage has been printed
		return true, nil
	case err != nil:
		return true, usageError(err.Error())
	}
	return false, nil
}

// choose gives the verb that flags make of the name's own.
func choose(verb string, halt, off, restart bool) string {
	switch {
	case restart:
		return "reboot"
	case off:
		return "poweroff"
	case halt:
		return "halt"
	}
	return verb
}
