package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
)

// ExecProtocol is what a connection is upgraded to by POST
// /v1/services/{name}/exec: frames in both directions, see frame.
const ExecProtocol = "testudo-exec"

// Exec is the body of POST /v1/services/{name}/exec: a program to be run in a
// running service, with its limits, capabilities and system call filter.
type Exec struct {
	Command     []string `json:"command"`
	User        string   `json:"user,omitempty"`        // USER[:GROUP], names of the service's files or numbers; "": as the service itself
	Environment []string `json:"environment,omitempty"` // KEY=VALUE, over the service's own
	WorkingDir  string   `json:"working_dir,omitempty"` // "": the service's own
	Stdin       bool     `json:"stdin,omitempty"`       // its input is what is sent; else there is none
	Terminal    bool     `json:"terminal,omitempty"`    // it runs on a terminal of its own, and all it writes is stdout
	Size        Size     `json:"size,omitzero"`         // of that terminal
}

// Size is a terminal's, in characters; zero: not known.
type Size struct {
	Rows    int `json:"rows"`
	Columns int `json:"columns"`
}

// ExecEnd is the last frame: how the program ended.
type ExecEnd struct {
	Code  int    `json:"code"`            // 128 and the signal's number when one ended it
	Error string `json:"error,omitempty"` // how it ended is not known, and why
}

// Process is a program that runs in a service.
type Process interface {
	// Run moves its streams, once, and returns when it has ended and all that
	// it wrote is written. When ctx ends it is sent SIGHUP and, when that does
	// not help, SIGKILL. Run does not wait for stdin, which is nil where
	// Exec.Stdin is not set.
	Run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) (code int, err error)
	Resize(ctx context.Context, size Size) error
	Signal(ctx context.Context, name string) error
}

// maxColumns bounds a terminal as the kernel does (struct winsize).
const maxColumns = 1<<16 - 1

// check says what is wrong with a request.
func (e Exec) check() error {
	switch {
	case len(e.Command) == 0 || e.Command[0] == "":
		return fmt.Errorf("%w: command: want a program and its arguments", ErrInvalid)
	case e.WorkingDir != "" && !path.IsAbs(e.WorkingDir):
		return fmt.Errorf("%w: working_dir: want a path that begins with /", ErrInvalid)
	case slices.ContainsFunc(e.Environment, func(v string) bool { return strings.IndexByte(v, '=') < 1 }):
		return fmt.Errorf("%w: environment: want KEY=VALUE", ErrInvalid)
	}
	return e.Size.check()
}

func (s Size) check() error {
	if s.Rows < 0 || s.Columns < 0 || s.Rows > maxColumns || s.Columns > maxColumns {
		return fmt.Errorf("%w: size: want numbers from 0 to %d", ErrInvalid, maxColumns)
	}
	return nil
}

func execRoute() route {
	return route{
		method: "POST", path: "/v1/services/{name}/exec", id: "execInService",
		summary: "Run a program in it. Wants `Connection: Upgrade` and `Upgrade: " + ExecProtocol + "`; the connection then carries frames, see docs/api.md.",
		body:    Exec{}, upgrade: ExecProtocol,
	}
}

// serveExec starts the program while HTTP can still tell that it cannot be
// started, then takes the connection over.
func serveExec(w http.ResponseWriter, r *http.Request, b Backend) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), ExecProtocol) || !strings.EqualFold(r.Header.Get("Connection"), "Upgrade") {
		fail(w, fmt.Errorf("%w: want the headers Connection: Upgrade and Upgrade: %s", ErrInvalid, ExecProtocol))
		return
	}
	var o Exec
	err := readBody(r, &o)
	if err == nil {
		err = o.check()
	}
	if err != nil {
		fail(w, err)
		return
	}
	process, err := b.Exec(r.Context(), r.PathValue("name"), o)
	if err != nil {
		fail(w, err)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		cancel() // and Run ends it
		_, _ = process.Run(ctx, nil, io.Discard, io.Discard)
		fail(w, err)
		return
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", ExecProtocol); err != nil {
		cancel() // nobody is there any more
	}
	// What ends the connection's reading: rosd leaves, or the other side.
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	(&execServer{process: process, out: &frames{w: conn}}).serve(ctx, cancel, buffered.Reader, o.Stdin)
}

// execServer is rosd's side of one program's connection.
type execServer struct {
	process Process
	out     *frames
	stdin   *window
}

func (s *execServer) serve(ctx context.Context, hangUp context.CancelFunc, in *bufio.Reader, withStdin bool) {
	var stdin io.Reader
	if withStdin {
		s.stdin = newWindow(func(n int) error { return s.out.send(frameTaken, fmt.Append(nil, n)) })
		defer s.stdin.close(io.ErrClosedPipe)
		stdin = s.stdin
	}
	go func() {
		// The client has gone, or speaks otherwise than agreed.
		defer hangUp()
		for {
			kind, data, err := readFrame(in)
			if err == nil {
				err = s.take(ctx, kind, data)
			}
			if err != nil {
				return
			}
		}
	}()
	code, err := s.process.Run(ctx, stdin, s.out.stream(frameStdout), s.out.stream(frameStderr))
	end := ExecEnd{Code: code}
	if err != nil {
		end.Error = err.Error()
	}
	data, err := json.Marshal(end)
	if err == nil {
		_ = s.out.send(frameEnd, data) // who has gone does not want to know
	}
}

// take does what one frame of the client says. It does not wait for the
// program: a signal must get through to one that reads nothing.
func (s *execServer) take(ctx context.Context, kind byte, data []byte) error {
	switch kind {
	case frameStdin:
		if s.stdin == nil {
			return errors.New("input for a program that has none")
		}
		return s.stdin.add(data)
	case frameResize:
		var size Size
		if err := json.Unmarshal(data, &size); err != nil {
			return err
		}
		if err := size.check(); err != nil {
			return err
		}
		_ = s.process.Resize(ctx, size) // of one that has just ended
		return nil
	case frameSignal:
		_ = s.process.Signal(ctx, string(data))
		return nil
	}
	return fmt.Errorf("a frame of the unknown kind %d", kind)
}
