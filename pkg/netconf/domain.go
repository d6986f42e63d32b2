package netconf

import (
	"slices"
	"strings"

	"github.com/testudo-os/testudo/pkg/netplan"
)

// validDomain reports whether name may go into files that other programs
// read line by line. Names come from whoever answers first on the wire.
func validDomain(name string) bool { return netplan.ValidDomain(name) }

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
