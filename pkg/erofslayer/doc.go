// Package erofslayer turns a layer of an OCI image, a tar stream, into the
// EROFS blob that containerd's snapshotter mounts as it is: pulled images then
// run exactly as those in the system image do, and nothing is unpacked.
// Whiteouts become overlayfs's own. It knows nothing of images and registries.
package erofslayer
