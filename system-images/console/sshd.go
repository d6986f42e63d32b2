package main

import (
	"context"
	"os"
	"strings"
	"sync"

	"github.com/testudo-os/testudo/pkg/sdnotify"
	"github.com/testudo-os/testudo/pkg/supervise"
)

const (
	sshdPath     = "/usr/sbin/sshd" // absolute: sshd runs itself again from it
	sshdRun      = "/run/sshd"      // its empty folder; must exist
	sshListening = "Server listening on "
)

// startSSH keeps sshd running and reports the console ready when it answers.
func (c *console) startSSH(ctx context.Context) {
	if err := os.MkdirAll(sshdRun, 0o755); err != nil {
		c.say("%v", err)
	}
	ready := sync.OnceFunc(func() {
		// It may listen on another address only: then listening must do.
		if err := awaitGreeting(ctx, sshAddress); err != nil {
			c.say("ssh: no greeting from %s: %v", sshAddress, err)
		}
		if err := sdnotify.Send(sdnotify.Ready, sdnotify.Status("ssh answers")); err != nil {
			c.say("%v", err)
		}
	})
	c.sshd = c.keep(ctx, supervise.Spec{
		Name: "sshd",
		Command: func() (supervise.Command, error) {
			return supervise.Command{Path: sshdPath, Args: []string{sshdPath, "-D", "-e"}, Dir: "/", Env: environment()}, nil
		},
		Output: func(line string) {
			if strings.HasPrefix(line, sshListening) {
				go ready()
			}
			c.say("sshd: %s", line)
		},
	})
}
