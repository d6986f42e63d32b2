package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
)

// runner is a rosd in which one program can be run: it says what it was asked,
// then does what its command says.
type runner struct {
	api.Backend
	o       api.Exec
	signals chan string
}

func (r *runner) Exec(_ context.Context, name string, o api.Exec) (api.Process, error) {
	switch {
	case name != "web":
		return nil, fmt.Errorf("%w: %s does not run", api.ErrConflict, name)
	case o.Command[0] == "missing":
		return nil, fmt.Errorf("%w: command missing not found in the image", api.ErrInvalid)
	}
	return &runner{o: o, signals: make(chan string)}, nil
}

func (r *runner) Resize(context.Context, api.Size) error { return nil }

func (r *runner) Signal(_ context.Context, name string) error { r.signals <- name; return nil }

func (r *runner) Run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	fmt.Fprintf(stderr, "%q %q %q tty=%v\n", r.o.Command, r.o.User, r.o.WorkingDir, r.o.Terminal)
	switch r.o.Command[0] {
	case "cat":
		_, err := io.Copy(stdout, stdin)
		return 0, err
	case "signal":
		fmt.Fprintln(stdout, "ready")
		fmt.Fprintln(stdout, <-r.signals)
		return 143, nil
	}
	return 3, nil
}

func startRunner(t *testing.T) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: api.Handler(&runner{})}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return socket
}

func TestExecPassesStreamsAndTheExitCodeOn(t *testing.T) {
	socket := startRunner(t)
	for _, c := range []struct {
		args, stdin  string
		code         int
		out, errText string
	}{
		{"web true", "", 3, "", `["true"] "" "" tty=false`},
		{"-i web cat", "hello\n", 0, "hello\n", `["cat"]`},
		{"-u nobody -w /srv web ls -l --now -t", "", 3, "", `["ls" "-l" "--now" "-t"] "nobody" "/srv" tty=false`},
		{"-t web top", "", 3, "", `["top"] "" "" tty=true`},
		{"-it web top", "no terminal", 125, "", "standard input is no terminal"},
		{"web missing", "", 126, "", "command missing not found in the image"},
		{"other true", "", 125, "", "other does not run"},
		{"-e A web true", "", 126, "", "environment: want KEY=VALUE"},
		{"web", "", 2, "", "usage: ros service exec"},
		{"-x web true", "", 2, "", "unknown shorthand flag"},
	} {
		var out, errOut bytes.Buffer
		s := &session{in: strings.NewReader(c.stdin), out: &out, err: &errOut, now: time.Now, socket: socket}
		code := run(t.Context(), s, append([]string{"ros", "service", "exec"}, strings.Fields(c.args)...))
		if code != c.code || out.String() != c.out || !strings.Contains(errOut.String(), c.errText) {
			t.Errorf("ros service exec %s: exit %d\nstdout: %q\nstderr: %q", c.args, code, out.String(), errOut.String())
		}
	}
}

// A signal to ros is one to the program.
func TestExecPassesSignalsOn(t *testing.T) {
	socket := startRunner(t)
	reader, writer := io.Pipe()
	s := &session{in: strings.NewReader(""), out: writer, err: io.Discard, now: time.Now, socket: socket}
	code := make(chan int, 1)
	go func() {
		code <- run(context.Background(), s, []string{"ros", "service", "exec", "web", "signal"})
		writer.Close()
	}()
	buffer := make([]byte, 64)
	n, err := reader.Read(buffer)
	if err != nil || string(buffer[:n]) != "ready\n" {
		t.Fatalf("%q %v", buffer[:n], err)
	}
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(reader)
	if got := <-code; err != nil || string(rest) != "SIGUSR1\n" || got != 143 {
		t.Errorf("%q %v, exit %d", rest, err, got)
	}
}
