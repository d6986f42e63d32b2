package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/bench"
	"github.com/testudo-os/testudo/pkg/debian"
	"github.com/testudo-os/testudo/pkg/gobuild"
	"github.com/testudo-os/testudo/pkg/qemu"
	"github.com/testudo-os/testudo/pkg/tools"
)

// benchOptions are the flags of `bench`.
type benchOptions struct {
	json, append, only string
	docker, fresh      bool
	noBuild            bool
	measure            bench.Options
}

// benchCommand measures Testudo, the bare kernel and Debian 13 in one run.
func benchCommand(ctx context.Context, args []string) error {
	o, err := parseBenchFlags(args)
	if err != nil {
		return err
	}
	if !o.noBuild && (o.wants(bench.TestudoCore) || o.wants(bench.TestudoDocker)) {
		if err := build(ctx, buildOptions{variants: variantNames(), kernel: "cloud"}); err != nil {
			return err
		}
	}
	dir := filepath.Join(cacheDir, "bench")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	b, archive, err := newBench(ctx, dir)
	if err != nil {
		return err
	}
	b.Append = o.append
	subjects, err := o.subjects(ctx, b, archive)
	if err != nil {
		return err
	}
	if b.Accel, err = qemu.ProbeAccel(ctx, b.Tools, subjects[0].Kernel, cacheDir); err != nil {
		return err
	}
	report, err := b.Run(ctx, subjects, o.measure, o.fresh)
	if err != nil {
		return err
	}
	if o.json != "" {
		err = writeAtomic(o.json, func(f *os.File) error { return report.JSON(f) })
	}
	return errors.Join(err, report.Print(os.Stdout))
}

func parseBenchFlags(args []string) (*benchOptions, error) {
	o := &benchOptions{}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&o.json, "json", "", "write the figures to `FILE` too")
	f.BoolVar(&o.docker, "debian-docker", false, "measure Debian with docker.io too")
	f.StringVar(&o.only, "only", "", "measure only these of bare,debian,debian-docker,testudo-core,testudo: `LIST`")
	f.BoolVar(&o.fresh, "fresh", false, "measure Debian again although nothing of it has changed")
	f.BoolVar(&o.noBuild, "no-build", false, "take dist/ as it is")
	f.BoolVar(&o.measure.Least, "least", true, "search for the least memory (several boots of each system)")
	f.IntVar(&o.measure.Runs, "runs", 3, "`N` runs of each counted measurement; the median counts")
	f.IntVar(&o.measure.Services, "services", 4, "`N` services to add for the cost of one; 0 leaves it out")
	f.BoolVar(&o.measure.Manager, "manager", true, "measure rosd's memory with 10 and with 200 services")
	f.StringVar(&o.append, "append", "", "more kernel `ARGUMENTS` for all systems")
	if err := parseFlags(f, args); err != nil {
		return nil, err
	}
	for _, name := range o.names() {
		if !slices.Contains([]string{bench.Bare, bench.DebianName, bench.DebianDocker, bench.TestudoCore, bench.TestudoDocker}, name) {
			return nil, usageError(fmt.Sprintf("bench: nothing is called %q", name))
		}
	}
	return o, nil
}

// names are those to measure, in the order of the table.
func (o *benchOptions) names() []string {
	if o.only != "" {
		return strings.Split(o.only, ",")
	}
	names := []string{bench.Bare, bench.DebianName}
	if o.docker {
		names = append(names, bench.DebianDocker)
	}
	return append(names, bench.TestudoCore, bench.TestudoDocker)
}

func (o *benchOptions) wants(name string) bool { return slices.Contains(o.names(), name) }

// newBench brings what measuring needs.
func newBench(ctx context.Context, dir string) (*bench.Bench, *debian.Archive, error) {
	t, err := tools.Ensure(ctx, cacheDir, logf)
	if err != nil {
		return nil, nil, err
	}
	archive, err := debian.Open(ctx, tools.DebianDir(cacheDir), debian.Options{Log: logf})
	if err != nil {
		return nil, nil, err
	}
	equipped, err := bench.Equip(ctx, t, archive, dir)
	if err != nil {
		return nil, nil, fmt.Errorf("tools of the bench: %w", err)
	}
	g, err := gobuild.New(ctx, ".", filepath.Join(cacheDir, "go"), logf)
	if err != nil {
		return nil, nil, err
	}
	b := &bench.Bench{Tools: equipped, Dir: dir, Log: logf}
	for path, out := range map[string]*string{"./pkg/bench/probe": &b.Probe, "./pkg/bench/starter": &b.Starter} {
		if *out, err = g.Build(ctx, gobuild.Program{Package: path}); err != nil {
			return nil, nil, err
		}
	}
	return b, archive, nil
}

// subjects prepares the systems to measure.
func (o *benchOptions) subjects(ctx context.Context, b *bench.Bench, archive *debian.Archive) ([]bench.Subject, error) {
	var subjects []bench.Subject
	kernel := filepath.Join(distDir, "vmlinuz")
	for _, name := range o.names() {
		var s bench.Subject
		var err error
		switch name {
		case bench.DebianName, bench.DebianDocker:
			s, err = bench.Debian(ctx, b.Tools, archive, b.Dir, name == bench.DebianDocker, logf)
		case bench.Bare:
			s = bench.Subject{Name: name, Title: "bare kernel", Kernel: kernel}
		case bench.TestudoCore:
			s, err = testudoSubject(ctx, name, "Testudo, no Docker", "core")
		case bench.TestudoDocker:
			s, err = testudoSubject(ctx, name, "Testudo", "default")
			s.Runtime = "docker"
		}
		if err != nil {
			return nil, err
		}
		subjects = append(subjects, s)
	}
	return withKernels(subjects)
}

func testudoSubject(ctx context.Context, name, title, variant string) (bench.Subject, error) {
	s := bench.Subject{
		Name: name, Title: title, SSH: true, LeaveOut: leftOut(variant),
		// What one more service costs does not depend on Docker.
		Services: variant == "core",
		Kernel:   filepath.Join(distDir, "vmlinuz"), Initrd: filepath.Join(distDir, initrdName(variant)),
		OCI: filepath.Join(distDir, "oci"),
	}
	files, err := serviceFiles("services", variant)
	if err != nil {
		return s, err
	}
	s.Builtin = len(files)
	images, err := newImageBuilder(ctx, false)
	if err != nil {
		return s, err
	}
	s.BaseTar, err = images.TreeTar(ctx, "system")
	return s, err
}

// withKernels lends the bare kernel another's when dist/ is not built.
func withKernels(subjects []bench.Subject) ([]bench.Subject, error) {
	for i, s := range subjects {
		if _, err := os.Stat(s.Kernel); err == nil {
			continue
		}
		if s.Name != bench.Bare || len(subjects) == 1 {
			return nil, fmt.Errorf("%s: no %s; build first", s.Name, s.Kernel)
		}
		subjects[i].Kernel = subjects[(i+1)%len(subjects)].Kernel
	}
	return subjects, nil
}
