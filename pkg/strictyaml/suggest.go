package strictyaml

import (
	"fmt"
	"slices"
	"strings"
)

// listAtMost is how many known keys a message lists when none is near.
const listAtMost = 12

// Suggest ends a message about an unknown word: ` (did you mean "x"?)`, or the
// known words when they are few, or nothing.
func Suggest(word string, known []string) string {
	if near := Nearest(word, known); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	if len(known) > 0 && len(known) <= listAtMost {
		sorted := slices.Sorted(slices.Values(known))
		return " (known: " + strings.Join(sorted, ", ") + ")"
	}
	return ""
}

// Nearest gives the known word that a person most likely meant, or "".
func Nearest(word string, known []string) string {
	best, bestDistance := "", 1+max(1, len(word)/3)
	for _, k := range slices.Sorted(slices.Values(known)) {
		d := distance(fold(word), fold(k))
		if d < bestDistance && d < len(k) {
			best, bestDistance = k, d
		}
	}
	return best
}

// fold makes words that differ in case and dashes alone equal.
func fold(s string) string {
	return strings.NewReplacer("-", "_", " ", "_").Replace(strings.ToLower(s))
}

// distance is the number of letters to insert, drop, replace or swap with the
// next one (optimal string alignment).
func distance(a, b string) int {
	if d := len(a) - len(b); d > 8 || d < -8 || len(a) > 64 {
		return 64 // far enough; keeps hostile keys cheap
	}
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
