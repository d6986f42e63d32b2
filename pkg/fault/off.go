//go:build !faults

package fault

// Point is a moment of that name.
func Point(string) {}
