package service

import "fmt"

// Place is where something stands. It prints, and is JSON, as file:line:column.
type Place struct {
	File         string
	Line, Column int
}

func (p Place) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

// Row is the place without the column: what a listing has room for.
func (p Place) Row() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

// MarshalText makes places texts in JSON.
func (p Place) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
