// Command console is the first process of the console container, where people log in: it
// makes host keys and accounts, starts the ssh server, offers logins on the
// machine's terminals, runs runcmd, and reaps what nobody else does.
//
// The time until ssh answers is the figure a boot is judged by, so the order
// is: host keys, accounts, sshd; everything else comes after.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

func main() {
	debug.SetGCPercent(25) // a few kilobytes live here, for as long as the machine runs
	debug.SetMemoryLimit(16 << 20)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)

	c := newConsole(say)
	c.check(adoptOrphans())
	go c.reaper.Loop(context.Background()) // beyond the end of ctx: the shutdown waits for processes
	c.prepare(ctx)                         // host keys, files, accounts
	c.startSSH(ctx)                        // from here on it is only a matter of sshd
	c.furnish()                            // host names, greeting
	c.startTerminals(ctx)
	c.runCommands(ctx)
	go c.watchAddresses()
	for {
		select {
		case <-again:
			c.reapply(ctx)
		case <-ctx.Done():
			c.shutdown()
			return
		}
	}
}

// say writes one line for the service's log, which adds the time.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}
