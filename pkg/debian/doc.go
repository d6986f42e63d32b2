// Package debian fetches packages of a Debian release and reads their files,
// on any Debian host, whatever its own release.
//
// It drives the host's apt with a configuration of its own: own lists, own
// state, an empty status file. The host's packages are never looked at and
// never changed. apt checks the archive's signatures; every .deb is checked
// against the SHA-256 of the signed index before it is used. No maintainer
// script is ever run.
//
// It is for building only (cmd/mkos, pkg/tools); nothing that runs on the
// machine imports it.
package debian
