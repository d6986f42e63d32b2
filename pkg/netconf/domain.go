package netconf

import (
	"slices"
	"strings"
)

// validDomain reports whether name may go into files that other programs
// read line by line. Names come from whoever answers first on the wire.
func validDomain(name string) bool {
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") {
			return false
		}
		for _, c := range []byte(label) {
			if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
	}
	return true
}

// domains keeps the valid names, each once, in their order.
func domains(names []string) []string {
	var out []string
	for _, name := range names {
		name = strings.TrimSuffix(name, ".")
		if validDomain(name) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
