package main

import (
	"time"

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

// quickCompression costs a tenth of level 9's time and gives 6 % more bytes.
const quickCompression = "zstd,level=3"

// systemImageOptions are how the system image is compressed.
func systemImageOptions(epoch time.Time, compression string) sysimg.Options {
	return sysimg.Options{Epoch: epoch, Compression: compression, ClusterSize: 64 << 10, Fragments: true}
}
