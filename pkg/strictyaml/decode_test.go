package strictyaml

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

type common struct {
	Labels map[string]string `yaml:"labels"`
}

type web struct {
	Image   string        `yaml:"image"`
	Ports   []int         `yaml:"ports"`
	Small   int8          `yaml:"small"`
	Weight  float64       `yaml:"weight"`
	On      bool          `yaml:"on"`
	Grace   time.Duration `yaml:"grace"`
	Mode    Text          `yaml:"mode"`
	Addr    netip.Addr    `yaml:"addr"`
	Next    *web          `yaml:"next"`
	Pair    pair          `yaml:"pair"`
	Any     any           `yaml:"any"`
	Raw     yaml.Node     `yaml:"raw"`
	Count   uint          `yaml:"count"`
	Hidden  string        `yaml:"-"`
	Default string
	Common  common `yaml:",inline"`
}

// pair reads "a=b" or [a, b].
type pair struct{ A, B string }

func (p *pair) UnmarshalStrict(d *Decoder, n *yaml.Node) {
	if n.Kind == yaml.SequenceNode {
		var both []string
		if d.Decode(n, &both) && len(both) == 2 {
			p.A, p.B = both[0], both[1]
		}
		return
	}
	var ok bool
	if p.A, p.B, ok = strings.Cut(n.Value, "="); !ok {
		d.Wrong(n, "a=b")
	}
}

func TestGoodTextIsDecoded(t *testing.T) {
	type top struct {
		Web   *web            `yaml:"web"`
		Other map[string]*web `yaml:"other"`
		Rest  map[string]int  `yaml:",inline"`
	}
	got := top{Web: &web{Default: "kept"}}
	err := Decode("f.yaml", []byte(`
x-base: &base
  image: a
  ports: [1, 0x10]
x-empty: &empty {}
web:
  <<: *base
  image: b
  small: -5
  weight: 2
  on: true
  grace: 1m30s
  mode: 0644
  addr: 10.0.0.1
  pair: [x, y]
  labels: {7: "seven", k: v}
  any: {a: [1, true, x, null, 2020-01-01]}
  raw: {free: form}
  count: 7
  next:
other:
  one: {<<: [{image: first}, *base], pair: p=q}
  two: *empty
seven: 7
`), &got, ExtensionsAtTop())
	if err != nil {
		t.Fatal(err)
	}
	w := got.Web
	if w.Raw.Kind != yaml.MappingNode {
		t.Errorf("raw node: got kind %d", w.Raw.Kind)
	}
	w.Raw = yaml.Node{}
	want := &web{Image: "b", Ports: []int{1, 16}, Small: -5, Weight: 2, On: true, Grace: 90 * time.Second, Mode: "0644",
		Addr: netip.MustParseAddr("10.0.0.1"), Pair: pair{"x", "y"}, Default: "kept", Count: 7,
		Common: common{Labels: map[string]string{"7": "seven", "k": "v"}},
		Any:    map[string]any{"a": []any{1, true, "x", nil, "2020-01-01"}}}
	if !reflect.DeepEqual(w, want) {
		t.Errorf("got  %+v\nwant %+v", w, want)
	}
	if one := got.Other["one"]; one.Image != "first" || len(one.Ports) != 2 || one.Pair != (pair{"p", "q"}) {
		t.Errorf("merged list: got %+v", one)
	}
	if got.Rest["seven"] != 7 || len(got.Rest) != 1 {
		t.Errorf("inline map: got %v", got.Rest)
	}
}

func TestWrongTextIsRefusedWithPlaceAndReason(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"an unknown key names the nearest":      {"imgae: a\n", `f.yaml:1:1: imgae: unknown key (did you mean "image"?)`},
		"x- keys are unknown unless allowed":    {"x-a: 1\n", `f.yaml:1:1: x-a: unknown key`},
		"a key twice":                           {"image: a\nimage: b\n", "f.yaml:2:1: image: key stands here a second time, first in line 1"},
		"a number for a text":                   {"image: 5\n", "f.yaml:1:8: image: found the number 5, want a text (put it in quotes)"},
		"a list for a text":                     {"image: []\n", "f.yaml:1:8: image: found a list, want a text"},
		"nothing for a text":                    {"image:\n", "found nothing, want a text"},
		"a text for a number":                   {"ports: [1, x]\n", `f.yaml:1:12: ports[1]: found the text "x", want a whole number`},
		"a number too large":                    {"small: 300\n", "f.yaml:1:8: small: found the number 300, which is too large or too small here"},
		"a negative count":                      {"count: -1\n", "count: found the number -1, which is too large or too small here"},
		"yes for true":                          {"on: yes\n", `on: found the text "yes", want true (YAML 1.2`},
		"a text for a boolean":                  {"on: maybe\n", `want true or false`},
		"a number without unit for a time":      {"grace: 5\n", "grace: found the number 5, want a time with units such as 1m30s"},
		"a bad address":                         {"addr: 1.2.3\n", `f.yaml:1:7: addr: found the text "1.2.3": ParseAddr`},
		"a text for a mapping":                  {"next: hello\n", `next: found the text "hello", want a mapping`},
		"a type with its own grammar":           {"pair: ab\n", `f.yaml:1:7: pair: found the text "ab", want a=b`},
		"inside a list of its own grammar":      {"pair: [a, 1]\n", "pair[1]: found the number 1, want a text"},
		"deep paths":                            {"next:\n  next:\n    ports: 1\n", "f.yaml:3:12: next.next.ports: found the number 1, want a list"},
		"a second document":                     {"image: a\n---\nimage: b\n", "f.yaml:2:1: a second document begins here, one is wanted"},
		"a list at the top":                     {"- a\n", "f.yaml:1:1: found a list, want a mapping"},
		"an unknown tag":                        {"image: !foo x\n", "a value with the tag !foo"},
		"a merge of a text":                     {"<<: hello\n", `found the text "hello" after <<`},
		"a mapping as a key":                    {"{a: b}: c\n", "found a mapping as a key, want a word"},
		"an alias without anchor":               {"image: a\nnext: *nope\n", "f.yaml:2:7: alias *nope has no anchor &nope before it"},
		"a tab":                                 {"next:\n\timage: a\n", "f.yaml:2:2: not valid YAML: found character that cannot start any token (YAML is indented with spaces, not tabs)"},
		"an open bracket":                       {"image: a\nports: [1, 2\n", "f.yaml:"},
		"a circle of aliases":                   {"any: &a [*a]\n", "alias *a holds itself"},
		"a circle of merges":                    {"next: &a\n  next:\n    <<: *a\n", "nested more than 100 deep"},
		"a merge of itself":                     {"next: &a\n  <<: *a\n", "alias *a holds itself"},
		"errors in an anchor are reported once": {"any: &a {image: 1}\nnext: *a\n", "f.yaml:1:17: next.image: found the number 1"},
	} {
		t.Run(name, func(t *testing.T) {
			var w web
			err := Decode("f.yaml", []byte(c.text), &w)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestAllErrorsAreReportedAtOnceInTheOrderOfTheText(t *testing.T) {
	var w web
	err := Decode("f", []byte("on: 5\nnope: 1\nports: x\nimage: good\nnope: 2\n"), &w)
	var all Errors
	if !errors.As(err, &all) || len(all) != 4 {
		t.Fatalf("got %d errors: %v", len(all), err)
	}
	for i, line := range []int{1, 2, 3, 5} {
		if all[i].Line != line {
			t.Errorf("error %d: got line %d, want %d", i, all[i].Line, line)
		}
	}
	if w.Image != "good" {
		t.Errorf("what is right was not decoded: %+v", w)
	}
	var one Error
	if !errors.As(err, &one) || one.Path != "on" {
		t.Errorf("errors.As: got %+v", one)
	}
}

func TestTooManyErrorsAreCutShort(t *testing.T) {
	var text strings.Builder
	for i := range 500 {
		fmt.Fprintf(&text, "key%d: 1\n", i)
	}
	var all Errors
	if !errors.As(Decode("f", []byte(text.String()), &web{}), &all) || len(all) != maxErrors+1 {
		t.Fatalf("got %d errors", len(all))
	}
}

func TestAnAliasBombIsRefused(t *testing.T) {
	for name, expand := range map[string]string{"aliases": "*%[1]s, *%[1]s, *%[1]s, *%[1]s, *%[1]s", "merges": "{<<: *%[1]s}, {<<: *%[1]s}, {<<: *%[1]s}, {<<: *%[1]s}"} {
		t.Run(name, func(t *testing.T) {
			text := "any:\n  a: &a {k: [1, 2, 3]}\n"
			last := "a"
			for c := 'b'; c < 'p'; c++ {
				text += fmt.Sprintf("  %[2]c: &%[2]c {k: ["+expand+"]}\n", last, c)
				last = string(c)
			}
			err := Decode("f", []byte(text), &web{})
			if err == nil || !strings.Contains(err.Error(), "expand") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestDocumentsWhenAsked(t *testing.T) {
	var all []web
	if err := Decode("f", []byte("image: a\n---\nimage: b\n---\n"), &all, Documents()); err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || all[1].Image != "b" {
		t.Errorf("got %+v", all)
	}
}

func TestNothingLeavesTheValueAsItWas(t *testing.T) {
	for _, text := range []string{"", "# only a comment\n", "---\n", "null\n"} {
		w := web{Image: "kept"}
		if err := Decode("f", []byte(text), &w); err != nil || w.Image != "kept" {
			t.Errorf("%q: got %+v, %v", text, w, err)
		}
	}
}

func TestExtensionsEverywhere(t *testing.T) {
	if err := Decode("f", []byte("next: {x-a: 1}\n"), &web{}, ExtensionsEverywhere()); err != nil {
		t.Error(err)
	}
	if err := Decode("f", []byte("next: {x-a: 1}\n"), &web{}, ExtensionsAtTop()); err == nil {
		t.Error("an x- key below the top was taken")
	}
	if err := Decode("f", []byte("x-a: 1\n"), &web{}, ExtensionsAtTop(), At("services", "web")); err != nil {
		t.Error(err)
	}
}

func TestSecretsAreNotRepeatedInMessages(t *testing.T) {
	var v struct {
		Password []string `yaml:"password"`
	}
	err := Decode("f", []byte("password: hunter2\n"), &v)
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}

func TestNearestWord(t *testing.T) {
	known := []string{"image", "command", "cap_add", "cap_drop", "mem_limit", "x"}
	for word, want := range map[string]string{
		"imgae": "image", "Image": "image", "comand": "command", "cap-add": "cap_add", "memlimit": "mem_limit",
		"zebra": "", "y": "", "": "",
	} {
		if got := Nearest(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{"image: a", "next: &a\n  next: {<<: *a}", "ports: [1,2", "any: &a [*a, {b: *a}]", "pair: [a,b]", "<<: [{a: b}, {<<: {c: d}}]", "? [a]\n: b", "- !!binary x", "on: !!bool x", "%YAML 1.1\n---\nimage: a", "image: |\n  x\n\ty"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var w web
		err := Decode("f", data, &w, ExtensionsEverywhere())
		if err == nil {
			return
		}
		var all Errors
		if !errors.As(err, &all) || len(all) == 0 {
			t.Fatalf("an error that is not Errors: %T", err)
		}
		lines := strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + 2
		for _, e := range all {
			if e.Line < 1 || e.Column < 1 || e.Line > lines*3 || e.Message == "" {
				t.Errorf("bad place or no message: %+v", e)
			}
		}
	})
}

func TestPlainTreesHaveNoAliases(t *testing.T) {
	docs, err := Parse("f", []byte("x: &x {a: 1, l: &l [1]}\ny: &y {<<: *x, b: 2, a: 3}\nz: [*y, *l]\n"))
	if err != nil {
		t.Fatal(err)
	}
	plain, errs := Plain("f", docs[0].Content[0])
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	out, err := yaml.Marshal(plain)
	if err != nil {
		t.Fatal(err)
	}
	if want := "x: {a: 1, l: [1]}\ny: {b: 2, a: 3, l: [1]}\nz: [{b: 2, a: 3, l: [1]}, [1]]\n"; string(out) != want {
		t.Errorf("got  %s\nwant %s", out, want)
	}
	if b := plain.Content[3].Content[0]; b.Line != 2 || b.Column != 16 {
		t.Errorf("b stands at %d:%d", b.Line, b.Column)
	}
	for text, want := range map[string]string{
		"a: 1\na: 2\n":     "f:2:1: a: key stands here a second time",
		"a: &a [*a]\n":     "alias *a holds itself",
		"a: &a {<<: *a}\n": "alias *a holds itself",
		"a: " + strings.Repeat("[", 200) + strings.Repeat("]", 200): "nested more than",
	} {
		docs, err := Parse("f", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if _, errs := Plain("f", docs[0].Content[0]); !strings.Contains(errs.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, errs, want)
		}
	}
}

func TestNodesOfOtherFilesKeepTheirPlace(t *testing.T) {
	docs, err := Parse("other", []byte("\nports: x\n"))
	if err != nil {
		t.Fatal(err)
	}
	bad := docs[0].Content[0].Content[1]
	err = DecodeNode("own", docs[0], &web{}, Origins(map[*yaml.Node]string{bad: "other"}))
	if err == nil || !strings.HasPrefix(err.Error(), "other:2:8: ports: ") {
		t.Errorf("got %v", err)
	}
}
