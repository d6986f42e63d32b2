package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/netplan"
)

// lastlog is sshd's; without it each login on a terminal is a complaint in the log.
const lastlog = "/var/log/lastlog"

// furnish makes what people and programs find once they are in. It runs again
// on SIGHUP.
func (c *console) furnish() {
	if cfg := c.config(); cfg.ManageEtcHosts != "false" {
		_, full := cfg.Names()
		c.write("/etc/hosts", hosts(hostname(), full))
	}
	if r := c.resolved.Load(); r != nil {
		c.check(os.MkdirAll("/etc/profile.d", 0o755))
		c.write("/etc/profile.d/testudo-proxy.sh", proxyProfile(r.Config.Testudo.Network.Proxy))
	}
	c.check(ensureFile(lastlog))
	c.greet()
}

// proxyProfile has login shells know the proxy (testudo.network.proxy, whose
// values hold nothing that a shell would take for more than text).
func proxyProfile(p netplan.Proxy) string {
	text := "# From testudo.network.proxy.\n"
	for _, variable := range p.Environment() {
		name, value, _ := strings.Cut(variable, "=")
		text += "export " + name + "='" + value + "'\n"
	}
	return text
}

// ensureFile makes an empty file where there is none.
func ensureFile(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
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
	lasting, err := stateLasts(layout.MachineRecord)
	c.check(err)
	f := facts{
		release: releaseName(string(release)), hostname: hostname(), addresses: addresses,
		user: c.loginUser(), config: c.resolved.Load(), lasting: lasting,
	}
	c.write("/etc/issue", issue(f))
	c.write("/etc/motd", motd(f))
}

// stateLasts reads from init's record whether what is written outlives the boot.
func stateLasts(record string) (bool, error) {
	text, err := os.ReadFile(record)
	if err != nil {
		return false, fmt.Errorf("where the state is kept: %w", err)
	}
	var machine struct {
		Mode string `json:"state_mode"` // as in api.Machine
	}
	if err := json.Unmarshal(text, &machine); err != nil {
		return false, fmt.Errorf("where the state is kept: %s: %w", record, err)
	}
	return machine.Mode == "disk", nil
}

// loginUser is who logs in when nobody says who: the default user, or root
// where the configuration has none.
func (c *console) loginUser() string {
	cfg := c.config()
	for _, u := range cfg.Users {
		if u.Default {
			if cfg.User != nil && cfg.User.Name != "" {
				return cfg.User.Name
			}
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
