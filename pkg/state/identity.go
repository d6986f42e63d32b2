package state

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// MachineID reads the machine's id (machine-id(5)) from file, or makes one out
// of random and keeps it there. An id that cannot be kept is given together
// with the error.
func MachineID(file string, random func([]byte) error) (string, error) {
	text, err := os.ReadFile(file)
	if id := strings.TrimSpace(string(text)); err == nil && validID(id) {
		return id, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the machine id: %w", err)
	}
	raw := make([]byte, 16)
	if err := random(raw); err != nil {
		return "", fmt.Errorf("make a machine id: %w", err)
	}
	raw[6] = raw[6]&0x0f | 0x40 // a version 4 UUID, as others make it
	raw[8] = raw[8]&0x3f | 0x80
	id := hex.EncodeToString(raw)
	if err := WriteSafely(file, []byte(id+"\n"), 0o444); err != nil {
		return id, fmt.Errorf("keep the machine id: %w", err)
	}
	return id, nil
}

func validID(id string) bool {
	if len(id) != 32 || id == strings.Repeat("0", 32) {
		return false
	}
	for _, c := range id {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
			return false
		}
	}
	return true
}

// WriteSafely replaces a file so that a power cut leaves the old content or
// the new: temporary file, fsync, rename, fsync of the folder.
func WriteSafely(file string, content []byte, mode os.FileMode) error {
	dir := filepath.Dir(file)
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(content)
	err = errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}
