// Package userdata takes user data apart: gzip, base64, MIME messages,
// archives, includes and templates, down to configurations and scripts. The
// forms are cloud-init's. Everything is bounded: bytes, parts, depth, includes.
//
// It knows nothing of what a configuration means, and fetches only through the
// function it is given. pkg/settings imports it.
package userdata

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/testudo-os/testudo/pkg/datasource"
	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// Bounds of one user data.
const (
	maxBytes    = 8 << 20 // of everything that is unpacked or fetched
	maxParts    = 200
	maxDepth    = 6 // of one form inside another
	maxIncludes = 32
)

// ErrNeedsNetwork says that there is something to include and no way to fetch.
var ErrNeedsNetwork = errors.New("includes are fetched when there is a network")

// Options are what Parse needs from outside.
type Options struct {
	// Fetch gets what #include names; nil: there is no network yet.
	Fetch func(ctx context.Context, url string) ([]byte, error)
	// Render fills in a jinja template; nil refuses templates. Errors are
	// strictyaml's where they have a place in the text.
	Render func(origin, text string) (string, error)
}

// Parse takes data apart. origin names them in errors, each of which begins
// with origin:line:column. Nothing at all is no part.
func Parse(ctx context.Context, origin string, data []byte, o Options) ([]datasource.Part, error) {
	p := &parser{ctx: ctx, options: o, names: map[string]bool{}}
	p.form(piece{origin: origin, data: data}, 0)
	if len(p.errs) > 0 {
		return nil, errors.Join(p.errs...)
	}
	return p.parts, nil
}

type parser struct {
	ctx      context.Context
	options  Options
	parts    []datasource.Part
	names    map[string]bool
	errs     []error
	bytes    int
	includes int
	full     bool // a bound was hit; nothing more is read
}

// piece is some data on its way.
type piece struct {
	origin string
	name   string // a file's, if it has one
	kind   string // MIME type; "": to be told from the data
	header map[string]string
	data   []byte
}

func (p *parser) fail(origin string, line int, format string, args ...any) {
	p.errs = append(p.errs, strictyaml.Error{File: origin, Line: line, Column: 1, Message: fmt.Sprintf(format, args...)})
}

// room says whether n more bytes may be read.
func (p *parser) room(origin string, n int) bool {
	p.bytes += n
	if p.bytes > maxBytes && !p.full {
		p.full = true
		p.fail(origin, 1, "user data of more than %d bytes, unpacked", maxBytes)
	}
	return !p.full
}

// types are MIME's names of the forms, and what may be told from data alone.
var (
	byContent = map[string]bool{
		"": true, "text/plain": true, "text/x-not-multipart": true, "application/octet-stream": true, "text/x-shellscript": true,
	}
	packed = map[string]bool{
		"application/gzip": true, "application/gzip-compressed": true, "application/gzipped": true, "application/x-compress": true,
		"application/x-compressed": true, "application/x-gunzip": true, "application/x-gzip": true, "application/x-gzip-compressed": true,
	}
	scripts = map[string]datasource.When{
		"text/x-shellscript": datasource.PerInstance, "text/x-shellscript-per-instance": datasource.PerInstance,
		"text/x-shellscript-per-boot": datasource.PerBoot, "text/x-shellscript-per-once": datasource.Once,
	}
)

// form reads one piece, whatever it is.
func (p *parser) form(x piece, depth int) {
	if p.full || p.ctx.Err() != nil {
		return
	}
	if depth > maxDepth {
		p.fail(x.origin, 1, "one form inside another, more than %d deep", maxDepth)
		return
	}
	if !p.room(x.origin, len(x.data)) {
		return
	}
	if bytes.HasPrefix(x.data, []byte{0x1f, 0x8b}) || packed[x.kind] {
		p.gzip(x, depth)
		return
	}
	x.data = bytes.TrimPrefix(x.data, []byte("\xef\xbb\xbf"))
	kind := x.kind
	if byContent[kind] {
		if kind = kindOf(x.data); kind == "" && scripts[x.kind] != "" {
			p.fail(x.origin, 1, "a script must begin with #!")
			return
		}
	}
	switch kind {
	case "text/cloud-config":
		p.add(x, datasource.CloudConfig, "")
	case "text/cloud-boothook":
		if bytes.HasPrefix(x.data, []byte("#cloud-boothook")) {
			_, x.data, _ = bytes.Cut(x.data, []byte("\n"))
		}
		p.add(x, datasource.Boothook, "")
	case "text/x-include-url", "text/x-include-once-url":
		p.include(x, depth)
	case "text/cloud-config-archive":
		p.archive(x, depth)
	case "text/jinja2":
		p.template(x, depth)
	case "multipart":
		p.mime(x, depth)
	case "base64":
		p.base64(x, depth)
	case "empty":
	case "text/part-handler":
		p.fail(x.origin, 1, "#part-handler is refused: it is a program for cloud-init itself, which is not here; a script (#!) can do its work")
	case "text/cloud-config-jsonp":
		p.fail(x.origin, 1, "#cloud-config-jsonp is refused: write the whole configuration as #cloud-config")
	case "text/upstart-job":
		p.fail(x.origin, 1, "an upstart job is refused: declare a service below testudo.services")
	case "":
		p.fail(x.origin, 1, "found %s, want #cloud-config, a script (#!), #include, #cloud-config-archive, #cloud-boothook, ## template: jinja, MIME or gzip", describe(x.data))
	default:
		if when, ok := scripts[kind]; ok {
			p.add(x, datasource.Script, when)
			return
		}
		p.fail(x.origin, 1, "a part of type %.60q, which nothing here can use", kind)
	}
}

// starts tells forms by how they begin, longer ones first.
var starts = []struct{ prefix, kind string }{
	{"#cloud-config-archive", "text/cloud-config-archive"},
	{"#cloud-config-jsonp", "text/cloud-config-jsonp"},
	{"#cloud-config", "text/cloud-config"},
	{"#cloud-boothook", "text/cloud-boothook"},
	{"#include-once", "text/x-include-once-url"},
	{"#include", "text/x-include-url"},
	{"#part-handler", "text/part-handler"},
	{"#upstart-job", "text/upstart-job"},
	{"#!", "text/x-shellscript"},
}

// isTemplate looks for "## template: jinja" in the first line.
func isTemplate(data []byte) bool {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	line, hashes := bytes.CutPrefix(line, []byte("##"))
	word, kind, colon := strings.Cut(strings.ToLower(string(line)), ":")
	return hashes && colon && strings.TrimSpace(word) == "template" && strings.TrimSpace(kind) == "jinja"
}

// isMessage looks for a MIME message's header.
func isMessage(data []byte) bool {
	head := bytes.ToLower(data[:min(len(data), 4096)])
	name, _, ok := bytes.Cut(head, []byte(":"))
	if i := bytes.IndexAny(name, " \n"); i >= 0 {
		name = name[:i] // "From " of an mbox
	}
	switch string(name) {
	case "mime-version", "content-type", "content-transfer-encoding", "from", "to", "subject", "date", "number-attachments":
		return ok && bytes.Contains(head, []byte("mime-version:"))
	}
	return false
}

// kindOf tells what data are by how they begin.
func kindOf(data []byte) string {
	if len(bytes.TrimSpace(data)) == 0 {
		return "empty"
	}
	if isTemplate(data) {
		return "text/jinja2"
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	for _, s := range starts {
		rest, ok := bytes.CutPrefix(line, []byte(s.prefix))
		// "#cloud-configuration" is not "#cloud-config".
		if ok && (s.prefix == "#!" || len(bytes.TrimSpace(rest)) == 0 || rest[0] == ' ' || rest[0] == '\t') {
			return s.kind
		}
	}
	if isMessage(data) {
		return "multipart"
	}
	if looksEncoded(data) {
		return "base64"
	}
	return ""
}

// add keeps a part that is complete.
func (p *parser) add(x piece, kind datasource.Kind, when datasource.When) {
	if len(p.parts) >= maxParts {
		p.full = true
		p.fail(x.origin, 1, "more than %d parts", maxParts)
		return
	}
	if merge := x.header["Merge-Type"] + x.header["X-Merge-Type"]; merge != "" {
		p.fail(x.origin, 1, "the merge type %.40q is refused: later parts are laid over earlier ones as files of a configuration are", merge)
		return
	}
	if kind == datasource.CloudConfig && !utf8.Valid(x.data) {
		p.fail(x.origin, 1, "not UTF-8")
		return
	}
	p.parts = append(p.parts, datasource.Part{Origin: x.origin, Name: p.name(x.name), Kind: kind, When: when, Text: x.data})
}

// name makes a file name of what a part calls itself, or of its number.
func (p *parser) name(wish string) string {
	name := strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-' {
			return r
		}
		return '-'
	}, wish), "-.")
	if len(name) > 64 {
		name = name[:64]
	}
	if name == "" {
		name = fmt.Sprintf("part-%03d", len(p.parts)+1)
	}
	for base, n := name, 2; p.names[name]; n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	p.names[name] = true
	return name
}

// describe shows the start of data without showing much of it.
func describe(data []byte) string {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	line = bytes.TrimSpace(line)
	switch {
	case !utf8.Valid(line):
		return "binary data"
	case len(line) > 40:
		return fmt.Sprintf("%q...", line[:40])
	}
	return fmt.Sprintf("%q", line)
}
