package main

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/testudo-os/testudo/pkg/config"
)

// facts are what the greeting is made of.
type facts struct {
	release   string // Testudo 0.1
	hostname  string
	addresses []ifaceAddresses
	user      string
	config    *config.Resolved
	lasting   bool // the state is on a disk
}

// ifaceAddresses are the addresses of one interface that others can reach.
type ifaceAddresses struct {
	name  string
	addrs []netip.Addr
}

// address is the one to name where there is room for one only.
func (f facts) address() (netip.Addr, bool) {
	for _, i := range f.addresses {
		for _, a := range i.addrs {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// issue is what stands above the login prompt: who this is, where it is
// reached and, when nobody could log in, what to do about it. getty replaces
// \n and \l by the host's and the terminal's name.
func issue(f facts) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s on \\n (\\l)\n\n", plain(f.release))
	for _, i := range f.addresses {
		var texts []string
		for _, a := range i.addrs {
			texts = append(texts, a.String())
		}
		fmt.Fprintf(&b, "  %s: %s\n", plain(i.name), strings.Join(texts, ", "))
	}
	if len(f.addresses) == 0 {
		b.WriteString("  no network address yet: press Enter to look again, or see `ros status`\n")
	}
	first, reachable := f.address()
	switch {
	case f.config == nil:
		b.WriteString("  the configuration cannot be read: see `ros status`\n")
	case keys(f.config.Config) && reachable:
		fmt.Fprintf(&b, "  ssh %s@%s\n", plain(f.user), first)
	case !keys(f.config.Config) && passwords(f.config.Config):
		b.WriteString("  log in here with a name and its password; nobody can log in by ssh with a key\n")
	case !keys(f.config.Config):
		b.WriteString(noKeys)
	}
	if f.config != nil && len(f.config.Refused) > 0 {
		b.WriteString("  THE CONFIGURATION IS REFUSED, the last good one is used: see `ros status`\n")
	} else if f.config != nil && len(f.config.Problems) > 0 {
		b.WriteString("  the configuration has mistakes: see `ros status`\n")
	}
	return b.String() + "\n"
}

// noKeys says how to get in when the configuration lets nobody in.
const noKeys = `  Nobody can log in by ssh: no key is configured. Give one
  - on a volume labelled cidata, in a file user-data (NoCloud):
      #cloud-config
      ssh_authorized_keys: [ssh-ed25519 AAAA...]
  - or log in here, with testudo.console.autologin=all on the kernel's command
    line, and say
      ros config set ssh_authorized_keys 'ssh-ed25519 AAAA...'
      ros config apply
`

// passwords reports whether some password opens an account.
func passwords(c config.Config) bool {
	if c.Password != "" || len(c.Chpasswd.All()) > 0 {
		return true
	}
	for _, u := range c.Users {
		open := u.LockPasswd != nil && !*u.LockPasswd
		if open && (u.Passwd != "" || u.HashedPasswd != "" || u.PlainTextPasswd != "") {
			return true
		}
	}
	return false
}

// keys reports whether some user can log in by key.
func keys(c config.Config) bool {
	if len(c.SSHAuthorizedKeys) > 0 {
		return true
	}
	for _, u := range c.Users {
		if len(u.SSHAuthorizedKeys) > 0 {
			return true
		}
	}
	return false
}

// plain takes out what getty would read as an instruction.
func plain(s string) string {
	return strings.NewReplacer(`\`, "", "%", "", "\n", " ").Replace(s)
}

// motd is shown after a login.
func motd(f facts) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s on %s", f.release, f.hostname)
	if a, ok := f.address(); ok {
		fmt.Fprintf(&b, " (%s)", a)
	}
	b.WriteString(". How it is: ros status. All commands: ros --help.\n")
	if f.config != nil && !keys(f.config.Config) {
		b.WriteString("Let yourself in by ssh: ros config set ssh_authorized_keys 'ssh-ed25519 AAAA...' && ros config apply\n")
	}
	if f.lasting {
		b.WriteString("What lasts is in /home, /root, /var/log, /var/lib/docker and /var/lib/testudo.\n")
	} else {
		b.WriteString("Nothing outlives a power-off: there is no state disk in use.\n")
	}
	return b.String()
}

// hosts makes the machine find itself by name without a network.
func hosts(hostname, fqdn string) string {
	names := hostname
	if short, _, _ := strings.Cut(hostname, "."); short != hostname {
		names += " " + short
	} else if strings.HasPrefix(fqdn, hostname+".") {
		names = fqdn + " " + hostname
	}
	return "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\nff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n" +
		"127.0.1.1 " + names + "\n"
}

// releaseName reads PRETTY_NAME out of an os-release file.
func releaseName(osRelease string) string {
	for line := range strings.Lines(osRelease) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			return strings.Trim(value, `"'`)
		}
	}
	return "Testudo"
}
