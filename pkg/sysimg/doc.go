// Package sysimg makes the system image: the read-only root of a machine as one
// compressed EROFS file with its dm-verity hash tree behind it.
//
// Equal content gives an equal file and root hash. The layers of system images
// inside are EROFS blobs of their own, which containerd mounts where they lie;
// they are not compressed themselves, so that only one file system decompresses.
// For the builder only.
package sysimg
