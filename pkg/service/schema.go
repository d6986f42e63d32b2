package service

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
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

// Schema is the JSON Schema of service files, made of the types that read
// them. It says which keys there are and what forms their values have; what
// keys mean to one another only reading can tell (`ros service validate`).
func Schema() ([]byte, error) {
	g := &schemaMaker{}
	top := g.object(reflect.TypeFor[topLevel]())
	top["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	top["title"] = "Testudo service file"
	top["description"] = "Services of Testudo, in the names and meanings of the Compose Specification; x-ros holds what Compose lacks."
	top["patternProperties"] = schema{"^x-": true}
	properties := top["properties"].(schema)
	for _, kind := range []string{"configs", "secrets"} {
		properties[kind] = schema{"type": []string{"object", "null"}, "additionalProperties": g.of(reflect.TypeFor[objectYAML]())}
	}
	for _, kind := range []string{"volumes", "networks"} {
		properties[kind] = schema{"type": []string{"object", "null"}}
	}
	// A file that is of scope user as a whole holds other services than one
	// that is not.
	said := func(scope string) schema {
		return schema{"required": []string{"x-ros"}, "properties": schema{"x-ros": schema{"type": "object", "required": []string{"scope"},
			"properties": schema{"scope": schema{"const": scope}}}}}
	}
	services := func(of schema) schema {
		return schema{"properties": schema{"services": schema{"type": []string{"object", "null"},
			"propertyNames": schema{"pattern": serviceName.String()}, "additionalProperties": of}}}
	}
	user, system := schema{"$ref": "#/$defs/userService"}, schema{"$ref": "#/$defs/service"}
	implied := anyOf(said(ScopeUser), schema{"not": said(ScopeSystem), "anyOf": []schema{
		{"required": []string{"ports"}}, {"required": []string{"networks"}},
		{"required": []string{"volumes"}, "properties": schema{"volumes": schema{"contains": anyOf(
			schema{"type": "string", "pattern": `^[^./~:][^:]*:`},
			schema{"type": "object", "required": []string{"type"}, "properties": schema{"type": schema{"const": "volume"}}})}}},
	}})
	top["if"] = said(ScopeUser)
	top["then"] = services(schema{"if": said(ScopeSystem), "then": system, "else": user})
	top["else"] = services(schema{"if": implied, "then": user, "else": system})
	properties["services"] = schema{}
	service := g.object(reflect.TypeFor[serviceYAML]())
	service["patternProperties"] = schema{"^x-": true}
	for key, property := range service["properties"].(schema) {
		if text := keyTexts[key]; text != "" {
			property.(schema)["description"] = text
		}
	}
	top["$defs"] = schema{
		"service":     service,
		"userService": userSchema(g),
		"variable":    schema{"type": "string", "pattern": `\$`, "description": "a value with ${VARIABLES} in it"},
	}
	if len(g.missing) > 0 {
		return nil, errors.New("no schema for " + strings.Join(g.missing, ", "))
	}
	data, err := json.MarshalIndent(top, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("make the schema of service files: %w", err)
	}
	return append(data, '\n'), nil
}

// userSchema is a service of scope user: docker compose knows what its keys
// mean, and here are their names.
func userSchema(g *schemaMaker) schema {
	properties := schema{"x-ros": g.object(reflect.TypeFor[userYAML]()), "image": schema{"type": "string"}}
	for _, key := range userKeys() {
		if _, said := properties[key]; !said {
			properties[key] = schema{}
		}
	}
	return schema{"type": "object", "properties": properties, "patternProperties": schema{"^x-": true}, "additionalProperties": false}
}

type schemaMaker struct{ missing []string }

var variableRef = schema{"$ref": "#/$defs/variable"}

// orVariable is for values that are no text: a variable may stand for one.
func orVariable(s schema) schema { return schema{"anyOf": []schema{s, variableRef}} }

func anyOf(all ...schema) schema { return schema{"anyOf": all} }

var null = schema{"type": "null"}

func listOf(s schema) schema { return schema{"type": "array", "items": s} }

func oneOf(list ...string) schema { return orVariable(schema{"enum": list}) }

func pattern(p string) schema { return orVariable(schema{"type": "string", "pattern": p}) }

func number(least, most int64) schema {
	return orVariable(schema{"type": "integer", "minimum": least, "maximum": most})
}

// scalar is a text that takes any scalar as it stands.
var scalar = schema{"type": []string{"string", "number", "boolean"}}

func (g *schemaMaker) of(t reflect.Type) schema {
	if s, ok := reflect.New(t).Interface().(schemer); ok {
		return s.schema(g)
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[strictyaml.Unmarshaler]()) && t != reflect.TypeFor[strictyaml.Text]() {
		g.missing = append(g.missing, t.String())
		return schema{}
	}
	switch {
	case t == reflect.TypeFor[strictyaml.Text]():
		return schema{"type": []string{"string", "number", "boolean"}}
	case t == reflect.TypeFor[time.Duration]():
		return timeSchema()
	}
	switch t.Kind() {
	case reflect.Pointer:
		return g.of(t.Elem())
	case reflect.Bool:
		return orVariable(schema{"type": "boolean"})
	case reflect.String:
		return schema{"type": "string"}
	case reflect.Int, reflect.Int64:
		return orVariable(schema{"type": "integer"})
	case reflect.Uint16, reflect.Uint, reflect.Uint64:
		return orVariable(schema{"type": "integer", "minimum": 0})
	case reflect.Float64:
		return orVariable(schema{"type": "number"})
	case reflect.Slice:
		return schema{"type": []string{"array", "null"}, "items": g.of(t.Elem())}
	case reflect.Map:
		return schema{"type": []string{"object", "null"}, "additionalProperties": g.of(t.Elem())}
	case reflect.Struct:
		return g.object(t)
	}
	g.missing = append(g.missing, t.String())
	return schema{}
}

// object is a struct's schema: its keys, and no others.
func (g *schemaMaker) object(t reflect.Type) schema {
	properties := schema{}
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case options == "inline":
			maps.Copy(properties, g.object(f.Type)["properties"].(schema))
		case !f.IsExported() || name == "-":
		case f.Type == reflect.TypeFor[servicePairs]() || f.Type == reflect.TypeFor[yaml.Node]():
			properties[name] = schema{} // Schema says more of it
		default:
			properties[name] = g.of(f.Type)
		}
	}
	return schema{"type": []string{"object", "null"}, "properties": properties, "additionalProperties": false}
}

// timePattern is what time.ParseDuration takes, less the minus.
const timePattern = `^\+?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`

func timeSchema() schema {
	return anyOf(schema{"type": "string", "pattern": timePattern}, schema{"enum": []any{0, "0"}}, variableRef)
}

func (*commandLine) schema(*schemaMaker) schema {
	return anyOf(schema{"type": "string"}, listOf(scalar), null)
}

func (*stringMap) schema(*schemaMaker) schema { return keyValueSchema(true) }

func (*environment) schema(*schemaMaker) schema { return keyValueSchema(false) }

func keyValueSchema(alone bool) schema {
	value, element := scalar, schema{"type": "string"}
	if alone {
		value = schema{"type": []string{"string", "number", "boolean", "null"}}
	} else {
		element["pattern"] = "="
	}
	return anyOf(schema{"type": "object", "additionalProperties": value}, listOf(element), null)
}

func (*envFiles) schema(*schemaMaker) schema {
	long := schema{"type": "object", "additionalProperties": false, "required": []string{"path"},
		"properties": schema{"path": schema{"type": "string"}, "required": orVariable(schema{"type": "boolean"})}}
	one := anyOf(schema{"type": "string"}, long)
	return anyOf(schema{"type": "string"}, long, listOf(one))
}

func (*restartPolicy) schema(*schemaMaker) schema {
	return anyOf(schema{"type": "string", "pattern": `^(no|always|unless-stopped|on-failure(:[1-9][0-9]*)?)$`}, schema{"const": false}, variableRef)
}

func (*dependencies) schema(g *schemaMaker) schema {
	return anyOf(listOf(schema{"type": "string"}), schema{"type": "object", "additionalProperties": g.of(reflect.TypeFor[dependencyYAML]())}, null)
}

func (*condition) schema(*schemaMaker) schema {
	return oneOf(string(Started), string(ReadyCondition), string(Healthy), string(CompletedSuccessfully))
}

func (*healthTest) schema(*schemaMaker) schema {
	return anyOf(schema{"type": "string"}, listOf(schema{"type": "string"}))
}

func (*duration) schema(*schemaMaker) schema { return timeSchema() }

func (*readyYAML) schema(*schemaMaker) schema {
	return oneOf(string(ReadyStarted), string(ReadyHealthy), string(ReadyNotify), string(ReadyExit))
}

func (*scope) schema(*schemaMaker) schema { return oneOf(ScopeSystem, ScopeUser) }

func (*oomScore) schema(*schemaMaker) schema { return number(-1000, 1000) }

func (*cpus) schema(*schemaMaker) schema {
	return anyOf(schema{"type": "number", "minimum": 0, "maximum": 8192}, schema{"type": "string", "pattern": `^[0-9.]+$`}, variableRef)
}

func (*volumes) schema(g *schemaMaker) schema {
	return anyOf(listOf(anyOf(schema{"type": "string", "pattern": ":"}, g.object(reflect.TypeFor[volumeYAML]()))), null)
}

func (*volumeType) schema(*schemaMaker) schema { return oneOf("bind", "tmpfs") }

func (*propagation) schema(*schemaMaker) schema { return oneOf(propagations...) }

func (*bindDepth) schema(*schemaMaker) schema { return oneOf("enabled", "disabled") }

func (*fileMode) schema(*schemaMaker) schema {
	return anyOf(schema{"type": "integer"}, schema{"type": "string", "pattern": `^(0o)?[0-7]+$`}, variableRef)
}

func (*tmpfsList) schema(*schemaMaker) schema {
	return anyOf(schema{"type": "string"}, listOf(schema{"type": "string"}), null)
}

func (*networkMode) schema(*schemaMaker) schema { return oneOf("host", "none") }

func (*hostOrNone) schema(*schemaMaker) schema { return oneOf("host", "private", "") }

func (*capabilities) schema(*schemaMaker) schema {
	return anyOf(listOf(pattern(`^[A-Za-z_]+$`)), null)
}

func (*deviceYAML) schema(*schemaMaker) schema {
	text := schema{"type": "string"}
	return anyOf(text, schema{"type": "object", "required": []string{"source"}, "additionalProperties": false,
		"properties": schema{"source": text, "target": text, "permissions": text}})
}

func (*deviceRule) schema(*schemaMaker) schema { return pattern(deviceRuleForm.String()) }

func (*securityOpts) schema(*schemaMaker) schema {
	return anyOf(listOf(pattern(`^(no-new-privileges([:=](true|false))?|seccomp[:=]unconfined)$`)), null)
}

func (*ulimits) schema(g *schemaMaker) schema {
	return schema{"type": []string{"object", "null"}, "propertyNames": schema{"enum": ulimitNames},
		"additionalProperties": g.of(reflect.TypeFor[limit]())}
}

func (*limit) schema(*schemaMaker) schema {
	one := orVariable(schema{"type": "integer", "minimum": -1})
	return anyOf(one, schema{"type": "object", "additionalProperties": false, "properties": schema{"soft": one, "hard": one}})
}

func sizeSchema(least int) schema {
	return anyOf(schema{"type": "integer", "minimum": least}, schema{"type": "number", "minimum": 0},
		schema{"type": "string", "pattern": `^\s*[0-9]+(\.[0-9]+)?\s*([bB]|[kKmMgGtT]([iI]?[bB])?)?\s*$`}, variableRef)
}

func (*byteSize) schema(*schemaMaker) schema { return sizeSchema(0) }

func (*swapLimit) schema(*schemaMaker) schema {
	return anyOf(sizeSchema(-1), schema{"const": "-1"})
}

func (*signalName) schema(*schemaMaker) schema {
	var names []string
	for _, name := range signalNames {
		names = append(names, name, strings.ToLower(name), name[3:], strings.ToLower(name[3:]))
	}
	return anyOf(schema{"type": "integer", "minimum": 1, "maximum": 64}, schema{"enum": names},
		schema{"type": "string", "pattern": `^((SIG)?RTMIN\+[0-9]+|[0-9]+)$`}, variableRef)
}

func (*hostname) schema(*schemaMaker) schema { return pattern(hostnameForm.String()) }

func (*cpuShares) schema(*schemaMaker) schema { return number(leastShares, mostShares) }

func (*cpuPeriod) schema(*schemaMaker) schema { return number(leastPeriod, mostPeriod) }

func (*cpuQuota) schema(*schemaMaker) schema { return number(leastQuota, mostQuota) }

func (*cpuset) schema(*schemaMaker) schema {
	return anyOf(schema{"type": "integer", "minimum": 0}, schema{"type": "string", "pattern": cpusetPattern}, variableRef)
}

func (*absolutePath) schema(*schemaMaker) schema { return pattern("^/") }

func (*grants) schema(g *schemaMaker) schema {
	return anyOf(listOf(anyOf(schema{"type": "string"}, g.object(reflect.TypeFor[grantYAML]()))), null)
}

// sizeText is a size where any text may stand.
var sizeText = schema{"type": []string{"string", "integer"}}

func (*logging) schema(*schemaMaker) schema {
	return schema{"type": []string{"object", "null"}, "additionalProperties": false,
		"properties": schema{"driver": oneOf("local", "json-file"), "options": anyOf(
			schema{"type": []string{"object", "null"}, "additionalProperties": false, "properties": schema{"max-size": sizeText, "max-file": scalar}},
			listOf(schema{"type": "string", "pattern": "^max-(size|file)="}))}}
}

func (*extendsYAML) schema(*schemaMaker) schema {
	text := schema{"type": "string"}
	return anyOf(text, schema{"type": "object", "required": []string{"service"}, "additionalProperties": false,
		"properties": schema{"service": text, "file": text}})
}

func (*probeURL) schema(*schemaMaker) schema { return pattern(`^http://`) }

func (*probeAddress) schema(*schemaMaker) schema { return pattern(`:[0-9]+$`) }

func (*scheduleYAML) schema(g *schemaMaker) schema {
	type mapping scheduleYAML // its keys, and not this method
	return anyOf(g.of(reflect.TypeFor[cronLine]()), g.object(reflect.TypeFor[mapping]()))
}

// The fields of crontab(5) have too many forms to say them here.
func (*cronLine) schema(*schemaMaker) schema { return schema{"type": "string"} }

func (*missed) schema(*schemaMaker) schema { return oneOf("skip", "once") }
