// Package jinja fills in the templates of user data (## template: jinja) with
// what is known of the instance. An undefined variable is an error, and nothing
// can be included: no template reads a file of the machine.
//
// Only cmd/jinja imports it: the engine calls methods by their names, so that
// the linker can leave none out of a program that has it; in rosd that came to
// several megabytes.
package jinja

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/nikolalohinski/gonja/v2/builtins"
	"github.com/nikolalohinski/gonja/v2/config"
	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/loaders"
	"github.com/nikolalohinski/gonja/v2/parser"

	"github.com/testudo-os/testudo/pkg/strictyaml"
)

// Request is what the program that fills in templates reads. pkg/settings
// writes it; the names of its keys are the fields'.
type Request struct {
	Origin    string         // for errors: where the template comes from
	Text      string         // without its first line
	Variables map[string]any // datasource.Variables
}

// maxOutput bounds what a template may come to.
const maxOutput = 8 << 20

// Render fills in text. Line numbers in errors count from the template's first
// line, which text no longer has. A mistake that makes the engine panic is an
// error, too.
func Render(origin, text string, variables map[string]any) (out string, err error) {
	fail := func(cause error) error {
		line, message := place(cause)
		return strictyaml.Error{File: origin, Line: line + 1, Column: 1, Message: "template: " + message}
	}
	defer func() {
		if r := recover(); r != nil {
			out, err = "", fail(fmt.Errorf("the engine fails: %v", r))
		}
	}()
	c := config.New()
	c.StrictUndefined, c.TrimBlocks, c.KeepTrailingNewline = true, true, true
	environment := &exec.Environment{
		Context: exec.EmptyContext().Update(builtins.GlobalFunctions).Update(builtins.GlobalVariables),
		Filters: builtins.Filters, Tests: builtins.Tests, ControlStructures: builtins.ControlStructures, Methods: builtins.Methods,
	}
	t, err := exec.NewTemplate(root, c, alone{text}, environment)
	if err != nil {
		return "", fail(err)
	}
	var b bounded
	if err := t.Execute(&b, exec.NewContext(variables)); err != nil {
		return "", fail(err)
	}
	return b.String(), nil
}

const root = "/template"

// errInclude is the answer to include, import and extends.
var errInclude = errors.New("templates cannot include others")

// alone is a loader of one template.
type alone struct{ text string }

func (a alone) Read(path string) (io.Reader, error) {
	if path != root {
		return nil, errInclude
	}
	return strings.NewReader(a.text), nil
}

func (a alone) Resolve(path string) (string, error) {
	if path != root {
		return "", errInclude
	}
	return root, nil
}

func (a alone) Inherit(string) (loaders.Loader, error) { return a, nil }

// bounded keeps so much and no more.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxOutput {
		return 0, fmt.Errorf("more than %d bytes come out", maxOutput)
	}
	return b.Buffer.Write(p)
}

func (b *bounded) WriteString(s string) (int, error) { return b.Write([]byte(s)) }

// place finds the line in one of the engine's messages, and makes one line of
// the message, without the whole template in it.
func place(err error) (line int, message string) {
	var syntax *parser.SyntaxError
	if errors.As(err, &syntax) && syntax.Message != "" {
		return syntax.Line, printable(syntax.Message)
	}
	text := err.Error()
	if i := strings.LastIndex(text, "Line: "); i >= 0 {
		if _, err := fmt.Sscanf(text[i:], "Line: %d", &line); err != nil {
			line = 0
		}
		text = text[:i]
	}
	// Outer messages repeat the source; the innermost says what is wrong.
	parts := strings.Split(text, ": ")
	return line, printable(strings.Join(parts[max(0, len(parts)-2):], ": "))
}

// printable is one line of at most 200 bytes.
func printable(s string) string {
	s = strings.TrimRight(strings.Join(strings.Fields(s), " "), " (")
	if len(s) > 200 {
		s = "..." + s[len(s)-200:]
	}
	return strings.ToValidUTF8(s, "?")
}
