// Package imagestore keeps the images that did not come with the release: what
// was pulled from a registry or imported from an archive. They lie on the state
// disk in the form that is mounted: layers as EROFS blobs, where containerd's
// snapshotter looks for them, beside manifests, configurations and one index of
// names. containerd's own records stay in RAM and are made again from here, as
// for the images in the system image.
//
// Every file is written beside, checked against its digest, synced and renamed,
// and the index comes last: a name in it means that the whole image is there.
// It speaks to no registry (pkg/registry) and knows nothing of services.
package imagestore
