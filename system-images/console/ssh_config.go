package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"

	"github.com/testudo-os/testudo/pkg/atomicfile"
	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/layout"
)

// sshdConfigured is read by sshd before its own file, whose lines then no
// longer count.
const sshdConfigured = "/etc/ssh/sshd_config.d/50-testudo.conf"

// sshdConfig is what the configuration says to sshd (sshd_config(5)).
func sshdConfig(cfg *config.Config, dir string) string {
	var b strings.Builder
	b.WriteString("# Made from the machine's configuration.\n")
	if cfg.SSHPwauth.On() {
		b.WriteString("AuthenticationMethods any\nPasswordAuthentication yes\n")
	}
	for _, k := range cfg.SSHKeys.All() {
		path := filepath.Join(dir, "ssh_host_"+k.Type+"_key")
		if k.Type == "rsa" { // the others are in its own file
			fmt.Fprintf(&b, "HostKey %s\n", path)
		}
		if k.Certificate != "" {
			fmt.Fprintf(&b, "HostCertificate %s-cert.pub\n", path)
		}
	}
	if cfg.Locale != "" {
		// Of several SetEnv only the first counts.
		fmt.Fprintf(&b, "SetEnv LANG=%s PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin DOCKER_HOST=unix:///run/docker/docker.sock\n", cfg.Locale)
	}
	return b.String()
}

// configureSSH writes it, and says whether that changed anything.
func (c *console) configureSSH(cfg *config.Config) bool {
	c.check(os.MkdirAll(filepath.Dir(sshdConfigured), 0o755))
	text := sshdConfig(cfg, layout.SSHKeys)
	if old, err := os.ReadFile(sshdConfigured); err == nil && string(old) == text {
		return false
	}
	c.write(sshdConfigured, text)
	return true
}

// reloadSSH has sshd read its configuration; sessions go on.
func (c *console) reloadSSH() {
	if c.sshd != nil {
		c.check(c.sshd.Signal(syscall.SIGHUP))
	}
}

// giveHostKeys writes the host keys that the configuration brings.
func giveHostKeys(dir string, keys []config.HostKey) error {
	var errs []error
	for _, k := range keys {
		errs = append(errs, giveHostKey(filepath.Join(dir, "ssh_host_"+k.Type+"_key"), k))
	}
	return errors.Join(errs...)
}

func giveHostKey(path string, k config.HostKey) error {
	private := strings.TrimSpace(string(k.Private)) + "\n"
	signer, err := ssh.ParsePrivateKey([]byte(private))
	if err != nil {
		return fmt.Errorf("ssh_keys.%s_private: it is no key that can be used", k.Type) // err may quote it
	}
	public := string(ssh.MarshalAuthorizedKey(signer.PublicKey()))
	if k.Public != "" && !sameKey(k.Public, public) {
		return fmt.Errorf("ssh_keys.%s_public is not the public half of its private key", k.Type)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if old, err := os.ReadFile(path); err != nil || string(old) != private {
		if err := atomicfile.Write(path, []byte(private), 0o600); err != nil {
			return err
		}
	}
	if err := atomicfile.Write(path+".pub", []byte(public), 0o644); err != nil {
		return err
	}
	if k.Certificate == "" {
		return nil
	}
	return atomicfile.Write(path+"-cert.pub", []byte(strings.TrimSpace(k.Certificate)+"\n"), 0o644)
}

// sameKey compares two public keys without their comments.
func sameKey(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	return len(x) > 1 && len(y) > 1 && x[0] == y[0] && x[1] == y[1]
}

// instanceOfKeys names the instance whose host keys are in the folder.
const instanceOfKeys = "instance"

// forgetHostKeys deletes the host keys of another instance: a copy of a disk
// must not be taken for its original. A machine that had no datasource, or has
// none now, keeps them.
func forgetHostKeys(dir, instance, local string, wanted *bool) error {
	path := filepath.Join(dir, instanceOfKeys)
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("whose ssh host keys are here: %w", err)
	}
	was := strings.TrimSpace(string(before))
	if instance == local || was == instance {
		return nil
	}
	if was != "" && (wanted == nil || *wanted) {
		keys, err := filepath.Glob(filepath.Join(dir, "ssh_host_*"))
		if err != nil {
			return err
		}
		for _, key := range keys {
			if err := os.Remove(key); err != nil {
				return fmt.Errorf("forget another instance's ssh host keys: %w", err)
			}
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return atomicfile.Write(path, []byte(instance+"\n"), 0o644)
}
