package strictyaml

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is one finding. Line and Column count from 1.
type Error struct {
	File         string
	Line, Column int
	Path         string // services.web.ports[2]; "" at the top of the document
	Message      string // what was found and what is wanted
}

// Error renders the finding as file:line:column: path: message.
func (e Error) Error() string {
	if e.File == "" {
		return e.Message // of no place in a text
	}
	if e.Path == "" {
		return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s: %s", e.File, e.Line, e.Column, e.Path, e.Message)
}

// Errors holds the findings of one file in the order of the text.
type Errors []Error

// Error renders one finding a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i := range e {
		lines[i] = e[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As reach the single findings.
func (e Errors) Unwrap() []error {
	out := make([]error, len(e))
	for i := range e {
		out[i] = e[i]
	}
	return out
}

// Sort puts the findings in the order of the text and drops repeated ones
// (an alias may lead to the same mistake many times).
func (e Errors) Sort() Errors {
	slices.SortStableFunc(e, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.CompactFunc(e, func(a, b Error) bool {
		return a.File == b.File && a.Line == b.Line && a.Column == b.Column && a.Message == b.Message
	})
}
