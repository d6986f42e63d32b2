package service

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

func TestInterpolate(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		"plain":                    "plain",
		"$TAG-${TAG}":              "1.2-1.2",
		"$$TAG $$$$":               "$TAG $$",
		"${NOPE:-a b}":             "a b",
		"${EMPTY:-d}":              "d",
		"${EMPTY-d}":               "",
		"${TAG:-d}":                "1.2",
		"${NOPE:-${TAG:-x}}y":      "1.2y",
		"${TAG:+yes}${EMPTY:+no}":  "yes",
		"${EMPTY+set}":             "set",
		"${TAG?e}":                 "1.2",
		"${EMPTY?e}":               "",
		"error: $NOPE":             "error: the variable NOPE is not set",
		"error: ${NOPE?}":          "error: the variable NOPE: is not set",
		"error: ${EMPTY:?no $TAG}": "error: the variable EMPTY: no 1.2",
		"error: ${TAG":             "error: ${ is opened and not closed",
		"error: $":                 "error: a single $",
		"error: $1":                "error: found $1",
		"error: ${}":               "error: found ${}, want the name",
		"error: ${TAG:x}":          "error: found ${TAG:x}",
		"error: ${TAG!}":           "error: found ${TAG!}",
		"error: ${TAG:}":           "error: found ${TAG:}",
	} {
		got, err := Interpolate(in, vars)
		if text, fails := strings.CutPrefix(want, "error: "); fails {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%q: got %q, %v, want the error %q", in, got, err, text)
			}
		} else if err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", in, got, err, want)
		}
	}
}

func FuzzInterpolate(f *testing.F) {
	for _, s := range []string{"$A ${B:-c} $$", "${A:-${B:-${C", "${TAG:?x}", "}${", "$é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out, err := Interpolate(s, vars)
		if err == nil && !strings.Contains(s, "$") && out != s {
			t.Errorf("%q without a dollar became %q", s, out)
		}
		// A text whose dollars are all doubled stands for itself.
		if back, err := Interpolate(strings.ReplaceAll(s, "$", "$$"), vars); len(s) < maxInterpolated && (err != nil || back != s) {
			t.Errorf("%q quoted became %q, %v", s, back, err)
		}
	})
}

func TestSplitCommand(t *testing.T) {
	for in, want := range map[string][]string{
		"":                   {},
		"  ":                 {},
		"a  b\tc\n d":        {"a", "b", "c", "d"},
		`a "b c" 'd e' f\ g`: {"a", "b c", "d e", "f g"},
		`a"b"c`:              {"abc"},
		`"" ''`:              {"", ""},
		`"a\"b\\c\d"`:        {`a"b\c\d`},
		`'a\'`:               {`a\`},
		"a\\\nb":             {"ab"},
		"$HOME *":            {"$HOME", "*"},
	} {
		if got, err := SplitCommand(in); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{`"a`, `'a`, `a\`} {
		if got, err := SplitCommand(in); err == nil {
			t.Errorf("%q: got %q, want an error", in, got)
		}
	}
}

func FuzzSplitCommand(f *testing.F) {
	f.Add(`a "b c" 'd' e\ f`)
	f.Fuzz(func(t *testing.T, s string) {
		// Any words, each in single quotes, come back as they are.
		words := strings.Fields(strings.ReplaceAll(s, "'", ""))
		quoted := ""
		for _, w := range words {
			quoted += " '" + w + "'"
		}
		got, err := SplitCommand(quoted)
		if err != nil || !slices.Equal(got, append([]string{}, words...)) {
			t.Errorf("%q: got %q, %v", quoted, got, err)
		}
		if _, err := SplitCommand(s); err != nil && !strings.ContainsAny(s, `'"\`) {
			t.Errorf("%q: %v", s, err)
		}
	})
}

func TestParseEnvFile(t *testing.T) {
	got, err := ParseEnvFile("f", []byte("# comment\n\nA=1\nexport B = two words # tail\nC='x # $y'\r\nD=\"a\\nb\\\"c\" # tail\nE=\nF=a#b\nG=# none\n"))
	want := []string{"A=1", "B=two words", "C=x # $y", "D=a\nb\"c", "E=", "F=a#b", "G="}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got  %q, %v\nwant %q", got, err, want)
	}
	for in, want := range map[string]string{"A": "f:1: want KEY=VALUE", "\n1A=x": "f:2: want", "A='x": "f:1: A: a quote is opened", `A="x"y`: "text stands after"} {
		if got, err := ParseEnvFile("f", []byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %q, %v, want %q", in, got, err, want)
		}
	}
}

func FuzzParseEnvFile(f *testing.F) {
	f.Add([]byte("A=1\nexport B='x'\n#c\nD=\"a\\n\""))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := ParseEnvFile("f", data)
		if err != nil {
			return
		}
		for _, kv := range list {
			if key, _, ok := strings.Cut(kv, "="); !ok || variable(key) != key || key == "" {
				t.Errorf("got %q", kv)
			}
		}
	})
}

func TestEnvJoinsFilesAndTheServicesOwn(t *testing.T) {
	s := Service{Name: "a", Environment: []string{"A=own"}, EnvFiles: []EnvFile{{"/1", true}, {"/2", true}, {"/none", false}}}
	read := func(path string) ([]byte, error) {
		data, ok := map[string]string{"/1": "A=1\nB=1\nC=1", "/2": "B=2"}[path]
		if !ok {
			return nil, fs.ErrNotExist
		}
		return []byte(data), nil
	}
	if got, err := s.Env(read); err != nil || strings.Join(got, " ") != "A=own B=2 C=1" {
		t.Errorf("got %q, %v", got, err)
	}
	s.EnvFiles[2].Required = true
	if _, err := s.Env(read); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "env_file of a") {
		t.Errorf("got %v", err)
	}
}
