package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/apply"
	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/kmod"
	"github.com/testudo-os/testudo/pkg/layout"
)

const sysctlDir = "/proc/sys"

// doModules loads kernel modules.
func doModules(ctx context.Context, modules []config.Module) error {
	if len(modules) == 0 {
		return nil
	}
	var kernel unix.Utsname
	if err := unix.Uname(&kernel); err != nil {
		return fmt.Errorf("testudo.modules: %w", err)
	}
	table, err := kmod.Open(filepath.Join(layout.Modules, unix.ByteSliceToString(kernel.Release[:])))
	if err != nil {
		return fmt.Errorf("testudo.modules: %w", err)
	}
	return apply.Modules(ctx, modules, func(ctx context.Context, name, params string) error {
		loader := kmod.NewLoader(table, kmod.Options{Params: func(module string) string {
			if module == kmod.Name(name) {
				return params
			}
			return ""
		}})
		return loader.Load(ctx, name)
	})
}

// stirSeed gives the kernel's generator what the configuration brings. It does
// not count as entropy: others may know it.
func stirSeed(seed config.RandomSeed) error {
	data, err := seed.Bytes()
	if err != nil || len(data) == 0 {
		return err
	}
	f, err := os.OpenFile("/dev/urandom", os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("random_seed: %w", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("random_seed: %w", err)
	}
	return nil
}
