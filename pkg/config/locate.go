package config

import "strings"

// Finding is a value that has the right type and is impossible all the same.
// A step of Path is a key, or "[3]" for an element of a list.
type Finding struct {
	Path    []string
	Message string
}

func (f Finding) path() string {
	return strings.ReplaceAll(strings.Join(f.Path, "."), ".[", "[")
}

// Error says where and what, for findings that have no file.
func (f Finding) Error() string { return f.path() + ": " + f.Message }
