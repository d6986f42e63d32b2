package service

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("services.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("services.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// againstSchema is what an editor would find. ok is false for text that no
// schema can be asked about.
func againstSchema(s *jsonschema.Schema, text string) (err error, ok bool) {
	var value any
	if strictyaml.Decode("f", []byte(text), &value) != nil {
		return nil, false
	}
	return s.Validate(jsonValue(value)), true
}

// jsonValue is how YAML's numbers look in JSON.
func jsonValue(v any) any {
	switch v := v.(type) {
	case int:
		return float64(v)
	case map[string]any:
		for key := range v {
			v[key] = jsonValue(v[key])
		}
	case []any:
		for i := range v {
			v[i] = jsonValue(v[i])
		}
	}
	return v
}

const aService = "services:\n  a:\n    image: i\n"

func TestTheSchemaTakesWhatTheParserTakes(t *testing.T) {
	s := compiledSchema(t)
	corpus := map[string]string{"configs": "configs: {x: {file: /x}}\nsecrets:\nx-a: 5\nversion: '3'\nservices: {a: {image: i, configs: [x, {source: x, target: /y}]}}\n", "nothing": "services:\n",
		"user":                 "volumes: {data: {}}\nservices: {a: {image: i, ports: ['80:80'], volumes: ['data:/d'], networks: [x]}, b: {image: j, mem_limit: 5m}}\n",
		"a file of scope user": "x-ros: {scope: user}\nservices: {a: {image: i, dns: x}, b: {image: j, x-ros: {scope: system}, mem_limit: 5m}}\n"}
	for body := range goodBodies() {
		corpus[body] = aService + indent(body)
	}
	files, err := filepath.Glob("../../services/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		corpus[file] = string(text)
	}
	for name, text := range corpus {
		if err, ok := againstSchema(s, text); err != nil || !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheSchemaRefusesKeysTheParserRefuses(t *testing.T) {
	s := compiledSchema(t)
	refused := 0
	for body, why := range badBodies() {
		err, ok := againstSchema(s, aService+indent(body))
		if !ok || err != nil {
			refused++
			continue
		}
		if strings.Contains(why, "unknown key") || strings.Contains(why, "not supported") || strings.Contains(why, "did you mean") && !strings.Contains(body, "[") && body != "x-rso: {}" {
			t.Errorf("%s passes the schema; the parser says %s", body, why)
		}
	}
	t.Logf("the schema finds %d of %d mistakes", refused, len(badBodies()))
	for _, key := range composeKeys {
		if serviceRefusals[key] == "" {
			continue
		}
		if err, _ := againstSchema(s, aService+"    x-ros: {scope: system}\n    "+key+": x\n"); err == nil {
			t.Errorf("%s passes the schema", key)
		}
	}
	for _, text := range []string{"servces: {}\n", "services: {a: {image: i}}\nmodels: {}\n", "services: {'../a': {image: i}}\n", "services: {a: x}\n",
		"x-ros: {scope: user}\nservices: {a: {image: i, prts: 5}}\n", "services: {a: {image: i, ports: [1], build: .}}\n"} {
		if err, _ := againstSchema(s, text); err == nil {
			t.Errorf("%s passes the schema", text)
		}
	}
}
