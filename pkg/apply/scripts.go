package apply

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/testudo-os/testudo/pkg/atomicfile"
	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/datasource"
)

// ScriptDirs say where scripts lie and where it is noted that they ran.
type ScriptDirs struct {
	Instances string // mostly layout.InstanceDir: one folder an instance
	Boot      string // lives as long as the boot
}

// stamp is the file that says that a script ran.
func (d ScriptDirs) stamp(s config.Script, instance string) string {
	switch {
	case s.Kind == string(datasource.Boothook):
		return filepath.Join(d.Boot, "boothook-"+s.Name+".done")
	case s.When == string(datasource.PerBoot):
		return filepath.Join(d.Boot, s.Name+".done")
	case s.When == string(datasource.Once):
		return filepath.Join(d.Instances, "scripts-once", s.Name+".done")
	}
	return filepath.Join(d.Instances, datasource.SafeID(instance), "scripts", s.Name+".done")
}

// Boothooks runs the boot hooks of user data in order, once a boot.
func Boothooks(ctx context.Context, scripts []config.Script, dirs ScriptDirs, instance string, run Runner) error {
	return runScripts(ctx, scripts, datasource.Boothook, dirs, instance, run)
}

// Scripts runs the scripts of user data in order: each once per instance, or as
// often as its type says. A stamp is written when one has ended, whatever its
// exit code; a machine that goes down in between runs it again.
func Scripts(ctx context.Context, scripts []config.Script, dirs ScriptDirs, instance string, run Runner) error {
	return runScripts(ctx, scripts, datasource.Script, dirs, instance, run)
}

func runScripts(ctx context.Context, scripts []config.Script, kind datasource.Kind, dirs ScriptDirs, instance string, run Runner) error {
	var errs []error
	for _, s := range scripts {
		if s.Kind != string(kind) {
			continue
		}
		if err := runOnce(ctx, s, dirs, instance, run); err != nil {
			errs = append(errs, fmt.Errorf("%s %s: %w", kind, s.Name, err))
		}
	}
	return errors.Join(errs...)
}

func runOnce(ctx context.Context, s config.Script, dirs ScriptDirs, instance string, run Runner) error {
	stamp := dirs.stamp(s, instance)
	if _, err := os.Stat(stamp); !errors.Is(err, fs.ErrNotExist) {
		return err // nil: done
	}
	if err := runScript(ctx, s, filepath.Join(dirs.Instances, datasource.SafeID(instance), "scripts"), run); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(stamp), 0o700); err != nil {
		return fmt.Errorf("note that it is done: %w", err)
	}
	if err := atomicfile.Write(stamp, nil, 0o644); err != nil {
		return fmt.Errorf("note that it is done: %w", err)
	}
	return nil
}

// runScript writes one for root alone, since it may hold secrets, and runs it.
func runScript(ctx context.Context, s config.Script, dir string, run Runner) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(dir, s.Kind+"-"+s.Name)
	if err := atomicfile.Write(path, s.Text, 0o700); err != nil {
		return err
	}
	if !bytes.HasPrefix(s.Text, []byte("#!")) {
		return run(ctx, "/bin/sh", path) // a boot hook may be plain shell text
	}
	return run(ctx, path)
}
