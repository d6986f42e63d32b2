package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/testudo-os/testudo/pkg/imagebuild"
	"github.com/testudo-os/testudo/pkg/ocibuild"
	"github.com/testudo-os/testudo/pkg/tools"
)

// defaultEpoch is the time of every file that is built (2026-11-01 UTC), so
// that the same inputs give the same bytes. SOURCE_DATE_EPOCH replaces it.
const defaultEpoch = 1793491200

// imagesCommand builds system images.
func imagesCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("images", flag.ContinueOnError)
	refresh := flags.Bool("update", false, "take the newest packages instead of the locked ones")
	oci := flags.String("oci", "", "write the images to this OCI image layout as well")
	sizes := flags.Bool("sizes", false, "print the size of each layer")
	flags.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: images [FLAGS] [NAME...]")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return usageError(err.Error())
	}
	b, err := newImageBuilder(ctx, *refresh)
	if err != nil {
		return err
	}
	images, err := b.Images(ctx, flags.Args()...)
	if err != nil {
		return err
	}
	if *oci != "" {
		all := make([]ocibuild.Image, len(images))
		for i, img := range images {
			all[i] = img.Image
		}
		if err := ocibuild.WriteLayout(*oci, b.Blobs(), all); err != nil {
			return fmt.Errorf("write the OCI layout %s: %w", *oci, err)
		}
	}
	if *sizes {
		return printSizes(images)
	}
	return nil
}

// treeCommand lays out a recipe's whole file tree.
func treeCommand(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return usageError("usage: tree NAME OUT (a new directory, or FILE.tar)")
	}
	b, err := newImageBuilder(ctx, false)
	if err != nil {
		return err
	}
	return b.WriteTree(ctx, args[0], args[1])
}

// newImageBuilder is the builder of this project's images.
func newImageBuilder(ctx context.Context, refresh bool) (*imagebuild.Builder, error) {
	if err := atTop(); err != nil {
		return nil, err
	}
	epoch, err := sourceEpoch()
	if err != nil {
		return nil, err
	}
	version, err := projectVersion()
	if err != nil {
		return nil, err
	}
	t, err := tools.Ensure(ctx, cacheDir, logf)
	if err != nil {
		return nil, err
	}
	return imagebuild.New(ctx, imagebuild.Config{
		Root: ".", Cache: cacheDir, Version: version, BuildID: version, Epoch: epoch,
		Erofs: t.Command, Refresh: refresh, Log: logf,
	})
}

// projectVersion is the release that is being built.
func projectVersion() (string, error) {
	data, err := os.ReadFile("VERSION")
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(data)), nil
}

// sourceEpoch is the time that all built files get.
func sourceEpoch() (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		return time.Unix(defaultEpoch, 0), nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, usageError("SOURCE_DATE_EPOCH is not a number of seconds: " + text)
	}
	return time.Unix(seconds, 0), nil
}

// printSizes lists each layer once.
func printSizes(images []imagebuild.Result) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "layer of\tfiles MB\tEROFS MB\tzstd MB\t")
	seen := map[string]bool{}
	var plain, blob, packed int64
	for _, img := range images {
		for _, l := range img.Layers {
			if seen[l.DiffID] {
				continue
			}
			seen[l.DiffID] = true
			plain, blob, packed = plain+l.Plain, blob+l.Erofs, packed+l.Size
			fmt.Fprintf(w, "%s\t%.1f\t%.1f\t%.1f\t\n", l.Recipe, mega(l.Plain), mega(l.Erofs), mega(l.Size))
		}
	}
	fmt.Fprintf(w, "all\t%.1f\t%.1f\t%.1f\t\n", mega(plain), mega(blob), mega(packed))
	return w.Flush()
}

func mega(n int64) float64 { return float64(n) / 1e6 }
