package service

import (
	"errors"
	"maps"
	"slices"
	"strings"
)

// SplitCommand splits a command as Compose does: into words as a shell would,
// with quotes and backslashes, and without expanding anything.
func SplitCommand(line string) ([]string, error) {
	words := []string{}
	var word strings.Builder
	inWord := false
	quote := byte(0)
	escaped := false
	for i := range len(line) { // bytes: all that has a meaning is ASCII
		c := line[i]
		switch {
		case escaped:
			// Between double quotes only these lose their meaning.
			if quote == '"' && strings.IndexByte("\"\\$`\n", c) < 0 {
				word.WriteByte('\\')
			}
			if c != '\n' {
				word.WriteByte(c)
			}
			escaped = false
		case c == '\\' && quote != '\'':
			escaped, inWord = true, true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteByte(c)
		case c == '\'' || c == '"':
			quote, inWord = c, true
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	switch {
	case quote != 0:
		return nil, errors.New("a quote is opened and not closed")
	case escaped:
		return nil, errors.New("a backslash stands at the end")
	case inWord:
		words = append(words, word.String())
	}
	return words, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
