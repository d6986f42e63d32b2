package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// knownSum is the digest of a file that had this size and time. A disk image
// takes many seconds to read, and rarely changes.
type knownSum struct {
	Size  int64  `json:"size"`
	MTime int64  `json:"mtime"` // nanoseconds since 1970
	Sum   string `json:"sum"`
}

// writeChecksums lists the files of dir in the form of sha256sum. What did not
// change since the last time is not read again: cache says so.
func writeChecksums(dir, cache string) error {
	known := map[string]knownSum{}
	if data, err := os.ReadFile(cache); err == nil {
		// A cache that cannot be read is none.
		_ = json.Unmarshal(data, &known)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	now := map[string]knownSum{}
	var text strings.Builder
	for _, e := range entries {
		if !e.Type().IsRegular() || e.Name() == "SHA256SUMS" || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		k := known[e.Name()]
		if k.Sum == "" || k.Size != info.Size() || k.MTime != info.ModTime().UnixNano() {
			k = knownSum{Size: info.Size(), MTime: info.ModTime().UnixNano()}
			if k.Sum, err = fileSum(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
		now[e.Name()] = k
		fmt.Fprintf(&text, "%s  %s\n", k.Sum, e.Name())
	}
	data, err := json.MarshalIndent(now, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(
		writeAtomic(filepath.Join(dir, "SHA256SUMS"), func(f *os.File) error {
			_, err := f.WriteString(text.String())
			return err
		}),
		os.WriteFile(cache, data, 0o644))
}

func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
