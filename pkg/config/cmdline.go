package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/cmdline"
	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/strictyaml"
)

const prefix = "testudo."

// ofInit are arguments that init itself reads and no file can set.
var ofInit = []string{layout.ArgBreak, layout.ArgWatchdog}

// Refused explains keys that init reads before there is any file.
func (*Testudo) Refused(key string) string {
	if slices.Contains(ofInit, prefix+key) {
		return "works on the kernel command line only: it is read before any file"
	}
	return ""
}

// ParseCmdline reads the testudo.* arguments of a kernel command line: the
// keys under `testudo:`, and those of cloud-config proper (testudo.hostname=).
// Values are YAML; where a list is wanted, one value is a list of one and
// repeating the argument adds to it. An argument that is wrong is left out and
// reported; the others count.
func ParseCmdline(line string) (*Config, []error) {
	cfg := &Config{}
	var problems []error
	for _, arg := range cmdline.Parse(line) {
		if !strings.HasPrefix(arg.Key, prefix) || slices.Contains(ofInit, arg.Key) {
			continue
		}
		if err := argument(cfg, arg.Key, arg.Value); err != nil {
			problems = append(problems, fmt.Errorf("kernel argument %s: %w", arg.Key, err))
		}
	}
	return cfg, problems
}

// argument lays one argument over cfg.
func argument(cfg *Config, key, value string) error {
	document, err := documentOf(strings.Split(strings.TrimPrefix(key, prefix), "."), value)
	if err != nil {
		return err
	}
	one, err := parse("kernel command line", document, false)
	var findings strictyaml.Errors
	if errors.As(err, &findings) {
		// Lines and columns of a document that nobody wrote say nothing.
		messages := make([]string, len(findings))
		for i, f := range findings {
			messages[i] = f.Message
		}
		return errors.New(strings.Join(messages, "; "))
	}
	if err != nil {
		return err
	}
	merged := Merge(cfg, one)
	appendLists(reflect.ValueOf(merged).Elem(), reflect.ValueOf(cfg).Elem(), reflect.ValueOf(one).Elem())
	*cfg = *merged
	return nil
}

// documentOf writes the YAML document that sets one key.
func documentOf(steps []string, value string) ([]byte, error) {
	t := reflect.TypeFor[Config]()
	// A key that both have, such as network, is ours where the rest fits.
	if _, top := fieldOf(t, steps[0]); !top || reaches(reflect.TypeFor[Testudo](), steps) {
		steps = append([]string{"testudo"}, steps...)
	}
	for i, step := range steps {
		next, ok := fieldOf(t, step)
		if !ok {
			var known []string
			if t.Kind() == reflect.Struct {
				known = strictyaml.Fields(reflect.New(t).Interface())
			}
			if i == 1 && steps[0] == "testudo" {
				known = append(known, strictyaml.Fields(Config{})...)
			}
			return nil, fmt.Errorf("unknown key %q%s", step, strictyaml.Suggest(step, known))
		}
		t = next
	}
	node, err := valueOf(t, value)
	if err != nil {
		return nil, err
	}
	for _, step := range slices.Backward(steps) {
		node = &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: step}, node}}
	}
	return yaml.Marshal(node)
}

func reaches(t reflect.Type, steps []string) bool {
	for _, step := range steps {
		next, ok := fieldOf(t, step)
		if !ok {
			return false
		}
		t = next
	}
	return true
}

// fieldOf gives the type of the field that a key of t decodes into.
func fieldOf(t reflect.Type, key string) (reflect.Type, bool) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil, false
	}
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); name == key && name != "-" {
			return f.Type, true
		}
	}
	return nil, false
}

// valueOf reads value for a field of type t.
func valueOf(t reflect.Type, value string) (*yaml.Node, error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	text := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: value}
	switch {
	case t.Kind() == reflect.String:
		return text, nil
	case t.Kind() == reflect.Bool && value == "":
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"}, nil // testudo.x alone says yes
	case t.Kind() == reflect.Slice && !strings.HasPrefix(strings.TrimSpace(value), "["):
		element := text
		if t.Elem().Kind() == reflect.Struct && strings.HasPrefix(strings.TrimSpace(value), "{") {
			var err error
			if element, err = parseValue(value); err != nil {
				return nil, err
			}
		}
		return &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{element}}, nil
	}
	return parseValue(value)
}

func parseValue(value string) (*yaml.Node, error) {
	docs, err := strictyaml.Parse("", []byte(value))
	if err != nil || len(docs) != 1 {
		return nil, errors.New("the value is not YAML") // and is not repeated: it may be a secret
	}
	return strictyaml.Resolve(docs[0].Content[0]), nil
}

// appendLists makes lists that Merge replaces add up: between the arguments of
// one command line, repeating is adding.
func appendLists(out, first, second reflect.Value) {
	for i := range out.NumField() {
		o, a, b := out.Field(i), first.Field(i), second.Field(i)
		switch {
		case o.Kind() == reflect.Struct:
			appendLists(o, a, b)
		case o.Kind() == reflect.Slice && o.Type().Elem().Kind() == reflect.String && b.Len() > 0:
			o.Set(reflect.ValueOf(union(a.Convert(reflect.TypeFor[[]string]()).Interface().([]string),
				b.Convert(reflect.TypeFor[[]string]()).Interface().([]string))).Convert(o.Type()))
		}
	}
}
