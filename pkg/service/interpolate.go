package service

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// resolveVariables replaces the variables in all values below n, which has no
// aliases. Keys are left as they are.
func resolveVariables(file string, n *yaml.Node, lookup Lookup, path string) (findings strictyaml.Errors) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 1; i < len(n.Content); i += 2 {
			findings = append(findings, resolveVariables(file, n.Content[i], lookup, path+"."+n.Content[i-1].Value)...)
		}
	case yaml.SequenceNode:
		for i, c := range n.Content {
			findings = append(findings, resolveVariables(file, c, lookup, fmt.Sprintf("%s[%d]", path, i))...)
		}
	case yaml.ScalarNode:
		text, err := Interpolate(n.Value, lookup)
		if err != nil {
			return strictyaml.Errors{{File: file, Line: n.Line, Column: n.Column, Path: path, Message: err.Error()}}
		}
		if text != n.Value {
			n.Value = text
			if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0 && !isMergeTag(n.Tag) {
				n.Tag = "" // its type is that of the new text
			}
		}
	}
	return findings
}

// maxInterpolated bounds a value: defaults may hold variables, and so grow.
const maxInterpolated = 64 << 10

// Interpolate replaces $VAR and ${VAR} with their values. ${VAR:-x} stands for
// x when VAR is empty or not set, ${VAR:?x} is an error x then, ${VAR:+x}
// stands for x when it is neither; without the colon empty counts as set. $$
// is a dollar. Unlike Compose, which warns, a variable that is not set is an
// error.
func Interpolate(s string, lookup Lookup) (string, error) {
	return interpolate(s, lookup, 0)
}

func interpolate(s string, lookup Lookup, depth int) (string, error) {
	if depth > 10 {
		return "", fmt.Errorf("${...} nested more than 10 deep")
	}
	var out strings.Builder
	for {
		at := strings.IndexByte(s, '$')
		if at < 0 || at+1 == len(s) {
			if at >= 0 {
				return "", fmt.Errorf("a single $ stands at the end; write $$ for a dollar")
			}
			out.WriteString(s)
			if out.Len() > maxInterpolated {
				return "", fmt.Errorf("longer than %d bytes with its variables replaced", maxInterpolated)
			}
			return out.String(), nil
		}
		out.WriteString(s[:at])
		s = s[at+1:]
		switch {
		case s[0] == '$':
			out.WriteByte('$')
			s = s[1:]
		case s[0] == '{':
			end := closing(s)
			if end < 0 {
				return "", fmt.Errorf("${ is opened and not closed; write $$ for a dollar")
			}
			value, err := expand(s[1:end], lookup, depth)
			if err != nil {
				return "", err
			}
			out.WriteString(value)
			s = s[end+1:]
		default:
			name := variable(s)
			if name == "" {
				return "", fmt.Errorf("found $%c, want a variable; write $$ for a dollar", []rune(s)[0])
			}
			value, err := expand(name, lookup, depth)
			if err != nil {
				return "", err
			}
			out.WriteString(value)
			s = s[len(name):]
		}
	}
}

// closing finds the brace that closes the one s begins with.
func closing(s string) int {
	open := 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '{' && (i == 0 || s[i-1] == '$'):
			open++
		case s[i] == '}':
			if open--; open == 0 {
				return i
			}
		}
	}
	return -1
}

// variable gives the name that s begins with.
func variable(s string) string {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return s[:i]
		}
	}
	return s
}

// expand gives what stands for the inside of ${...}.
func expand(inside string, lookup Lookup, depth int) (string, error) {
	name := variable(inside)
	if name == "" {
		return "", fmt.Errorf("found ${%s}, want the name of a variable", inside)
	}
	value, set := "", false
	if lookup != nil {
		value, set = lookup(name)
	}
	operator := inside[len(name):]
	if operator == "" {
		if !set {
			return "", fmt.Errorf("the variable %s is not set (${%s:-} is empty then)", name, name)
		}
		return value, nil
	}
	there := set
	if strings.HasPrefix(operator, ":") {
		operator = operator[1:]
		there = set && value != ""
	}
	if operator == "" {
		return "", fmt.Errorf("found ${%s}, want -, ? or + after the colon", inside)
	}
	word := operator[1:]
	switch operator[0] {
	case '-':
		if there {
			return value, nil
		}
		return interpolate(word, lookup, depth+1)
	case '+':
		if !there {
			return "", nil
		}
		return interpolate(word, lookup, depth+1)
	case '?':
		if there {
			return value, nil
		}
		text, err := interpolate(word, lookup, depth+1)
		if err != nil || text == "" {
			text = "is not set"
		}
		return "", fmt.Errorf("the variable %s: %s", name, text)
	}
	return "", fmt.Errorf("found ${%s}, want ${%s}, ${%s:-default}, ${%s:?error} or ${%s:+other}", inside, name, name, name, name)
}
