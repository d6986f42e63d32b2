package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxBytes bounds a file: a parsed file takes some forty times its size, and
// machines with 192 MiB are to survive a hostile one. User data of the clouds
// has 64 KiB at most; certificates and files written inline may make it larger.
const maxBytes = 1 << 20

// maxDocuments bounds what a stream of documents may hold.
const maxDocuments = 1000

// Parse reads all documents of data. Empty documents are left out. The error,
// when there is one, is of type Errors.
func Parse(file string, data []byte) (docs []*yaml.Node, err error) {
	if len(data) > maxBytes {
		return nil, Errors{{File: file, Line: 1, Column: 1,
			Message: fmt.Sprintf("the file has %d bytes, at most %d are read", len(data), maxBytes)}}
	}
	// yaml.v3 is meant to return its errors; a panic on hostile text must
	// still not end the program that reads it.
	defer func() {
		if r := recover(); r != nil {
			docs, err = nil, Errors{{File: file, Line: 1, Column: 1, Message: fmt.Sprintf("not YAML: %v", r)}}
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, Errors{syntaxError(file, data, err)}
		}
		if doc.Kind == yaml.DocumentNode && len(doc.Content) == 1 && !isNull(doc.Content[0]) {
			docs = append(docs, &doc)
		}
		if len(docs) > maxDocuments {
			return nil, Errors{{File: file, Line: doc.Line, Column: 1, Message: "too many documents"}}
		}
	}
}

var (
	syntaxLine    = regexp.MustCompile(`^line (\d+): (?s)(.*)$`)
	unknownAnchor = regexp.MustCompile(`^unknown anchor '([^']*)' referenced$`)
)

// parserMessages are those of yaml.v3 whose line counts from 0: it adds the
// one only to errors of its scanner.
var parserMessages = []string{
	"did not find expected <", "did not find expected node content", "did not find expected '-' indicator",
	"did not find expected key", "did not find expected ',' or", "found duplicate %", "found incompatible YAML",
	"found undefined tag handle",
}

// syntaxError gives an error of yaml.v3, which has a line at best, its place.
func syntaxError(file string, data []byte, err error) Error {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if m := syntaxLine.FindStringSubmatch(message); m != nil {
		line, _ = strconv.Atoi(m[1]) // digits, as the expression says
		message = m[2]
		for _, p := range parserMessages {
			if strings.HasPrefix(message, p) {
				line++
				break
			}
		}
	}
	lines := strings.Split(string(data), "\n")
	line = min(max(line, 1), len(lines))
	text := lines[line-1]
	column := 1 + len(text) - len(strings.TrimLeft(text, " \t"))
	if m := unknownAnchor.FindStringSubmatch(message); m != nil {
		for i, text := range lines {
			if at := strings.Index(text, "*"+m[1]); at >= 0 {
				line, column = i+1, at+1
				break
			}
		}
		return Error{File: file, Line: line, Column: column,
			Message: fmt.Sprintf("alias *%s has no anchor &%s before it", m[1], m[1])}
	}
	if strings.Contains(message, "cannot start any token") && strings.HasPrefix(text, "\t") {
		message += " (YAML is indented with spaces, not tabs)"
	}
	return Error{File: file, Line: line, Column: column, Message: "not valid YAML: " + message}
}
