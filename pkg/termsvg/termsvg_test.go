package termsvg

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSpansFollowColoursAndDropOtherEscapes(t *testing.T) {
	for _, c := range []struct {
		line string
		want []span
	}{
		{"plain", []span{{"plain", ""}}},
		{"\x1b[32mok\x1b[0m done", []span{{"ok", colour["32"]}, {" done", ""}}},
		{"\x1b[2J\x1b[?25lclear", []span{{"clear", ""}}},
		{"\x1b]0;title\x07x", []span{{"x", ""}}},
		{"a\rb\x00c", []span{{"abc", ""}}},
		{"\x1b[1;31mbold red", []span{{"bold red", colour["31"]}}},
	} {
		got := spans(c.line)
		if len(got) != len(c.want) {
			t.Errorf("%q: %v, want %v", c.line, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%q: %v, want %v", c.line, got, c.want)
			}
		}
	}
}

func TestPictureIsWellFormedAndShowsTheLastRows(t *testing.T) {
	var b strings.Builder
	if err := (Picture{Title: "a & b", Rows: 2}).Write(&b, []string{"first", "<second> & \"more\"", "third"}); err != nil {
		t.Fatal(err)
	}
	wellFormed(t, b.String())
	for text, want := range map[string]bool{"first": false, "&lt;second&gt;": true, "third": true} {
		if strings.Contains(b.String(), text) != want {
			t.Errorf("%q in the picture: %v, want %v:\n%s", text, !want, want, b.String())
		}
	}
}

func FuzzPicture(f *testing.F) {
	f.Add("\x1b[31mred\x1b[", "b")
	f.Fuzz(func(t *testing.T, a, b string) {
		if !utf8.ValidString(a) || !utf8.ValidString(b) {
			t.Skip("a terminal log is made valid by its reader")
		}
		for _, r := range a + b {
			if r == 0xfffe || r == 0xffff {
				t.Skip("no XML characters")
			}
		}
		var out strings.Builder
		if err := (Picture{}).Write(&out, []string{a, b}); err != nil {
			t.Fatal(err)
		}
		wellFormed(t, out.String())
	})
}

func wellFormed(t *testing.T, doc string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(doc))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("not XML: %v\n%s", err, doc)
		}
	}
}
