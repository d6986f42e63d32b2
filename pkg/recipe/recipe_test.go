package recipe

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestARecipeIsReadInFull(t *testing.T) {
	r, err := Parse("image.yaml", []byte(`
name: web
base: base
packages: [a, b]
only: {a: [/usr/bin/a]}
programs:
  - {package: ./cmd/x, path: /usr/bin/x, tags: [t]}
directories:
  - {path: /tmp, mode: 1777}
  - {path: /var, mode: 0o755, uid: 3}
modes: {/etc/sudoers: "0440"}
symlinks: {/bin: usr/bin}
config: {entrypoint: [/usr/bin/x], stop_signal: SIGINT}
`))
	if err != nil {
		t.Fatal(err)
	}
	if r.Kind != Image || r.Only["a"][0] != "/usr/bin/a" || r.Programs[0].Tags[0] != "t" || r.Directories[0].Mode != 0o1777 ||
		r.Directories[1].Mode != 0o755 || r.Modes["/etc/sudoers"] != 0o440 || r.Config.StopSignal != "SIGINT" {
		t.Errorf("read as %+v", r)
	}
}

func TestMistakesAreFound(t *testing.T) {
	for text, want := range map[string]string{
		"name: a\npakages: [b]":                      "packages",
		"name: A":                                    "not a name",
		"name: a\nkind: disk":                        "kind",
		"name: a\npackages: [b, b]":                  "twice",
		"name: a\nonly: {b: [/x]}":                   "not in packages",
		"name: a\nprograms: [{path: /x}]":            "package is missing",
		"name: a\nprograms: [{package: p, path: x}]": "absolute",
		"name: a\nprograms: [{package: p, path: /x, module: ../../m}]": "leaves",
		"name: a\nprograms: [{package: p, path: /x, static: [s]}]":     "cgo",
		"name: a\ndirectories: [{path: /x/../y}]":                      "clean",
		"name: a\ndirectories: [{path: /x, mode: 888}]":                "octal",
		"name: a\nsetuid: [x]":                                         "setuid",
		"name: a\nsymlinks: {x: y}":                                    "symlinks",
		"name: a\nusers: [{name: 'a:b'}]":                              "colon",
		"name: a\ngroups: [{gid: 1}]":                                  "groups",
		"name: a\napplets: {of: busybox, dir: /usr/bin}":               "applets.of",
		"name: a\nconcatenate: [{path: x, from: [/y]}]":                "concatenate.path",
		"name: a\nmodes: {x: 1}\nexpand: [y]":                          "expand",
		"name: [a]":                                                    "name",
	} {
		_, err := Parse("image.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "image.yaml") {
			t.Errorf("%q: got %v, want the file and %q", text, err, want)
		}
	}
}

func set(bases map[string]string) Set {
	s := Set{}
	for name, base := range bases {
		s[name] = &Recipe{Name: name, Base: base}
	}
	return s
}

func TestBasesComeFirstAndOnce(t *testing.T) {
	order, err := set(map[string]string{"a": "z", "b": "z", "z": "", "other": ""}).Order("b", "a")
	var names []string
	for _, r := range order {
		names = append(names, r.Name)
	}
	if got := strings.Join(names, " "); err != nil || got != "z a b" {
		t.Errorf("the order is %s, %v", got, err)
	}
}

func TestBasesThatAreMissingOrGoInCirclesAreErrors(t *testing.T) {
	for want, s := range map[string]Set{
		"no base":      set(map[string]string{"a": "b"}),
		"its own base": set(map[string]string{"a": "b", "b": "a"}),
	} {
		if _, err := s.Order(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err := set(nil).Order("x"); err == nil {
		t.Error("a recipe that is not there was ordered")
	}
}

func TestEveryMistakeOfEveryFileIsReported(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{"a": "name: a\nx: 1", "b": "name: c", "c": "name: c\ny: 1"} {
		if err := os.Mkdir(filepath.Join(root, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name, "image.yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, err := LoadAll(root)
	for _, want := range []string{"a/image.yaml", "b/image.yaml", "c/image.yaml"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is missing in: %v", want, err)
		}
	}
}

// TestTheShippedRecipesAreValid reads what this repository ships.
func TestTheShippedRecipesAreValid(t *testing.T) {
	s, err := LoadAll("../../system-images")
	if err != nil {
		t.Fatal(err)
	}
	if s["system"] == nil || s["system"].Kind != Tree {
		t.Error("there is no tree named system")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("name: a\nprograms: [{package: p, path: /x}]")
	f.Add("name: a\nmodes: {/x: 0o17}")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse("f", []byte(text))
		if err == nil && !nameRE.MatchString(r.Name) {
			t.Errorf("%q was taken with the name %q", text, r.Name)
		}
	})
}
