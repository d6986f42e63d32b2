// Package conform checks answers of the API against its OpenAPI document, for
// tests: of the handlers, and of machines that run.
package conform

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/testudo-os/testudo/pkg/api"
)

type object = map[string]any

// Operation is a route as the document has it.
type Operation struct{ Method, Path string }

// Operations lists what the document describes, but for those whose answer is
// the connection itself.
func Operations() ([]Operation, error) {
	doc, err := document()
	if err != nil {
		return nil, err
	}
	var all []Operation
	paths, _ := doc["paths"].(object)
	for path, item := range paths {
		methods, _ := item.(object)
		for method, description := range methods {
			operation, _ := description.(object)
			if responses, _ := operation["responses"].(object); responses["101"] != nil {
				continue
			}
			all = append(all, Operation{strings.ToUpper(method), path})
		}
	}
	return all, nil
}

// Check says in what an answer differs from what the document says of it: each
// of its JSON values, if it is a stream.
func Check(o Operation, answer []byte) error {
	schema, err := compile(o)
	if err != nil {
		return err
	}
	lines := [][]byte{answer}
	if o.streams() {
		lines = bytes.Split(bytes.TrimSpace(answer), []byte{'\n'})
	}
	for _, line := range lines {
		if o.streams() && len(line) == 0 {
			continue // a stream of nothing
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err == nil {
			err = schema.Validate(value)
		}
		if err != nil {
			return fmt.Errorf("%s %s: %w", o.Method, o.Path, err)
		}
	}
	return nil
}

func document() (object, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(api.OpenAPI))
	if err != nil {
		return nil, fmt.Errorf("openapi.json: %w", err)
	}
	top, ok := doc.(object)
	if !ok {
		return nil, errors.New("openapi.json is no object")
	}
	return top, nil
}

// pointer escapes a part of a JSON pointer in a URL (RFC 6901).
var pointer = strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D")

const jsonLines = "application/jsonl"

func (o Operation) at(kind string) string {
	return fmt.Sprintf("openapi.json#/paths/%s/%s/responses/200/content/%s/schema", pointer.Replace(o.Path), strings.ToLower(o.Method), pointer.Replace(kind))
}

func (o Operation) streams() bool {
	_, err := o.schema(jsonLines)
	return err == nil
}

func compile(o Operation) (*jsonschema.Schema, error) {
	schema, err := o.schema("application/json")
	if err != nil {
		return o.schema(jsonLines)
	}
	return schema, nil
}

func (o Operation) schema(kind string) (*jsonschema.Schema, error) {
	doc, err := document()
	if err != nil {
		return nil, err
	}
	closeSchemas(doc)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("openapi.json", doc); err != nil {
		return nil, fmt.Errorf("openapi.json: %w", err)
	}
	schema, err := compiler.Compile(o.at(kind))
	if err != nil {
		return nil, fmt.Errorf("openapi.json: %s %s: %w", o.Method, o.Path, err)
	}
	return schema, nil
}

// closeSchemas allows no keys but those described: clients are to let unknown
// ones pass, a test is to find what the document lacks.
func closeSchemas(doc object) {
	components, _ := doc["components"].(object)
	schemas, _ := components["schemas"].(object)
	for _, s := range schemas {
		if schema, ok := s.(object); ok {
			schema["additionalProperties"] = false
		}
	}
}
