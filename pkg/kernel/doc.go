// Package kernel makes Debian's kernel package ready to boot: the image, the
// modules decompressed with depmod's tables, and the few of them that must be
// in the initial ramfs to reach the system image.
//
// It changes no module: each keeps the signature that is appended to it. For
// the builder only.
package kernel
