package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// parseFlags parses flags that take no further arguments.
func parseFlags(f *flag.FlagSet, args []string) error {
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return exitError(0)
	} else if err != nil {
		return exitError(2) // flag has said why
	}
	if f.NArg() > 0 {
		return usageError(fmt.Sprintf("%s: what is %q?", f.Name(), f.Arg(0)))
	}
	return nil
}

// writeAtomic writes a file beside path and then puts it in its place.
func writeAtomic(path string, write func(f *os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = errors.Join(write(f), f.Chmod(0o644), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// copyIfChanged makes to a copy of from.
func copyIfChanged(to, from string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(to); err == nil && bytes.Equal(old, data) {
		return nil
	}
	return writeAtomic(to, func(f *os.File) error {
		_, err := f.Write(data)
		return err
	})
}
