// Package imagebuild makes system images of their recipes: it selects files of
// Debian packages, builds the programs, lays rootfs/ over them, and writes OCI
// images and EROFS layer blobs. What has not changed is not built again.
//
// It runs no maintainer script and, beside a package's own multi-call program
// that is asked for its applets, no program of a package. It is for the
// builder only.
package imagebuild
