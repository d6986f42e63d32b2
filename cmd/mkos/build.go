package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/debian"
	"github.com/testudo-os/testudo/pkg/filetree"
	"github.com/testudo-os/testudo/pkg/gobuild"
	"github.com/testudo-os/testudo/pkg/imagebuild"
	"github.com/testudo-os/testudo/pkg/initramfs"
	"github.com/testudo-os/testudo/pkg/kernel"
	"github.com/testudo-os/testudo/pkg/ocibuild"
	"github.com/testudo-os/testudo/pkg/service"
	"github.com/testudo-os/testudo/pkg/sysimg"
	"github.com/testudo-os/testudo/pkg/tools"
)

// buildOptions say what to build.
type buildOptions struct {
	variants []string
	kernel   string
}

// buildCommand makes everything in dist/.
func buildCommand(ctx context.Context, args []string) error {
	var o buildOptions
	variant := ""
	f := flag.NewFlagSet("build", flag.ContinueOnError)
	f.StringVar(&variant, "variant", "", "build only `default` or core (without the user runtime)")
	f.StringVar(&o.kernel, "kernel", "cloud", "Debian's `cloud` kernel for virtual machines, or the generic one")
	if err := parseFlags(f, args); err != nil {
		return err
	}
	o.variants = variantNames()
	if variant != "" {
		o.variants = []string{variant}
	}
	return build(ctx, o)
}

// builder holds what the steps of a build share.
type builder struct {
	tools  *tools.Tools
	images *imagebuild.Builder
	kernel *kernel.Kernel
	init   string // path of the built program
	built  []imagebuild.Result
	root   *filetree.Tree
	system map[string]*sysimg.File // by variant
}

// build makes dist/: kernel, one initial ramfs for each variant, images and
// checksums. What has not changed comes from the cache.
func build(ctx context.Context, o buildOptions) error {
	for _, v := range o.variants {
		if !slices.Contains(variantNames(), v) {
			return usageError(fmt.Sprintf("no variant %q", v))
		}
	}
	b := &builder{system: map[string]*sysimg.File{}}
	for _, step := range []struct {
		name string
		run  func() error
	}{
		{"Debian 13's tools", func() (err error) { b.tools, err = tools.Ensure(ctx, cacheDir, logf); return err }},
		{"kernel", func() error { return b.fetchKernel(ctx, kernel.Flavour(o.kernel)) }},
		{"init", func() error { return b.buildInit(ctx) }},
		{"system images", func() error { return b.buildImages(ctx) }},
		{"vmlinuz", func() error { return b.writeKernel() }},
		{"initial ramfs", func() error { return b.writeVariants(ctx, o) }},
		{"disk image", func() error { return b.writeDisk(ctx, o.variants[0]) }},
		{"OCI layout", func() error { return b.writeOCI() }},
		{"checksums", func() error { return writeChecksums(distDir, filepath.Join(cacheDir, "checksums.json")) }},
	} {
		if err := step.run(); err != nil {
			return fmt.Errorf("build %s: %w", step.name, err)
		}
	}
	return nil
}

func (b *builder) fetchKernel(ctx context.Context, flavour kernel.Flavour) error {
	archive, err := debian.Open(ctx, tools.DebianDir(cacheDir), debian.Options{Log: logf})
	if err != nil {
		return err
	}
	b.kernel, err = kernel.Fetch(ctx, archive, b.tools.Command, cacheDir, flavour)
	return err
}

func (b *builder) buildInit(ctx context.Context) error {
	epoch, err := sourceEpoch()
	if err != nil {
		return err
	}
	g, err := gobuild.New(ctx, ".", filepath.Join(cacheDir, "go"), logf)
	if err != nil {
		return err
	}
	b.init, err = g.Build(ctx, gobuild.Program{
		Package: "./init",
		// The clock never starts before the build.
		LDFlags: fmt.Sprintf("-X main.buildEpoch=%d", epoch.Unix()),
	})
	return err
}

func (b *builder) buildImages(ctx context.Context) error {
	var err error
	if b.images, err = newImageBuilder(ctx, false); err != nil {
		return err
	}
	if b.built, err = b.images.Images(ctx); err != nil {
		return err
	}
	tar, err := b.images.TreeTar(ctx, "system")
	if err != nil {
		return err
	}
	f, err := os.Open(tar)
	if err != nil {
		return err
	}
	defer f.Close()
	if b.root, err = filetree.ReadTar(bufio.NewReader(f)); err != nil {
		return fmt.Errorf("read %s: %w", tar, err)
	}
	return nil
}

func (b *builder) writeKernel() error {
	if err := os.MkdirAll(distDir, 0o755); err != nil {
		return err
	}
	return copyIfChanged(filepath.Join(distDir, "vmlinuz"), b.kernel.Image)
}

func (b *builder) writeVariants(ctx context.Context, o buildOptions) error {
	modules, err := b.kernel.BootModules(kernel.InInitramfs)
	if err != nil {
		return err
	}
	for _, v := range o.variants {
		image, err := b.systemImage(ctx, v)
		if err != nil {
			return err
		}
		b.system[v] = image
		err = writeAtomic(filepath.Join(distDir, initrdName(v)), func(f *os.File) error {
			w := bufio.NewWriterSize(f, 1<<20)
			err := initramfs.Write(w, initramfs.Content{
				Init: b.init, Modules: modules, SystemImage: image.Path, RootHash: image.RootHashFile(),
			})
			return errors.Join(err, w.Flush())
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) systemImage(ctx context.Context, variant string) (*sysimg.File, error) {
	epoch, err := sourceEpoch()
	if err != nil {
		return nil, err
	}
	c := sysimg.Content{Root: b.root, Release: b.kernel.Release, Modules: b.kernel.Modules}
	if c.Services, err = serviceFiles("services", variant); err != nil {
		return nil, err
	}
	if c.Catalog, err = serviceFiles("catalog", variant); err != nil {
		return nil, err
	}
	if c.Schema, err = service.Schema(); err != nil {
		return nil, err
	}
	hot, err := b.images.Hot("system", b.root)
	if err != nil {
		return nil, err
	}
	for _, img := range b.built {
		if slices.Contains(leftOut(variant), img.Name) {
			continue
		}
		i := sysimg.Image{Name: img.Name, Ref: img.Image.Ref, Manifest: img.Image.Manifest, Config: img.Image.Config}
		for _, l := range img.Layers {
			i.Layers = append(i.Layers, sysimg.Layer{DiffID: l.DiffID, Blob: b.images.Erofs(l.DiffID)})
		}
		c.Images = append(c.Images, i)
	}
	return sysimg.Build(ctx, b.tools.Command, c, sysimg.Options{Epoch: epoch, Hot: hot}, filepath.Join(cacheDir, "system"))
}

func (b *builder) writeOCI() error {
	all := make([]ocibuild.Image, len(b.built))
	for i, img := range b.built {
		all[i] = img.Image
	}
	return ocibuild.WriteLayout(filepath.Join(distDir, "oci"), b.images.Blobs(), all)
}

// serviceFiles are the YAML files of a folder that a variant ships.
func serviceFiles(dir, variant string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(files, func(f string) bool {
		return slices.Contains(leftOut(variant), strings.TrimSuffix(filepath.Base(f), ".yaml"))
	}), nil
}
