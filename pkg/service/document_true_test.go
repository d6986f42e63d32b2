package service

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

var update = flag.Bool("update", false, "write the made parts of docs/service-files.md anew")

func TestEveryKeyIsExplained(t *testing.T) {
	known := map[string]bool{}
	for _, key := range strictyaml.Fields(serviceYAML{}) {
		known[key] = true
		if keyTexts[key] == "" {
			t.Errorf("keyTexts does not explain %s", key)
		}
	}
	for key := range keyTexts {
		if !known[key] {
			t.Errorf("keyTexts explains %s, which is no key", key)
		}
	}
}

func TestTheDocumentIsTrue(t *testing.T) {
	const file = "../../docs/service-files.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var keys, refused strings.Builder
	keys.WriteString("| key | |\n|---|---|\n")
	for _, key := range strictyaml.Fields(serviceYAML{}) {
		fmt.Fprintf(&keys, "| `%s` | %s |\n", key, keyTexts[key])
	}
	refused.WriteString("| key | why, and what to do instead |\n|---|---|\n")
	for _, table := range []struct {
		prefix  string
		reasons map[string]string
	}{{"top level: ", topRefusals}, {"", serviceRefusals}, {"deploy.", deployRefusals}} {
		for _, key := range sortedKeys(table.reasons) {
			fmt.Fprintf(&refused, "| `%s` | %s |\n", table.prefix+key, table.reasons[key])
		}
	}
	want := between(t, between(t, string(text), "<!-- keys", keys.String()), "<!-- refused", strings.ReplaceAll(refused.String(), "`top level: ", "top-level `"))
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(text) {
		t.Errorf("%s is not what the types say: run go test ./pkg/service -run TestTheDocumentIsTrue -update", file)
	}
}

// between replaces what stands between the comment that begins with begin and
// the next end.
func between(t *testing.T, text, begin, made string) string {
	t.Helper()
	before, rest, ok := strings.Cut(text, begin)
	comment, rest, ok2 := strings.Cut(rest, "-->\n")
	_, after, ok3 := strings.Cut(rest, "<!-- end -->")
	if !ok || !ok2 || !ok3 {
		t.Fatalf("the document lacks the comments around %s", begin)
	}
	return before + begin + comment + "-->\n" + made + "<!-- end -->" + after
}

// Examples in the document are files that work.
func TestTheDocumentsExamplesAreValid(t *testing.T) {
	text, err := os.ReadFile("../../docs/service-files.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := 0
	for i, part := range strings.Split(string(text), "```") {
		body, yaml := strings.CutPrefix(part, "yaml\n")
		if i%2 == 0 || !yaml || strings.Contains(body, "#cloud-config") {
			continue
		}
		examples++
		builtIn := Source{Dir: Dir{Path: "/sys", FS: os.DirFS("../../services")}}
		set := Load(Options{}, builtIn, files("/user", map[string]string{"x.yaml": body}))
		if len(set.Problems) > 0 {
			t.Errorf("%s\n%v", body, set.Problems)
		}
	}
	if examples < 3 {
		t.Errorf("found %d examples", examples)
	}
}
