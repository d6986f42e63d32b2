package main

import (
	"os"

	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/layout"
)

// furnish writes what people and programs find once they are in. It runs
// again on SIGHUP.
func (c *console) furnish() {
	c.write("/etc/hosts", hosts(hostname()))
	c.greet()
}

// greet writes the texts above and below the login prompt.
func (c *console) greet() {
	c.greeting.Lock()
	defer c.greeting.Unlock()
	release, err := os.ReadFile(layout.OSRelease)
	if err != nil {
		c.say("%v", err)
	}
	addresses, err := physicalAddresses()
	if err != nil {
		c.say("%v", err)
	}
	f := facts{release: releaseName(string(release)), addresses: addresses, user: c.loginUser(), config: c.resolved.Load()}
	c.write("/etc/issue", issue(f))
	c.write("/etc/motd", motd(f))
}

// loginUser is who logs in when nobody says who: the default user, or root
// where the configuration has none.
func (c *console) loginUser() string {
	for _, u := range c.config().Users {
		if u.Default {
			return config.DefaultUser().Name
		}
	}
	return "root"
}

// write replaces a file in RAM: whole for its readers, no sync.
func (c *console) write(path, text string) {
	if old, err := os.ReadFile(path); err == nil && string(old) == text {
		return
	}
	next := path + ".new"
	if err := os.WriteFile(next, []byte(text), 0o644); err != nil {
		c.say("%v", err)
		return
	}
	if err := os.Rename(next, path); err != nil {
		c.say("%v", err)
	}
}
