package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/testudo-os/testudo/pkg/account"
	"github.com/testudo-os/testudo/pkg/apply"
	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/supervise"
)

const root = "/"

// bootcmdStamp lives as long as the boot: a restart of this service is none.
const bootcmdStamp = layout.RunDir + "/bootcmd.done"

// scriptDirs are those of the scripts of user data.
var scriptDirs = apply.ScriptDirs{Instances: layout.InstanceDir, Boot: layout.RunDir + "/scripts"}

// prepare does what must be there before the first login: host keys, files
// and accounts. All of it takes milliseconds and none of it runs a command,
// which might hang: commands come when ssh already answers.
func (c *console) prepare(ctx context.Context) {
	c.readConfig()
	cfg := c.config()
	if r := c.resolved.Load(); r != nil {
		c.check(forgetHostKeys(layout.SSHKeys, r.InstanceID, config.LocalInstance, cfg.SSHDeleteKeys))
	}
	c.check(giveHostKeys(layout.SSHKeys, cfg.SSHKeys.All()))
	c.check(ensureHostKeys(layout.SSHKeys, "root@"+hostname(), c.say))
	c.configureSSH(&cfg)
	c.filesAndAccounts(ctx, &cfg)
}

func (c *console) filesAndAccounts(ctx context.Context, cfg *config.Config) {
	c.check(apply.WriteFiles(ctx, root, cfg))
	c.check(apply.Locale(root, cfg.Locale))
	c.check(apply.CACerts(root, cfg.CACerts))
	c.check(account.Apply(ctx, root, cfg, func(user, password string) {
		c.onScreen("password of " + user + ": " + password)
	}))
	c.check(apply.DeferredFiles(ctx, root, cfg))
}

// reapply takes a changed configuration over, as far as it can change while
// people work: accounts, keys, files. Commands are not run again.
func (c *console) reapply(ctx context.Context) {
	before := c.config().Timezone
	c.readConfig()
	cfg := c.config()
	if cfg.Timezone != before {
		c.check(rebindZone(cfg.Timezone))
	}
	c.check(giveHostKeys(layout.SSHKeys, cfg.SSHKeys.All()))
	changed := c.configureSSH(&cfg)
	c.filesAndAccounts(ctx, &cfg)
	c.furnish()
	if changed {
		c.reloadSSH()
	}
}

func (c *console) readConfig() {
	resolved, err := config.ReadResolved(layout.ResolvedConfig)
	c.check(err) // without it root and the default user are there, without keys
	c.resolved.Store(resolved)
}

// runCommands runs boot hooks and bootcmd, once a boot, then runcmd and the
// scripts of user data, mostly once an instance, in the background.
func (c *console) runCommands(ctx context.Context) {
	resolved := c.resolved.Load()
	if resolved == nil {
		return
	}
	go func() {
		cfg := resolved.Config
		c.check(apply.Boothooks(ctx, resolved.Scripts, scriptDirs, resolved.InstanceID, c.run))
		if _, err := os.Stat(bootcmdStamp); errors.Is(err, fs.ErrNotExist) && len(cfg.Bootcmd) > 0 {
			c.check(apply.Bootcmd(ctx, &cfg, layout.InstanceDir, c.run))
			c.check(os.WriteFile(bootcmdStamp, nil, 0o644))
		}
		c.check(apply.Runcmd(ctx, &cfg, layout.InstanceDir, resolved.InstanceID, c.run))
		c.check(apply.Scripts(ctx, resolved.Scripts, scriptDirs, resolved.InstanceID, c.run))
		c.finish(ctx, resolved)
	}()
}

// run runs one program to its end, output to the service's log. When ctx ends
// first it is left to the shutdown, which ends all processes alike.
func (c *console) run(ctx context.Context, argv ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p, err := c.reaper.Start(supervise.Command{
		Path: argv[0], Args: argv, Dir: "/", Env: append(environment(), "HOME=/root", "USER=root", "LOGNAME=root"),
		Stdout: os.Stdout, Stderr: os.Stderr, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	select {
	case <-p.Done():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// check reports what went wrong and goes on: a login that lacks something is
// better than none.
func (c *console) check(err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		c.say("%v", err)
	}
}
