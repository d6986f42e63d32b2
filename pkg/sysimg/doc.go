// Package sysimg makes the system image: the read-only root of a machine as one
// compressed EROFS file with its dm-verity hash tree behind it.
//
// Equal content gives an equal file and root hash. The layers of system images
// inside are EROFS blobs of their own, which containerd mounts where they lie.
// Their files are compressed inside and the blobs are stored as they are: only
// one file system decompresses, and the page cache holds each file's plain
// bytes once, beside its compressed ones. For the builder only.
package sysimg
