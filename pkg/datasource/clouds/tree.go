package clouds

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"gopkg.in/yaml.v3"
)

// tree is metadata as clouds give them: JSON whose shape nobody promises.
// Reading what is not there, or is of another kind, gives nothing.
type tree struct{ value any }

// parseJSON reads one JSON value. Numbers stay as they are written: instance
// ids have more digits than a float.
func parseJSON(what string, body []byte) (tree, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var t tree
	if err := d.Decode(&t.value); err != nil {
		return tree{}, fmt.Errorf("%s is not JSON: %w", what, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return tree{}, fmt.Errorf("%s is not JSON: more than one value", what)
	}
	return t, nil
}

// parseObject is parseJSON for what must be an object.
func parseObject(what string, body []byte) (tree, error) {
	t, err := parseJSON(what, body)
	if err == nil && !t.isObject() {
		err = fmt.Errorf("%s is not a JSON object", what)
	}
	return t, err
}

// maxYAML bounds YAML from outside: aliases of aliases are yaml.v3's to bound.
const maxYAML = 1 << 20

// parseYAML reads one YAML document that must be a mapping, or empty.
func parseYAML(what string, body []byte) (tree, error) {
	if len(body) > maxYAML {
		return tree{}, fmt.Errorf("%s is larger than %d bytes", what, maxYAML)
	}
	var value map[string]any
	if err := yaml.Unmarshal(body, &value); err != nil {
		return tree{}, fmt.Errorf("%s is not YAML: %s", what, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	return tree{value}, nil
}

func (t tree) isObject() bool { _, ok := t.value.(map[string]any); return ok }

// at follows keys down.
func (t tree) at(keys ...string) tree {
	for _, k := range keys {
		m, ok := t.value.(map[string]any)
		if !ok {
			return tree{}
		}
		t = tree{m[k]}
	}
	return t
}

// text is a text, a number or a truth value as text.
func (t tree) text(keys ...string) string {
	switch v := t.at(keys...).value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool, int, int64, uint64, float64:
		return fmt.Sprint(v)
	}
	return ""
}

// list is a list, or a single value as a list of one.
func (t tree) list(keys ...string) []tree {
	switch v := t.at(keys...).value.(type) {
	case nil:
		return nil
	case []any:
		out := make([]tree, len(v))
		for i := range v {
			out[i] = tree{v[i]}
		}
		return out
	default:
		return []tree{{v}}
	}
}

// keys are a mapping's, in no order that counts.
func (t tree) keys() []string {
	m, ok := t.value.(map[string]any)
	if !ok {
		return nil
	}
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	return out
}

// lines are the lines of a text, or of each text of a list, without empty ones.
func (t tree) lines(keys ...string) []string {
	var out []string
	for _, item := range t.list(keys...) {
		for line := range strings.Lines(item.text()) {
			if line = strings.TrimSpace(line); line != "" {
				out = append(out, line)
			}
		}
	}
	return out
}

// raw is the whole as JSON, or nothing where JSON cannot hold it.
func (t tree) raw() json.RawMessage {
	if m, ok := t.value.(map[string]any); !ok || len(m) == 0 {
		return nil
	}
	text, err := json.Marshal(t.value)
	if err != nil {
		return nil
	}
	return text
}

// decodeBase64 takes base64 with or without line breaks and padding.
func decodeBase64(what, s string) ([]byte, error) {
	clean := strings.Map(func(r rune) rune {
		if r == ' ' || r == '\n' || r == '\r' || r == '\t' || r == '=' {
			return -1
		}
		return r
	}, s)
	out, err := base64.RawStdEncoding.DecodeString(clean)
	if err != nil {
		return nil, fmt.Errorf("%s is not base64", what)
	}
	return out, nil
}
