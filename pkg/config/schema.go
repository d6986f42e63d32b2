package config

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// schema is a JSON Schema, draft 2020-12.
type schema = map[string]any

// schemer is a type with a grammar of its own: whatever has an UnmarshalStrict
// says here what it takes. Schema fails on one that does not.
type schemer interface{ schema(g *schemaMaker) schema }

// Schema is the JSON Schema of configuration files, made of the types that read
// them. It says which keys there are and what forms their values have; what
// values are possible is for reading to tell (`ros config validate`).
func Schema() ([]byte, error) {
	g := &schemaMaker{}
	top := g.object(reflect.TypeFor[Config]())
	top["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	top["title"] = "Testudo configuration"
	top["description"] = "#cloud-config: cloud-init's keys with their meaning, and Testudo's under testudo."
	properties := top["properties"].(schema)
	for key, message := range foreign {
		properties[key] = schema{"description": "Has no effect: " + message, "deprecated": true}
	}
	properties["resolv_conf"].(schema)["properties"].(schema)["sortlist"] = schema{"deprecated": true}
	properties["ca-certs"] = properties["ca_certs"]
	if len(g.missing) > 0 {
		return nil, errors.New("no schema for " + strings.Join(g.missing, ", "))
	}
	data, err := json.MarshalIndent(top, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("make the schema of the configuration: %w", err)
	}
	return append(data, '\n'), nil
}

type schemaMaker struct{ missing []string }

func anyOf(all ...schema) schema { return schema{"anyOf": all} }

func oneOf(words ...any) schema { return schema{"enum": words} }

func listOf(s schema) schema { return schema{"type": "array", "items": s} }

// scalar is a text that takes any scalar as it stands.
var (
	scalar  = schema{"type": []string{"string", "number", "boolean"}}
	anyText = schema{"type": "string"}
	noValue = schema{"type": "null"}
)

func (g *schemaMaker) of(t reflect.Type) schema {
	if s, ok := reflect.New(t).Interface().(schemer); ok {
		return s.schema(g)
	}
	switch {
	case t == reflect.TypeFor[strictyaml.Text]():
		return scalar
	case t == reflect.TypeFor[time.Duration]():
		return anyText
	case t.PkgPath() != "" && t.PkgPath() != reflect.TypeFor[Config]().PkgPath() && grammar(t):
		return schema{} // another package's: only reading can tell
	case t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(reflect.TypeFor[strictyaml.Unmarshaler]()):
		g.missing = append(g.missing, t.String())
		return schema{}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return anyOf(g.of(t.Elem()), noValue)
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.String:
		return anyText
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return schema{"type": "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return schema{"type": "integer", "minimum": 0}
	case reflect.Float32, reflect.Float64:
		return schema{"type": "number"}
	case reflect.Slice:
		return schema{"type": []string{"array", "null"}, "items": g.of(t.Elem())}
	case reflect.Map:
		return schema{"type": []string{"object", "null"}, "additionalProperties": g.of(t.Elem())}
	case reflect.Struct:
		return g.object(t)
	case reflect.Interface:
		return schema{}
	}
	g.missing = append(g.missing, t.String())
	return schema{}
}

// grammar says whether values of a type are read by the type itself.
func grammar(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[strictyaml.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// object is a struct's schema: its keys, and no others.
func (g *schemaMaker) object(t reflect.Type) schema {
	properties := schema{}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case !f.IsExported() || name == "-" || name == "":
		case f.Type == reflect.TypeFor[yaml.Node]():
			properties[name] = schema{}
		default:
			properties[name] = g.of(f.Type)
		}
	}
	return schema{"type": []string{"object", "null"}, "properties": properties, "additionalProperties": false}
}

// user is a user's object, with the keys that mean nothing and the spellings
// with hyphens.
func (g *schemaMaker) user() schema {
	s := g.object(reflect.TypeFor[plainUser]())
	properties := s["properties"].(schema)
	for key := range foreignOfUser {
		properties[key] = schema{"deprecated": true}
	}
	for _, key := range slices.Collect(maps.Keys(properties)) {
		if strings.Contains(key, "_") {
			properties[strings.ReplaceAll(key, "_", "-")] = properties[key]
		}
	}
	return s
}

func (*User) schema(g *schemaMaker) schema { return anyOf(oneOf("default"), g.user()) }

func (*DefaultUserChange) schema(g *schemaMaker) schema { return anyOf(anyText, g.user()) }

func (*NTP) schema(g *schemaMaker) schema {
	type plain NTP
	s := g.object(reflect.TypeFor[plain]())
	for key := range foreignOfNTP {
		s["properties"].(schema)[key] = schema{"deprecated": true}
	}
	return s
}

func (*CACerts) schema(g *schemaMaker) schema {
	type plain CACerts
	s := g.object(reflect.TypeFor[plain]())
	s["properties"].(schema)["remove-defaults"] = schema{"type": "boolean"}
	return s
}

func (*Secret) schema(*schemaMaker) schema { return scalar }

func (*Mode) schema(*schemaMaker) schema {
	return anyOf(schema{"type": "integer", "minimum": 0}, schema{"type": "string", "pattern": `^(0o)?[0-7]{1,8}$`})
}

func (*UID) schema(*schemaMaker) schema {
	return anyOf(schema{"type": "integer", "minimum": 0}, schema{"type": "string", "pattern": `^[0-9]+$`})
}

func (*Number) schema(*schemaMaker) schema {
	return anyOf(schema{"type": "integer", "minimum": 0}, schema{"type": "string", "pattern": `^[0-9]{1,9}$`})
}

func words() schema { return anyOf(anyText, listOf(anyText), noValue) }

func (*WordList) schema(*schemaMaker) schema { return words() }

func (*WordsOrLine) schema(*schemaMaker) schema { return anyOf(scalar, listOf(anyText), noValue) }

func (*Sudo) schema(*schemaMaker) schema { return anyOf(words(), oneOf(false)) }

func (*Command) schema(*schemaMaker) schema {
	return anyOf(scalar, schema{"type": "array", "items": scalar, "minItems": 1})
}

func (*Declarations) schema(*schemaMaker) schema {
	services := schema{"type": []string{"object", "null"}}
	return anyOf(services, listOf(services))
}

func (*Groups) schema(*schemaMaker) schema {
	byName := schema{"type": "object", "additionalProperties": words()}
	return anyOf(anyText, byName, listOf(anyOf(anyText, byName)), noValue)
}

func (*PasswordList) schema(g *schemaMaker) schema {
	return anyOf(scalar, listOf(scalar), listOf(g.of(reflect.TypeFor[Password]())), noValue)
}

func (*Pwauth) schema(*schemaMaker) schema { return oneOf(true, false, "true", "false", "unchanged") }

func (*ManageHosts) schema(*schemaMaker) schema {
	return oneOf(true, false, "true", "false", "localhost", "template")
}

func (*ResizeRootfs) schema(*schemaMaker) schema {
	return oneOf(true, false, "true", "false", "noblock")
}

func (*Module) schema(*schemaMaker) schema { return anyText }

func (*MountEntry) schema(*schemaMaker) schema {
	return anyOf(schema{"type": "array", "minItems": 1, "maxItems": mountFields, "items": anyOf(scalar, noValue)}, noValue)
}

func (*ByteSize) schema(*schemaMaker) schema {
	return anyOf(schema{"type": "number", "minimum": 0}, schema{"type": "string", "pattern": `^(auto|\s*[0-9.]+\s*([kKmMgGtT]i?)?[bB]?\s*)$`})
}

func (*PostKeys) schema(*schemaMaker) schema { return anyOf(oneOf("all"), listOf(anyText)) }

func (*Delay) schema(*schemaMaker) schema {
	return anyOf(schema{"type": "integer", "minimum": 0}, schema{"type": "string", "pattern": `^(now|\+?[0-9]{1,6})$`})
}

func (*Condition) schema(g *schemaMaker) schema { return g.of(reflect.TypeFor[Command]()) }
