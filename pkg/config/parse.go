package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// Header is the first line of user data that is a configuration.
const Header = "#cloud-config"

// Parse reads and checks one source. file names it in errors, each of which
// begins with file:line:column. All errors are reported at once.
func Parse(file string, data []byte) (*Config, error) {
	return parse(file, data, true)
}

func parse(file string, data []byte, fromFile bool) (*Config, error) {
	cfg := &Config{}
	data = bytes.ReplaceAll(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), []byte("\r\n"), []byte("\n"))
	docs, err := strictyaml.Parse(file, data)
	if err != nil {
		return nil, err
	}
	var errs strictyaml.Errors
	if len(docs) == 1 {
		cfg.Notes = setAside(file, docs[0])
		err = strictyaml.DecodeNode(file, docs[0], cfg)
	} else {
		err = strictyaml.Decode(file, data, cfg) // nothing, or one document too many
	}
	if err != nil && !errors.As(err, &errs) {
		return nil, err
	}
	asText(cfg)
	findings := Validate(cfg)
	if fromFile && cfg.Testudo.State.Autoformat != "" {
		findings = append(findings, Finding{Path: []string{"testudo", "state", "autoformat"},
			Message: "works on the kernel command line only: it is read before any file"})
	}
	for _, f := range findings {
		if explained(f, errs) {
			continue
		}
		e := strictyaml.Error{File: file, Line: 1, Column: 1, Path: f.path(), Message: f.Message}
		if len(docs) > 0 {
			if n := strictyaml.Locate(docs[0], f.Path); n != nil {
				e.Line, e.Column = n.Line, n.Column
			}
		}
		errs = append(errs, e)
	}
	if len(errs) > 0 {
		return nil, errs.Sort()
	}
	return cfg, nil
}

// explained says whether a finding only follows from an error of decoding: a
// user whose name is a number is not also a user without a name.
func explained(f Finding, errs strictyaml.Errors) bool {
	for _, e := range errs {
		if strictyaml.Below(e.Path, f.path()) || strictyaml.Below(f.path(), e.Path) {
			return true
		}
	}
	return false
}

// ParseUserData is Parse for what a datasource gives: it must say that it is a
// configuration. Nothing at all is an empty configuration.
func ParseUserData(file string, data []byte) (*Config, error) {
	trimmed := bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if len(bytes.TrimSpace(trimmed)) == 0 {
		return &Config{}, nil
	}
	first, _, _ := bytes.Cut(trimmed, []byte("\n"))
	if line := strings.TrimSpace(string(first)); line != Header {
		return nil, strictyaml.Errors{{File: file, Line: 1, Column: 1,
			Message: fmt.Sprintf("found %s in the first line, want %s", describe(first), Header)}}
	}
	return Parse(file, trimmed)
}

// describe shows the start of user data without showing much of it.
func describe(line []byte) string {
	switch {
	case bytes.HasPrefix(line, []byte{0x1f, 0x8b}):
		return "gzip data"
	case bytes.HasPrefix(line, []byte("#!")):
		return "a script"
	case bytes.HasPrefix(bytes.ToLower(line), []byte("content-type:")), bytes.HasPrefix(bytes.ToLower(line), []byte("mime-version:")):
		return "a MIME message"
	case !utf8.Valid(line):
		return "binary data"
	case len(line) > 40:
		return fmt.Sprintf("%q...", line[:40])
	default:
		return fmt.Sprintf("%q", line)
	}
}
