package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// Key is the way to a value of the configuration, as people write it:
// testudo.console.autologin, users[0].shell, testudo.services.variables.PORT.
// A step is a key, or "[3]" for an element of a list.
type Key struct {
	Steps []string
	// of is the type of the value, nil below types with a grammar of their
	// own, where only reading the whole can tell.
	of reflect.Type
}

// ParseKey reads a key and checks that there is such a one. Where names are
// free and may hold dots, as those of testudo.sysctl, the rest of the text is
// the name; any step may be put in double quotes.
func ParseKey(text string) (Key, error) {
	k := Key{of: reflect.TypeFor[Config]()}
	if text == "" {
		return k, fmt.Errorf("key: want one such as hostname")
	}
	for rest := text; rest != ""; {
		var step string
		var err error
		if step, rest, err = k.cut(rest); err != nil {
			return k, fmt.Errorf("key %q: %w", text, err)
		}
		if k.of, err = k.below(step); err != nil {
			return k, fmt.Errorf("key %q: %w", text, err)
		}
		k.Steps = append(k.Steps, step)
	}
	return k, nil
}

// cut takes the next step off a key.
func (k Key) cut(text string) (step, rest string, err error) {
	switch {
	case text[0] == '[':
		end := strings.IndexByte(text, ']')
		if end < 0 {
			return "", "", fmt.Errorf("[ without ]")
		}
		if _, err := strconv.ParseUint(text[1:end], 10, 16); err != nil {
			return "", "", fmt.Errorf("want the number of an element in [], 0 for the first")
		}
		step, rest = text[:end+1], text[end+1:]
	case text[0] == '"':
		end := strings.IndexByte(text[1:], '"')
		if end < 0 {
			return "", "", fmt.Errorf("a quote is not closed")
		}
		step, rest = text[1:end+1], text[end+2:]
	case k.namesAreFree():
		return text, "", nil
	default:
		if end := strings.IndexAny(text, ".["); end >= 0 {
			step, rest = text[:end], text[end:]
		} else {
			step = text
		}
	}
	if strings.HasPrefix(rest, ".") {
		if rest = rest[1:]; rest == "" {
			return "", "", fmt.Errorf("nothing behind the last dot")
		}
	} else if rest != "" && rest[0] != '[' {
		return "", "", fmt.Errorf("want a dot before %q", rest)
	}
	if step == "" {
		return "", "", fmt.Errorf("nothing before a dot")
	}
	return step, rest, nil
}

// namesAreFree says whether any text may come next, as in a map of texts.
func (k Key) namesAreFree() bool {
	t := pointed(k.of)
	return t != nil && t.Kind() == reflect.Map && t.Elem().Kind() != reflect.Struct && t.Elem().Kind() != reflect.Pointer
}

// below gives the type one step down.
func (k Key) below(step string) (reflect.Type, error) {
	t := pointed(k.of)
	if t == nil {
		return nil, nil
	}
	element := strings.HasPrefix(step, "[")
	switch {
	case t.Kind() == reflect.Struct && !element:
		next, ok := fieldOf(t, step)
		if !ok {
			return nil, k.unknown(step, t)
		}
		return opaque(next), nil
	case t.Kind() == reflect.Slice && element, t.Kind() == reflect.Map && !element:
		return opaque(t.Elem()), nil
	case t.Kind() == reflect.Slice:
		return nil, fmt.Errorf("%s is a list: want [0] for its first element", strings.Join(k.Steps, "."))
	case element:
		return nil, fmt.Errorf("%s is no list", strings.Join(k.Steps, "."))
	}
	return nil, fmt.Errorf("there is no key below %s", strings.Join(k.Steps, "."))
}

// unknown names the nearest key, also one that is under testudo.
func (k Key) unknown(step string, t reflect.Type) error {
	known := strictyaml.Fields(reflect.New(t).Interface())
	if len(k.Steps) == 0 {
		ours := strictyaml.Fields(Testudo{})
		if near := strictyaml.Nearest(step, ours); near != "" && strictyaml.Nearest(step, known) == "" {
			return fmt.Errorf("unknown key %q (did you mean %q?)", step, "testudo."+near)
		}
	}
	return fmt.Errorf("unknown key %q%s", step, strictyaml.Suggest(step, known))
}

func pointed(t reflect.Type) reflect.Type {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// opaque gives nil for a type with a grammar of its own, unless it is a
// mapping with keys besides.
func opaque(t reflect.Type) reflect.Type {
	p := pointed(t)
	if p == reflect.TypeFor[yaml.Node]() {
		return nil
	}
	if p.Kind() != reflect.Struct && p.Kind() != reflect.String && p.Kind() != reflect.Int &&
		reflect.PointerTo(p).Implements(reflect.TypeFor[strictyaml.Unmarshaler]()) {
		return nil
	}
	return t
}

// String is the key as ParseKey reads it.
func (k Key) String() string { return Finding{Path: k.Steps}.path() }

// node reads a value that is meant for this key.
func (k Key) node(value string) (*yaml.Node, error) {
	if k.of == nil {
		return parseValue(value)
	}
	n, err := valueOf(k.of, value)
	if err != nil {
		return nil, err
	}
	if n.Kind == yaml.ScalarNode {
		n.Style = 0 // quoted only where it must be
	}
	if n.Kind == yaml.SequenceNode && !strings.HasPrefix(strings.TrimSpace(value), "[") {
		n.Style = yaml.FlowStyle
		for _, e := range n.Content {
			e.Style = 0
		}
	}
	return n, nil
}
