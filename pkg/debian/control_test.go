package debian

import (
	"reflect"
	"strings"
	"testing"
)

func TestStanzasAreReadWithContinuationsAndComments(t *testing.T) {
	got, err := parseStanzas(strings.NewReader("# head\nPackage: a\nDescription: one\n two\n# between\n three\n\n\nPACKAGE: b\nSize: 1"))
	if err != nil {
		t.Fatal(err)
	}
	want := []stanza{{"package": "a", "description": "one\ntwo\nthree"}, {"package": "b", "size": "1"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestBrokenStanzasNameTheLine(t *testing.T) {
	for text, want := range map[string]string{
		" lost":             "line 1",
		"A: b\nno field":    "line 2",
		"A: b\n\n\n: empty": "line 4",
	} {
		if _, err := parseStanzas(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want an error at %s", text, err, want)
		}
	}
}

func TestRelationsKeepNamesOnly(t *testing.T) {
	got := relations("libc6 (>= 2.38), debconf (>= 0.5) | debconf-2.0, python3:any, foo [amd64],, ")
	want := [][]string{{"libc6"}, {"debconf", "debconf-2.0"}, {"python3"}, {"foo"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func FuzzStanzas(f *testing.F) {
	f.Add("Package: a\n b\n\nPackage: c")
	f.Add("#\n:")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parseStanzas(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, s := range all {
			if len(s) == 0 {
				t.Errorf("%q gave an empty stanza", text)
			}
			for _, v := range s {
				for _, names := range relations(v) {
					if len(names) == 0 {
						t.Errorf("%q gave a clause without names", v)
					}
				}
			}
		}
	})
}
