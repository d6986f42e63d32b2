// Package verityimage makes a read-only block device out of a file that holds
// a file system followed by its dm-verity hash tree: a loop device below, a
// dm-verity device above, so that a changed byte reads as an I/O error. It
// does not mount and does not build hash trees (the builder does, with the
// same library). init imports it.
//
// The ioctls are those of github.com/containerd/go-dmverity/pkg/dm, which is
// small, has no init function and imports nothing beyond golang.org/x/sys. Its
// pkg/verity, which would also read the superblock, is left out on the boot
// path: it brings every hash Go has, a UUID library, key rings and the log
// package, and waits for udev by polling. Reading 512 bytes is done here.
package verityimage
