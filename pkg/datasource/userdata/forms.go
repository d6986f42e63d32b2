package userdata

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// gzip unpacks, never more than there is room for.
func (p *parser) gzip(x piece, depth int) {
	z, err := gzip.NewReader(bytes.NewReader(x.data))
	if err != nil {
		p.fail(x.origin, 1, "not gzip data: %v", err)
		return
	}
	out, err := io.ReadAll(io.LimitReader(z, int64(maxBytes-p.bytes)+1))
	if err != nil {
		p.fail(x.origin, 1, "gzip data that end too soon or are damaged: %v", err)
		return
	}
	x.data = out
	if packed[x.kind] {
		x.kind = "" // that of what was packed is not said
	}
	p.form(x, depth+1)
}

// looksEncoded says whether data are nothing but base64: clouds that cannot
// hold binary data have people encode them.
func looksEncoded(data []byte) bool {
	for _, b := range data {
		switch {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9':
		case b == '+', b == '/', b == '=', b == '\n', b == '\r':
		default:
			return false
		}
	}
	decoded, err := decode64(data)
	return err == nil && (bytes.HasPrefix(decoded, []byte{0x1f, 0x8b}) || kindOf(decoded) != "")
}

func decode64(data []byte) ([]byte, error) {
	clean := bytes.Map(func(r rune) rune {
		if r == '\n' || r == '\r' || r == ' ' || r == '\t' || r == '=' {
			return -1
		}
		return r
	}, data)
	return base64.RawStdEncoding.DecodeString(string(clean))
}

func (p *parser) base64(x piece, depth int) {
	decoded, err := decode64(x.data)
	if err != nil {
		p.fail(x.origin, 1, "not base64: %v", err)
		return
	}
	x.data, x.kind = decoded, ""
	p.form(x, depth+1)
}

// mime reads a message, of one part or of many.
func (p *parser) mime(x piece, depth int) {
	data := x.data
	if rest, ok := bytes.CutPrefix(data, []byte("From ")); ok { // an mbox
		_, data, _ = bytes.Cut(rest, []byte("\n"))
	}
	m, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		p.fail(x.origin, 1, "not a MIME message: %v", err)
		return
	}
	body, err := io.ReadAll(m.Body)
	if err != nil {
		p.fail(x.origin, 1, "not a MIME message: %v", err)
		return
	}
	p.entity(x, textproto.MIMEHeader(m.Header), body, depth)
}

// entity reads a message's body, or one of its parts.
func (p *parser) entity(x piece, header textproto.MIMEHeader, body []byte, depth int) {
	kind, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if header.Get("Content-Type") == "" {
		kind, err = "text/plain", nil
	}
	if err != nil {
		p.fail(x.origin, 1, "the type %.60q is not a MIME type", header.Get("Content-Type"))
		return
	}
	switch charset := strings.ToLower(params["charset"]); charset {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
	default:
		p.fail(x.origin, 1, "the character set %.40q, want utf-8", charset)
		return
	}
	body, err = undo(header.Get("Content-Transfer-Encoding"), body)
	if err != nil {
		p.fail(x.origin, 1, "%v", err)
		return
	}
	if strings.HasPrefix(kind, "multipart/") {
		p.multipart(x, params["boundary"], body, depth)
		return
	}
	if kind == "message/rfc822" {
		kind = "multipart"
	}
	x.kind, x.data = kind, body
	x.header = map[string]string{"Merge-Type": header.Get("Merge-Type"), "X-Merge-Type": header.Get("X-Merge-Type")}
	p.form(x, depth+1)
}

func (p *parser) multipart(x piece, boundary string, body []byte, depth int) {
	if depth > maxDepth {
		p.fail(x.origin, 1, "one form inside another, more than %d deep", maxDepth)
		return
	}
	if boundary == "" {
		p.fail(x.origin, 1, "a MIME message of many parts without a boundary")
		return
	}
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	for n := 1; n <= maxParts; n++ {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			p.fail(x.origin, 1, "part %d of the MIME message: %v", n, err)
			return
		}
		content, err := io.ReadAll(part)
		if err != nil {
			p.fail(x.origin, 1, "part %d of the MIME message: %v", n, err)
			return
		}
		name := part.FileName()
		if name == "" {
			name = part.FormName()
		}
		p.entity(piece{origin: origin(x.origin, n, name), name: name}, part.Header, content, depth+1)
		if p.full {
			return
		}
	}
	p.full = true
	p.fail(x.origin, 1, "more than %d parts", maxParts)
}

// origin names the nth part of something.
func origin(whole string, n int, name string) string {
	o := fmt.Sprintf("%s, part %d", whole, n)
	if name = strings.TrimSpace(name); name != "" {
		if len(name) > 60 {
			name = name[:60]
		}
		o += " (" + strings.ToValidUTF8(strings.Map(printable, name), "?") + ")"
	}
	return o
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return '?'
	}
	return r
}

// undo undoes a transfer encoding.
func undo(encoding string, body []byte) ([]byte, error) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "7bit", "8bit", "binary":
		return body, nil
	case "base64":
		out, err := decode64(body)
		if err != nil {
			return nil, fmt.Errorf("the part is not base64, as it says: %w", err)
		}
		return out, nil
	case "quoted-printable":
		out, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(body)))
		if err != nil {
			return nil, fmt.Errorf("the part is not quoted-printable, as it says: %w", err)
		}
		return out, nil
	}
	return nil, fmt.Errorf("the transfer encoding %.40q, want base64, quoted-printable, 7bit or 8bit", encoding)
}

// entry is one of an archive: a text, or a mapping with the text as content.
type entry struct {
	line     int
	kind     string
	filename string
	content  string
	header   map[string]string
}

// UnmarshalStrict takes both forms.
func (e *entry) UnmarshalStrict(d *strictyaml.Decoder, n *yaml.Node) {
	n = strictyaml.Resolve(n)
	e.line = n.Line
	if n.Kind == yaml.ScalarNode {
		e.content = n.Value
		return
	}
	var fields struct {
		Type      string               `yaml:"type"`
		Filename  string               `yaml:"filename"`
		Content   strictyaml.Text      `yaml:"content"`
		Index     int                  `yaml:"launch-index"`
		MergeType string               `yaml:"Merge-Type"`
		Rest      map[string]yaml.Node `yaml:",inline"`
	}
	d.Decode(n, &fields)
	e.kind, e.filename, e.content = fields.Type, fields.Filename, string(fields.Content)
	e.header = map[string]string{"Merge-Type": fields.MergeType}
}

// archive reads a YAML list of parts.
func (p *parser) archive(x piece, depth int) {
	var entries []entry
	if err := strictyaml.Decode(x.origin, x.data, &entries); err != nil {
		p.errs = append(p.errs, err)
		return
	}
	for i, e := range entries {
		content := []byte(e.content)
		if len(bytes.TrimSpace(content)) == 0 {
			continue
		}
		kind := e.kind
		if kind == "" && kindOf(content) == "" {
			kind = "text/cloud-config" // cloud-init's default here
		}
		p.form(piece{
			origin: fmt.Sprintf("%s at line %d", origin(x.origin, i+1, e.filename), e.line),
			name:   e.filename, kind: kind, header: e.header, data: content,
		}, depth+1)
	}
}

// include fetches what each line names.
func (p *parser) include(x piece, depth int) {
	number := 0
	for line := range strings.Lines(string(x.data)) {
		number++
		line = strings.TrimSpace(line)
		for _, word := range []string{"#include-once", "#include"} {
			if rest, ok := strings.CutPrefix(line, word); ok {
				line = strings.TrimSpace(rest)
				break
			}
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if !strings.HasPrefix(line, "https://") && !strings.HasPrefix(line, "http://") {
			p.fail(x.origin, number, "found %s, want a URL of https or http", describe([]byte(line)))
			continue
		}
		if p.includes++; p.includes > maxIncludes {
			p.full = true
			p.fail(x.origin, number, "more than %d includes", maxIncludes)
			return
		}
		if p.options.Fetch == nil {
			p.errs = append(p.errs, fmt.Errorf("%s:%d:1: %w", x.origin, number, ErrNeedsNetwork))
			return
		}
		content, err := p.options.Fetch(p.ctx, line)
		if err != nil {
			p.errs = append(p.errs, fmt.Errorf("%s:%d:1: include: %w", x.origin, number, err))
			return // what comes after may rely on it, and waiting for each would add up
		}
		p.form(piece{origin: x.origin + ", include " + shown(line), data: content}, depth+1)
	}
}

// shown is a URL without what may be secret in it.
func shown(u string) string {
	u, _, _ = strings.Cut(u, "?")
	if scheme, rest, ok := strings.Cut(u, "://"); ok {
		if at := strings.LastIndex(rest, "@"); at >= 0 {
			rest = rest[at+1:]
		}
		u = scheme + "://" + rest
	}
	return u
}

// template fills in and goes on with what comes out.
func (p *parser) template(x piece, depth int) {
	if p.options.Render == nil {
		p.fail(x.origin, 1, "templates are not filled in here")
		return
	}
	text := x.data
	if isTemplate(text) {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	out, err := p.options.Render(x.origin, string(text))
	if err != nil {
		p.errs = append(p.errs, err)
		return
	}
	x.data, x.kind = []byte(out), ""
	p.form(x, depth+1)
}
