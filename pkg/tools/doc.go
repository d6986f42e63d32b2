// Package tools brings the programs that building and testing need, as Debian
// 13 has them, onto any Debian host without touching it: QEMU, mkfs.erofs,
// depmod, the ext4 and FAT programs, xorriso, shellcheck, and dnsmasq for tests
// of the network service.
//
// They are unpacked under the cache directory and run through their own
// dynamic loader with their own libraries, so the host's versions do not
// matter. No script of a package is run. For cmd/mkos and the tests only.
package tools
