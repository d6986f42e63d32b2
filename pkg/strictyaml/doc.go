// Package strictyaml decodes YAML into Go structs and refuses whatever it does
// not understand: unknown and duplicate keys, wrong types, second documents.
// It reports all that is wrong at once, each finding with file, line, column
// and the path of keys that leads to it, so that a person mends a file in one
// go. Anchors, aliases and merge keys work; what they may expand to is bounded.
//
// It never guesses a type, never reads a file and never logs. Whoever reads
// YAML written by people may import it; it imports gopkg.in/yaml.v3 alone,
// which is small, has no init cost and is the parser Compose itself relies on.
//
// Struct fields are named by the tag `yaml:"name"`; without a tag the name is
// the field's in lower case; `yaml:"-"` is left out. `yaml:",inline"` on a
// struct takes its fields in; on a map[string]T it collects the keys that no
// field has. Absent keys leave a field as it was, which makes defaults easy.
// Types with a grammar of their own implement Unmarshaler (or
// encoding.TextUnmarshaler).
package strictyaml
