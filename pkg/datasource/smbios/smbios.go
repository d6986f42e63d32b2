// Package smbios reads the OEM strings (type 11) out of an SMBIOS table, as the
// kernel gives it in /sys/firmware/dmi/tables/DMI: a hypervisor's way to hand
// text to its guest (qemu -smbios type=11,value=...). It does no I/O and
// imports nothing of ours.
package smbios

import "bytes"

const (
	typeOEM = 11
	typeEnd = 127
)

// OEMStrings gives the strings of all structures of type 11 (DMTF DSP0134,
// 7.12). A table that is cut off gives those before the cut.
func OEMStrings(table []byte) []string {
	var out []string
	for len(table) >= 4 {
		kind, length := table[0], int(table[1])
		if length < 4 || length > len(table) {
			return out
		}
		strings, rest := unformed(table[length:])
		if kind == typeOEM && length > 4 {
			out = append(out, strings[:min(int(table[4]), len(strings))]...)
		}
		if kind == typeEnd {
			return out
		}
		table = rest
	}
	return out
}

// unformed reads the strings behind a structure's fixed part: each ends with a
// NUL and the last with two; none at all are two NULs (6.1.3).
func unformed(b []byte) (list []string, rest []byte) {
	if bytes.HasPrefix(b, []byte{0, 0}) {
		return nil, b[2:]
	}
	for {
		s, after, ok := bytes.Cut(b, []byte{0})
		if !ok || len(s) == 0 {
			return list, after
		}
		list = append(list, string(s))
		b = after
	}
}
