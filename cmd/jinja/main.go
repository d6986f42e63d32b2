// Command jinja fills in one template of user data (## template: jinja): JSON
// on standard input says what (jinja.Request), the text goes to standard
// output, a mistake to standard error. rosd runs it where there is a template.
// It is a program of its own so that rosd need not carry the engine, and so that
// no template can take rosd's memory.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/testudo-os/testudo/pkg/datasource/userdata/jinja"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	var r jinja.Request
	if err := json.NewDecoder(in).Decode(&r); err != nil {
		return fmt.Errorf("read the template: %w", err)
	}
	text, err := jinja.Render(r.Origin, r.Text, r.Variables)
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, text)
	return err
}
