package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

func corpus(t *testing.T, kind string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", kind, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	out := map[string]string{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(f)] = string(text)
	}
	return out
}

func TestCloudInitsFormsAreTaken(t *testing.T) {
	for name, text := range corpus(t, "good") {
		t.Run(name, func(t *testing.T) {
			c, err := Parse(name, []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			// What is merged, exported and read again is the same.
			merged := Merge(c)
			if _, err := Parse("merged", yamlOf(t, merged)); err != nil {
				t.Errorf("the merged one: %v\n%s", err, yamlOf(t, merged))
			}
			again, err := Parse("again", yamlOf(t, c))
			if err != nil {
				t.Fatalf("%v\n%s", err, yamlOf(t, c))
			}
			if changed := Changed(c, again); len(changed) > 0 {
				t.Errorf("read again %q differ:\n%s\n%s", changed, yamlOf(t, c), yamlOf(t, again))
			}
		})
	}
}

func yamlOf(t *testing.T, c *Config) []byte {
	t.Helper()
	text, err := YAML(mustJSON(t, c))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestKeysThatMeanNothingHereAreNoted(t *testing.T) {
	c, err := Parse("f.yaml", []byte(corpus(t, "good")["machine.yaml"]))
	if err != nil {
		t.Fatal(err)
	}
	all := ""
	for _, n := range c.Notes {
		all += n.String() + "\n"
	}
	for _, want := range []string{"f.yaml:6:1: create_hostname_file: has no effect", ": packages: has no effect: there are no packages; run programs in containers", ": apt: ", ": snap: ", ": yum_repos: ", ": ntp.ntp_client: ", ": ntp.allow: ", ": locale: "} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing in\n%s", want, all)
		}
	}
}

func TestBrokenConfigurationsAreRefusedWithPlaceAndReason(t *testing.T) {
	for name, text := range corpus(t, "bad") {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(name, []byte(text))
			var findings strictyaml.Errors
			if !errors.As(err, &findings) || len(findings) == 0 {
				t.Fatalf("got %v", err)
			}
			for _, f := range findings {
				if f.File != name || f.Line < 1 || f.Column < 1 || f.Message == "" {
					t.Errorf("no place or no reason: %+v", f)
				}
			}
			_, want, _ := strings.Cut(text, "# want: ")
			if want = strings.TrimSpace(want); !strings.Contains(err.Error(), want) {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			for _, secret := range []string{"hunter2", "geheim"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("a secret is repeated: %v", err)
				}
			}
		})
	}
}

func TestAllMistakesAreToldAtOnce(t *testing.T) {
	_, err := Parse("f", []byte(corpus(t, "bad")["everything-at-once.yaml"]))
	for _, want := range []string{"f:2:1: hostnam", "f:3:16: users[0].name", "f:3:20: users[1]", "f:4:17: ntp.servers[0]", "f:5:11: timezone"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in\n%v", want, err)
		}
	}
}

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
	if err := c.AddResource("config.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("config.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
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

// What the parser takes the schema takes; what the schema refuses so does the
// parser.
func checkAgainstSchema(t *testing.T, s *jsonschema.Schema, text string) {
	t.Helper()
	var value any
	if strictyaml.Decode("f", []byte(text), &value) != nil || value == nil {
		return
	}
	_, parsed := Parse("f", []byte(text))
	if refused := s.Validate(jsonValue(value)); refused != nil && parsed == nil {
		t.Errorf("the parser takes what the schema refuses: %v\n%s", refused, text)
	}
}

func TestTheSchemaAgreesWithTheParser(t *testing.T) {
	s := compiledSchema(t)
	for _, kind := range []string{"good", "bad"} {
		for _, text := range corpus(t, kind) {
			checkAgainstSchema(t, s, text)
		}
	}
	// And it does refuse: keys that nobody knows, and wrong types.
	for _, name := range []string{"unknown-key.yaml", "unknown-key-of-ours.yaml", "key-of-a-user.yaml", "wrong-type.yaml", "pwauth.yaml", "mount-fields.yaml"} {
		var value any
		if err := strictyaml.Decode(name, []byte(corpus(t, "bad")[name]), &value); err != nil {
			t.Fatal(err)
		}
		if s.Validate(jsonValue(value)) == nil {
			t.Errorf("%s: the schema takes it", name)
		}
	}
}

func FuzzSchema(f *testing.F) {
	for _, kind := range []string{"good", "bad"} {
		files, _ := filepath.Glob(filepath.Join("testdata", kind, "*.yaml"))
		for _, name := range files {
			if text, err := os.ReadFile(name); err == nil {
				f.Add(string(text))
			}
		}
	}
	var compiled *jsonschema.Schema
	f.Fuzz(func(t *testing.T, text string) {
		if compiled == nil {
			compiled = compiledSchema(t)
		}
		checkAgainstSchema(t, compiled, text)
	})
}
