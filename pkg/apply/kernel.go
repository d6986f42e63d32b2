package apply

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// Sysctl writes values to the kernel's settings below dir, "/proc/sys", in the
// order of their names. A value that the kernel does not take is an error, and
// the others are written.
func Sysctl(dir string, values map[string]strictyaml.Text) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(values)) {
		path := filepath.Join(dir, sysctlPath(name))
		// Not made where there is none: that would be an ordinary file.
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
		if err == nil {
			_, err = f.WriteString(string(values[name]) + "\n")
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("testudo.sysctl: %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// sysctlPath follows sysctl(8): the first of . and / in a name separates, the
// other one stands for it within a part (net.ipv4.conf.eth0/1.forwarding).
func sysctlPath(name string) string {
	at := strings.IndexAny(name, "./")
	if at < 0 || name[at] == '/' {
		return name
	}
	return strings.NewReplacer(".", "/", "/", ".").Replace(name)
}

// ModuleLoader loads one module and what it needs; one that the kernel has
// already is no error.
type ModuleLoader func(ctx context.Context, name, params string) error

// Modules loads the kernel modules of a configuration, in order.
func Modules(ctx context.Context, modules []config.Module, load ModuleLoader) error {
	var errs []error
	for _, m := range modules {
		if err := load(ctx, m.Name, m.Params); err != nil {
			errs = append(errs, fmt.Errorf("testudo.modules: %w", err))
		}
	}
	return errors.Join(errs...)
}
