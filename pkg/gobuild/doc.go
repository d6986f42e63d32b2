// Package gobuild builds the Go programs that go into images: our own, and
// those of other projects at the version that a folder's go.mod pins. The
// result depends on sources, flags and toolchain, not on where it was built.
//
// It is for the builder only. Whether something must be compiled again is left
// to Go's own build cache; this package only spares asking it when no file of
// the repository has changed.
package gobuild
