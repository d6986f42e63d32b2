// Package uki makes unified kernel images: one EFI program that holds kernel,
// initial ramfs, command line and release, as the UAPI group specifies them
// (https://uapi-group.org/specifications/specs/unified_kernel_image/). It adds
// sections to systemd's EFI stub in pure Go, byte for byte the same each time,
// reads them back, and predicts what the stub will measure. It signs nothing.
// The builder and whoever installs or checks a release import it.
package uki
