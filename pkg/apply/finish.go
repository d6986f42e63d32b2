package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/testudo-os/testudo/pkg/atomicfile"
	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/datasource"
)

// once says whether a thing is still to be done for this instance, and gives
// the stamp that says it is done.
func once(dir, instance, name string) (stamp string, todo bool, err error) {
	own := filepath.Join(dir, datasource.SafeID(instance))
	stamp = filepath.Join(own, name+".done")
	if _, err := os.Stat(stamp); !errors.Is(err, fs.ErrNotExist) {
		return stamp, false, err
	}
	return stamp, true, os.MkdirAll(own, 0o700)
}

// defaultTries is cloud-init's.
const defaultTries = 10

// PhoneHome posts who the machine is to a URL, once for each instance and until
// it was taken: at the next boot again if need be.
func PhoneHome(ctx context.Context, cfg *config.Config, dir, instance, hostname, keys string, run Runner) error {
	p := cfg.PhoneHome
	if p.URL == "" {
		return nil
	}
	stamp, todo, err := once(dir, instance, "phone_home")
	if err != nil || !todo {
		return err
	}
	argv := []string{"curl", "--silent", "--show-error", "--fail", "--max-time", "30", "--output", "/dev/null",
		"--retry", strconv.Itoa(cmp.Or(p.Tries, defaultTries) - 1), "--retry-delay", "3", "--retry-all-errors"}
	for _, field := range phoneHomeFields(p.Post, instance, hostname, cfg.FQDN, keys) {
		argv = append(argv, "--data-urlencode", field)
	}
	words := make([]string, len(argv)+1)
	for i, w := range append(argv, p.URL) {
		words[i] = quote(w)
	}
	// The program's exit code is the shell's to see: Runner does not tell.
	line := strings.Join(words, " ") + " && : > " + quote(stamp)
	if err := run(ctx, "/bin/sh", "-c", line); err != nil {
		return fmt.Errorf("phone_home: %w", err)
	}
	if _, err := os.Stat(stamp); err != nil {
		return fmt.Errorf("phone_home: %s did not take it; it is tried again at the next boot", p.URL)
	}
	return nil
}

// phoneHomeFields are NAME=VALUE; what is not known is N/A, as cloud-init has it.
func phoneHomeFields(post []string, instance, hostname, fqdn, keys string) []string {
	var out []string
	for _, name := range config.PhoneHomeKeys {
		if len(post) > 0 && !slices.Contains(post, name) {
			continue
		}
		value := ""
		if kind, ok := strings.CutPrefix(name, "pub_key_"); ok {
			// A key that is not there is no error: this machine makes no RSA key.
			text, _ := os.ReadFile(filepath.Join(keys, "ssh_host_"+kind+"_key.pub"))
			value = strings.TrimSpace(string(text))
		}
		switch name {
		case "instance_id":
			value = instance
		case "hostname":
			value = hostname
		case "fqdn":
			value = cmp.Or(fqdn, hostname)
		}
		out = append(out, name+"="+cmp.Or(value, "N/A"))
	}
	return out
}

// Facts are what final_message may name.
type Facts struct {
	Version    string
	Timestamp  time.Time
	Datasource string
	Uptime     time.Duration
}

// FinalMessage fills in $version, $timestamp, $datasource and $uptime, in any
// case of letters, as cloud-init does.
func FinalMessage(text string, f Facts) string {
	values := map[string]string{
		"version": f.Version, "timestamp": f.Timestamp.UTC().Format(time.RFC1123Z),
		"datasource": cmp.Or(f.Datasource, "none"), "uptime": fmt.Sprintf("%.2f", f.Uptime.Seconds()),
	}
	return os.Expand(text, func(name string) string {
		if v, ok := values[strings.ToLower(name)]; ok {
			return v
		}
		return "$" + name
	})
}

// Power is how the machine is to end.
type Power struct {
	Mode    string // poweroff, reboot or halt
	Delay   time.Duration
	Message string
}

// PowerState says whether the machine is to go down now, nil if not. It is once
// for each instance: the stamp is written before, since nothing comes after.
func PowerState(ctx context.Context, cfg *config.Config, dir, instance string, run Runner) (*Power, error) {
	p := cfg.PowerState
	if p.Mode == "" || p.Condition.Never {
		return nil, nil
	}
	stamp, todo, err := once(dir, instance, "power_state")
	if err != nil || !todo {
		return nil, err
	}
	if p.Condition.Command != nil {
		yes := stamp + ".yes"
		if err := os.Remove(yes); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("power_state: %w", err)
		}
		line := "( " + shellLine(*p.Condition.Command) + "\n) && : > " + quote(yes)
		if err := run(ctx, "/bin/sh", "-c", line); err != nil {
			return nil, fmt.Errorf("power_state: %w", err)
		}
		if err := os.Remove(yes); err != nil {
			return nil, nil // the condition does not hold
		}
	}
	minutes := 0
	if p.Delay != "" {
		if minutes, err = strconv.Atoi(string(p.Delay)); err != nil {
			return nil, fmt.Errorf("power_state: %w", err)
		}
	}
	if err := atomicfile.Write(stamp, nil, 0o644); err != nil {
		return nil, fmt.Errorf("power_state: %w", err)
	}
	return &Power{Mode: p.Mode, Delay: time.Duration(minutes) * time.Minute, Message: p.Message}, nil
}

// shellLine gives a command as one line of the shell.
func shellLine(c config.Command) string {
	if c.Argv == nil {
		return c.Shell
	}
	words := make([]string, len(c.Argv))
	for i, w := range c.Argv {
		words[i] = quote(w)
	}
	return strings.Join(words, " ")
}

// Locale sets what programs of login shells are told; without one it is the
// image's.
func Locale(root, locale string) error {
	path, err := below(root, "/etc/profile.d/50-locale.sh")
	if err != nil {
		return fmt.Errorf("locale: %w", err)
	}
	if locale == "" {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("locale: %w", err)
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("locale: %w", err)
	}
	if err := atomicfile.Write(path, []byte("export LANG="+quote(locale)+"\n"), 0o644); err != nil {
		return fmt.Errorf("locale: %w", err)
	}
	return nil
}
