// Package registry fetches images from OCI registries, with mirrors, CAs and
// credentials of the machine's configuration. It speaks plain HTTP to nobody
// unless told to, and stores nothing: pkg/imagestore does.
package registry
