package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write openapi.json")

type object = map[string]any

// document describes routes as OpenAPI 3.1.
type document struct {
	schemas  object
	comments map[string]string // by TYPE or TYPE.FIELD
}

func (d *document) build(routes []route) object {
	d.schemas = object{}
	failure := object{"description": "It was not done; the body says why.", "content": object{"application/json": object{"schema": d.schema(reflect.TypeFor[Error]())}}}
	paths := object{}
	for _, r := range routes {
		path, ok := paths[r.path].(object)
		if !ok {
			path = object{}
			paths[r.path] = path
		}
		path[strings.ToLower(r.method)] = d.operation(r, failure)
	}
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Testudo", "version": "1",
			"description": "What rosd answers on the socket /run/testudo/api.sock, to root and to members of the group sudo. `ros` speaks nothing else.",
			"license":     object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"servers":    []any{object{"url": "http://rosd", "description": "The host is of no meaning on a unix socket."}},
		"paths":      paths,
		"components": object{"schemas": d.schemas},
	}
}

func (d *document) operation(r route, failure object) object {
	op := object{"operationId": r.id, "summary": r.summary}
	var parameters []any
	for _, name := range regexp.MustCompile(`{(\w+)}`).FindAllStringSubmatch(r.path, -1) {
		parameters = append(parameters, object{"name": name[1], "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	for _, p := range r.query {
		schema := object{"type": p.kind}
		if p.format != "" {
			schema["format"] = p.format
		}
		if p.repeats {
			schema = object{"type": "array", "items": schema}
		}
		parameters = append(parameters, object{"name": p.name, "in": "query", "description": p.summary, "schema": schema})
	}
	if parameters != nil {
		op["parameters"] = parameters
	}
	if r.body != nil {
		op["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": d.schema(reflect.TypeOf(r.body))}}}
		// What is sent must be known; what is answered may grow.
		d.schemas[reflect.TypeOf(r.body).Name()].(object)["additionalProperties"] = false
	}
	kind, answer := "application/json", object{"type": "object"}
	if r.answer != nil {
		answer = d.schema(reflect.TypeOf(r.answer))
	}
	description := "It is done."
	if r.stream {
		kind, description = "application/jsonl", "One JSON value a line."
	}
	op["responses"] = object{
		"200":     object{"description": description, "content": object{kind: object{"schema": answer}}},
		"default": failure,
	}
	if r.upgrade != "" {
		op["responses"] = object{
			"101":     object{"description": "The program runs; the connection carries frames of the protocol " + r.upgrade + "."},
			"default": failure,
		}
	}
	return op
}

func (d *document) schema(t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[json.RawMessage]():
		return object{}
	case t == reflect.TypeFor[State]():
		return object{"type": "string", "enum": d.states()}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return d.schema(t.Elem())
	case reflect.Slice:
		return object{"type": "array", "items": d.schema(t.Elem())}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Int:
		return object{"type": "integer"}
	case reflect.Int64:
		return object{"type": "integer", "format": "int64"}
	case reflect.Struct:
		d.define(t)
		return object{"$ref": "#/components/schemas/" + t.Name()}
	}
	panic("no schema for " + t.String())
}

// define describes a struct once.
func (d *document) define(t reflect.Type) {
	if d.schemas[t.Name()] != nil {
		return
	}
	properties, required := object{}, []any{}
	schema := object{"type": "object", "properties": properties, "description": d.comments[t.Name()]}
	d.schemas[t.Name()] = schema
	for i := range t.NumField() {
		field := t.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		property := d.schema(field.Type)
		if text := d.comments[t.Name()+"."+field.Name]; text != "" {
			property["description"] = text
		}
		properties[name] = property
		if options == "" {
			required = append(required, name)
		}
	}
	if len(required) > 0 {
		schema["required"] = required
	}
}

// states are the constants of type State, from the source.
func (d *document) states() []any {
	var out []any
	for _, s := range strings.Fields(d.comments["State constants"]) {
		out = append(out, s)
	}
	return out
}

// readComments takes descriptions from the source: it is where they are kept
// true.
func readComments(t *testing.T, file string) map[string]string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	flat := func(g *ast.CommentGroup) string { return strings.Join(strings.Fields(g.Text()), " ") }
	comments := map[string]string{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GenDecl:
			for _, spec := range n.Specs {
				if named, ok := spec.(*ast.TypeSpec); ok {
					comments[named.Name.Name] = flat(n.Doc)
					if s, ok := named.Type.(*ast.StructType); ok {
						for _, field := range s.Fields.List {
							comments[named.Name.Name+"."+field.Names[0].Name] = flat(field.Comment)
						}
					}
				}
				if value, ok := spec.(*ast.ValueSpec); ok && fmt.Sprint(value.Type) == "State" {
					comments["State constants"] += " " + strings.Trim(value.Values[0].(*ast.BasicLit).Value, `"`)
				}
			}
		}
		return true
	})
	return comments
}

func TestTheOpenAPIDocumentIsThatOfTheHandlers(t *testing.T) {
	d := document{comments: readComments(t, "types.go")}
	got, err := json.MarshalIndent(d.build(routes()), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile("openapi.json", got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(got, OpenAPI) {
		t.Error("openapi.json is not what the routes and types say; if they are right: go test ./pkg/api -run OpenAPI -update")
	}
}

func TestEveryRouteSaysWhatItIs(t *testing.T) {
	ids := map[string]bool{}
	for _, r := range routes() {
		if ids[r.id] || r.id == "" {
			t.Errorf("%s %s: operation id %q", r.method, r.path, r.id)
		}
		ids[r.id] = true
		if !strings.HasSuffix(r.summary, ".") || (r.do == nil) == (r.flow == nil) != (r.upgrade != "") || r.stream != (r.flow != nil) {
			t.Errorf("%s %s is not whole: %+v", r.method, r.path, r)
		}
		for _, p := range r.query {
			if !strings.HasSuffix(p.summary, ".") {
				t.Errorf("%s %s: parameter %s: %q", r.method, r.path, p.name, p.summary)
			}
		}
	}
}
