package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/testudo-os/testudo/pkg/tools"
)

// machineTests boot machines; the other packages' tests do not.
const machineTests = "./qemu-tests"

// testCommand checks the source, runs the unit tests, builds, and boots
// machines. go test's own lines come last.
func testCommand(ctx context.Context, args []string) error {
	var run, extra string
	var quick bool
	f := flag.NewFlagSet("test", flag.ContinueOnError)
	f.StringVar(&run, "run", "", "only the machine tests that match this `pattern`; no checks and no unit tests")
	f.BoolVar(&quick, "quick", false, "only the checks and the unit tests: no build, no machines")
	f.StringVar(&extra, "args", "", "`flags` of the machine tests' own, and of go test: \"-test.parallel 1\"")
	if err := parseFlags(f, args); err != nil {
		return err
	}
	if run == "" {
		if err := checkAndUnitTest(ctx); err != nil {
			return err
		}
	}
	if quick {
		return nil
	}
	if err := build(ctx, buildOptions{variants: variantNames(), kernel: "cloud"}); err != nil {
		return err
	}
	logf("machine tests; serial logs are kept in %s/test-logs", cacheDir)
	goTest := []string{"test", "-count=1", "-v", "-timeout", "80m", machineTests}
	if run != "" {
		goTest = append(goTest, "-run", run)
	}
	if extra != "" {
		goTest = append(append(goTest, "-args"), strings.Fields(extra)...)
	}
	return goRun(ctx, goTest...)
}

func checkAndUnitTest(ctx context.Context) error {
	t, err := tools.Ensure(ctx, cacheDir, logf)
	if err != nil {
		return err
	}
	packages, err := ownPackages(ctx)
	if err != nil {
		return err
	}
	var unit []string
	for _, p := range packages {
		if !strings.HasSuffix(p, strings.TrimPrefix(machineTests, ".")) {
			unit = append(unit, p)
		}
	}
	for _, step := range []struct {
		name string
		run  func() error
	}{
		{"gofmt", func() error { return checkFormat(ctx) }},
		{"go vet", func() error { return goRun(ctx, append([]string{"vet"}, packages...)...) }},
		{"staticcheck", func() error {
			return goRun(ctx, append([]string{"tool", "-modfile=.ci/tools.mod", "staticcheck"}, packages...)...)
		}},
		{"shellcheck", func() error { return checkShell(ctx, t) }},
		{"unit tests", func() error { return goRun(ctx, append([]string{"test", "-race"}, unit...)...) }},
	} {
		logf("%s", step.name)
		if err := step.run(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

// ownPackages lists the packages of the project.
func ownPackages(ctx context.Context) ([]string, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	return strings.Fields(string(out)), nil
}

// checkFormat fails when gofmt would change a file.
func checkFormat(ctx context.Context) error {
	files, err := projectFiles(func(path string, _ []byte) bool { return strings.HasSuffix(path, ".go") })
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "gofmt", append([]string{"-l"}, files...)...).CombinedOutput()
	if err != nil || len(out) > 0 {
		return errors.Join(fmt.Errorf("these files are not as gofmt writes them:\n%s", out), err)
	}
	return nil
}

// checkShell runs shellcheck on every shell script of the project.
func checkShell(ctx context.Context, t *tools.Tools) error {
	scripts, err := projectFiles(func(_ string, head []byte) bool {
		first, _, _ := bytes.Cut(head, []byte("\n"))
		return bytes.HasPrefix(first, []byte("#!")) && (bytes.HasSuffix(first, []byte("/bash")) || bytes.HasSuffix(first, []byte("/sh")))
	})
	if err != nil || len(scripts) == 0 {
		return err
	}
	cmd := t.Command(ctx, "shellcheck", scripts...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd.Run()
}

// projectFiles lists the files that want asks for by path and first bytes,
// leaving out what is built.
func projectFiles(want func(path string, head []byte) bool) ([]string, error) {
	var files []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (path == cacheDir || path == distDir || path == ".git") {
			return filepath.SkipDir
		}
		if !d.Type().IsRegular() {
			return nil
		}
		head, err := firstBytes(path)
		if err == nil && want(path, head) {
			files = append(files, path)
		}
		return err
	})
	return files, err
}

func firstBytes(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	buf := make([]byte, 128)
	n, err := f.Read(buf)
	if n == 0 {
		return nil, nil // an empty file is no script
	}
	return buf[:n], err
}

// goRun runs the go program with its output on ours.
func goRun(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go %s: %w", args[0], err)
	}
	return nil
}
