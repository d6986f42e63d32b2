package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"

	"github.com/testudo-os/testudo/pkg/atomicfile"
)

// hostKeys are what sshd_config names. Both are made in well under a
// millisecond; RSA would take seconds of a boot, and no client of today needs it.
var hostKeys = []struct {
	name     string
	generate func() (any, error)
}{
	{"ssh_host_ed25519_key", func() (any, error) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}},
	{"ssh_host_ecdsa_key", func() (any, error) {
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}},
}

// ensureHostKeys makes the keys that are missing in dir. What is there stays:
// clients remember it. A file that holds no key (the disk was full, or failed)
// is set aside, not deleted. It reports every key that could not be had.
func ensureHostKeys(dir, comment string, say func(string, ...any)) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make ssh host keys: %w", err)
	}
	var errs []error
	for _, k := range hostKeys {
		path := filepath.Join(dir, k.name)
		whole, err := wholeKey(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if whole {
			continue
		}
		if err := os.Rename(path, path+".damaged"); err == nil {
			say("%s holds no key: set aside as %s.damaged; ssh clients will see a new host key", path, k.name)
		}
		if err := makeHostKey(path, comment, k.generate); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// wholeKey reports whether path holds a private key, and sees to it that only
// its owner can read it, as sshd demands.
func wholeKey(path string) (bool, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read ssh host key: %w", err)
	}
	if _, err := ssh.ParseRawPrivateKey(data); err != nil {
		return false, nil
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return true, fmt.Errorf("protect ssh host key: %w", err)
	}
	return true, nil
}

func makeHostKey(path, comment string, generate func() (any, error)) error {
	key, err := generate()
	if err != nil {
		return fmt.Errorf("make ssh host key %s: %w", path, err)
	}
	block, err := ssh.MarshalPrivateKey(key, comment)
	if err != nil {
		return fmt.Errorf("make ssh host key %s: %w", path, err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return fmt.Errorf("make ssh host key %s: %w", path, err)
	}
	if err := atomicfile.Write(path, pem.EncodeToMemory(block), 0o600); err != nil {
		return err
	}
	return atomicfile.Write(path+".pub", ssh.MarshalAuthorizedKey(signer.PublicKey()), 0o644)
}
