package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
)

// cleanCommand removes what was built. Downloads and unpacked tools stay
// unless all is to go.
func cleanCommand(_ context.Context, args []string) error {
	f := flag.NewFlagSet("clean", flag.ContinueOnError)
	all := f.Bool("all", false, "remove downloads and tools too")
	if err := parseFlags(f, args); err != nil {
		return err
	}
	if *all {
		return errors.Join(os.RemoveAll(distDir), os.RemoveAll(cacheDir))
	}
	errs := []error{os.RemoveAll(distDir)}
	entries, err := os.ReadDir(cacheDir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		errs = append(errs, err)
	}
	for _, e := range entries {
		switch e.Name() {
		case "debian", "tools", "kernel", "ssh", "go-debian13":
		default:
			errs = append(errs, os.RemoveAll(filepath.Join(cacheDir, e.Name())))
		}
	}
	return errors.Join(errs...)
}
