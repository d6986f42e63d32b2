package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/apply"
	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/layout"
)

// finish does what comes after all commands: phone_home, final_message and
// power_state.
func (c *console) finish(ctx context.Context, resolved *config.Resolved) {
	cfg := &resolved.Config
	c.check(apply.PhoneHome(ctx, cfg, layout.InstanceDir, resolved.InstanceID, hostname(), layout.SSHKeys, c.run))
	if text := apply.FinalMessage(cfg.FinalMessage, apply.Facts{
		Version: c.release(), Timestamp: time.Now(), Datasource: resolved.Datasource, Uptime: sinceBoot(),
	}); text != "" {
		c.announce(text)
	}
	power, err := apply.PowerState(ctx, cfg, layout.InstanceDir, resolved.InstanceID, c.run)
	c.check(err)
	if power == nil {
		return
	}
	if power.Message != "" {
		c.announce(power.Message)
	}
	timer := time.NewTimer(power.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		c.check(c.run(ctx, layout.Ros, power.Mode))
	case <-ctx.Done():
	}
}

// announce says something to the log and to whoever looks at the screen.
func (c *console) announce(text string) {
	c.say("%s", text)
	c.onScreen(text)
}

// onScreen is for what no log may hold.
func (c *console) onScreen(text string) {
	screen, err := os.OpenFile("/dev/console", os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return // a machine may have none
	}
	defer screen.Close()
	fmt.Fprintf(screen, "\r\n%s\r\n", strings.ReplaceAll(text, "\n", "\r\n"))
}

func sinceBoot() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0 // cannot fail since Linux 2.6.39
	}
	return time.Duration(now.Nano())
}

func (c *console) release() string {
	text, err := os.ReadFile(layout.OSRelease)
	c.check(err)
	return releaseName(string(text))
}
