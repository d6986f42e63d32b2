package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/sysimg"
)

// variantNames are the forms in which the system ships.
func variantNames() []string { return []string{"default", "core"} }

// leftOut names the images and services that a variant lacks.
func leftOut(variant string) []string {
	if variant == "core" {
		return []string{"docker"}
	}
	return nil
}

// initrdName is a variant's file in dist/.
func initrdName(variant string) string {
	if variant == "default" {
		return "initrd.img"
	}
	return "initrd-" + variant + ".img"
}

// Compression of the system image, as mkfs.erofs -z takes it. What the boot
// reads is compressed so that reading is cheap: unpacking LZ4 takes a fifth of
// the processor time of zstd, which was 2 of the 6 seconds of a boot. All else
// is compressed so that it is small.
const (
	hotCompression     = "lz4hc,12"
	quickCompression   = "zstd,level=3"
	releaseCompression = "zstd,level=9" // 2 % smaller, made in five times the time
)

// A page fault in a hot file unpacks a whole cluster: small ones waste less.
// Cold files are read rarely and whole.
const (
	hotCluster  = 16 << 10
	coldCluster = 64 << 10
)

// hotFiles are the programs that every boot runs. The images' layers are the
// others, but for those that a core system leaves out.
func hotFiles() []string {
	return []string{layout.Containerd, layout.Shim, layout.Runc, layout.Rosd}
}

// systemImageOptions are how the system image is compressed: cold by the given
// algorithm, and hot files, named by their paths, by LZ4.
func systemImageOptions(epoch time.Time, cold string, hot []string) sysimg.Options {
	if cold == "" {
		cold = quickCompression
	}
	var hints strings.Builder
	for _, file := range hot {
		// Bytes of a cluster, number of the algorithm, regular expression.
		fmt.Fprintf(&hints, "%d 1 ^%s$\n", hotCluster, strings.TrimPrefix(file, "/"))
	}
	// Without -Efragments, which would save 2 %: with it mkfs.erofs 1.8.6 made
	// zeros of 118 small files (time zones) and said nothing.
	return sysimg.Options{
		Epoch: epoch, Compression: cold + ":" + hotCompression, Hints: hints.String(), ClusterSize: coldCluster,
	}
}
