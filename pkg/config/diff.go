package config

import (
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"
)

// Diff is the difference of two configurations in their exported form, a
// unified diff. Of secrets it says that they differ, not how.
func Diff(fromName, toName string, from, to *Config) (string, error) {
	a, err := from.Export()
	if err != nil {
		return "", err
	}
	b, err := to.Export()
	if err != nil {
		return "", err
	}
	var out strings.Builder
	out.WriteString(udiff.Unified(fromName, toName, string(a), string(b)))
	shown := Changed(from.Redacted(), to.Redacted())
	for _, key := range Changed(from, to) {
		if !slices.Contains(shown, key) {
			out.WriteString("# " + key + ": a secret in it differs\n")
		}
	}
	return out.String(), nil
}
