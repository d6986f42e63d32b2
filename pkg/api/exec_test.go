package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// program is a Process that tests play.
type program struct {
	run     func(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) (int, error)
	signals chan string
	sizes   chan Size
}

func (p *program) Run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	return p.run(ctx, stdin, stdout, stderr)
}

func (p *program) Signal(_ context.Context, name string) error { p.signals <- name; return nil }
func (p *program) Resize(_ context.Context, size Size) error   { p.sizes <- size; return nil }

// execBackend runs one program, whatever is asked for.
type execBackend struct {
	Backend
	program *program
	asked   chan Exec
}

func (b execBackend) Exec(ctx context.Context, name string, o Exec) (Process, error) {
	if name != "web" {
		return nil, fmt.Errorf("%w: %s does not run", ErrConflict, name)
	}
	if _, ok := PeerUID(ctx); !ok {
		return nil, errors.New("it is not known who asks")
	}
	b.asked <- o
	return b.program, nil
}

func serveExecs(t *testing.T, run func(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) (int, error)) (*Client, execBackend) {
	t.Helper()
	b := execBackend{program: &program{run: run, signals: make(chan string, 1), sizes: make(chan Size, 1)}, asked: make(chan Exec, 1)}
	return serve(t, Handler(b)), b
}

// lockedBuffer may be written and read at once.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestAProgramsStreamsAreKeptApartAndItsExitCodeComesBack(t *testing.T) {
	// More than the window and a frame hold, so both have to be filled and
	// emptied many times.
	input := strings.Repeat("0123456789abcdef", 1<<16)
	c, b := serveExecs(t, func(_ context.Context, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
		_, err := io.Copy(stdout, stdin)
		fmt.Fprint(stderr, "all said")
		return 7, err
	})
	var out, errOut lockedBuffer
	o := Exec{Command: []string{"cat", "-"}, User: "nobody", Environment: []string{"A=b"}, WorkingDir: "/srv"}
	code, err := c.Exec(t.Context(), "web", o, ExecStreams{Stdin: strings.NewReader(input), Stdout: &out, Stderr: &errOut})
	if err != nil || code != 7 {
		t.Errorf("exit %d, %v", code, err)
	}
	if out.String() != input || errOut.String() != "all said" {
		t.Errorf("%d bytes came back of %d; stderr %q", len(out.String()), len(input), errOut.String())
	}
	if got := <-b.asked; got.User != "nobody" || got.WorkingDir != "/srv" || !got.Stdin || got.Terminal || strings.Join(got.Command, " ") != "cat -" {
		t.Errorf("rosd was asked for %+v", got)
	}
}

func TestWithoutInputAProgramHasNone(t *testing.T) {
	c, _ := serveExecs(t, func(_ context.Context, stdin io.Reader, _, _ io.Writer) (int, error) {
		if stdin != nil {
			return 1, nil
		}
		return 0, nil
	})
	if code, err := c.Exec(t.Context(), "web", Exec{Command: []string{"x"}}, ExecStreams{Stdout: io.Discard, Stderr: io.Discard}); code != 0 || err != nil {
		t.Errorf("exit %d, %v", code, err)
	}
}

// A signal reaches a program that reads nothing, however much input waits for
// it.
func TestSignalsAndSizesPassInputThatNobodyReads(t *testing.T) {
	end := make(chan struct{})
	c, b := serveExecs(t, func(context.Context, io.Reader, io.Writer, io.Writer) (int, error) {
		<-end
		return 130, nil
	})
	signals, sizes := make(chan string), make(chan Size)
	result := make(chan int, 1)
	endless := io.MultiReader(strings.NewReader(strings.Repeat("x", 4*stdinWindow)), neverEnds{})
	go func() {
		code, err := c.Exec(context.Background(), "web", Exec{Command: []string{"x"}, Terminal: true},
			ExecStreams{Stdin: endless, Stdout: io.Discard, Stderr: io.Discard, Signals: signals, Sizes: sizes})
		if err != nil {
			t.Error(err)
		}
		result <- code
	}()
	<-b.asked
	signals <- "SIGINT"
	sizes <- Size{Rows: 24, Columns: 80}
	if got := <-b.program.signals; got != "SIGINT" {
		t.Errorf("signal %q", got)
	}
	if got := <-b.program.sizes; got != (Size{24, 80}) {
		t.Errorf("size %v", got)
	}
	close(end)
	if code := <-result; code != 130 {
		t.Errorf("exit %d", code)
	}
}

type neverEnds struct{}

func (neverEnds) Read(p []byte) (int, error) { return len(p), nil }

func TestAProgramIsEndedWhenTheOtherSideGoes(t *testing.T) {
	ended := make(chan struct{})
	c, b := serveExecs(t, func(ctx context.Context, _ io.Reader, _, _ io.Writer) (int, error) {
		<-ctx.Done()
		close(ended)
		return 129, nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		_, err := c.Exec(ctx, "web", Exec{Command: []string{"x"}}, ExecStreams{Stdout: io.Discard, Stderr: io.Discard})
		result <- err
	}()
	<-b.asked
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	<-ended
}

func TestWhatCannotBeRunIsToldBeforeTheConnectionIsTakenOver(t *testing.T) {
	c, _ := serveExecs(t, nil)
	streams := ExecStreams{Stdout: io.Discard, Stderr: io.Discard}
	for _, test := range []struct {
		name string
		o    Exec
		want error
		says string
	}{
		{"other", Exec{Command: []string{"x"}}, ErrConflict, "other does not run"},
		{"web", Exec{}, ErrInvalid, "command"},
		{"web", Exec{Command: []string{""}}, ErrInvalid, "command"},
		{"web", Exec{Command: []string{"x"}, WorkingDir: "srv"}, ErrInvalid, "working_dir"},
		{"web", Exec{Command: []string{"x"}, Environment: []string{"A"}}, ErrInvalid, "environment"},
		{"web", Exec{Command: []string{"x"}, Environment: []string{"=A"}}, ErrInvalid, "environment"},
		{"web", Exec{Command: []string{"x"}, Size: Size{Rows: -1}}, ErrInvalid, "size"},
		{"web", Exec{Command: []string{"x"}, Size: Size{Columns: 1 << 16}}, ErrInvalid, "size"},
	} {
		if _, err := c.Exec(t.Context(), test.name, test.o, streams); !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s %+v: %v", test.name, test.o, err)
		}
	}
	if err := c.call(t.Context(), http.MethodPost, "/v1/services/web/exec", nil, Exec{Command: []string{"x"}}, nil); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "Upgrade: "+ExecProtocol) {
		t.Errorf("without the headers: %v", err)
	}
}

func TestTheEndOfAProgramThatIsNotKnownIsAnError(t *testing.T) {
	c, _ := serveExecs(t, func(context.Context, io.Reader, io.Writer, io.Writer) (int, error) {
		return 0, errors.New("the shim is gone")
	})
	if _, err := c.Exec(t.Context(), "web", Exec{Command: []string{"x"}}, ExecStreams{Stdout: io.Discard, Stderr: io.Discard}); err == nil || err.Error() != "the shim is gone" {
		t.Errorf("got %v", err)
	}
}

func TestAConversationOtherThanAgreedEndsTheProgram(t *testing.T) {
	for name, send := range map[string]func(f *frames) error{
		"an unknown kind":             func(f *frames) error { return f.send(77, nil) },
		"a frame of the other side":   func(f *frames) error { return f.send(frameStdout, []byte("x")) },
		"input after its end":         func(f *frames) error { return errors.Join(f.send(frameStdin, nil), f.send(frameStdin, []byte("x"))) },
		"more input than the window":  func(f *frames) error { return flood(f) },
		"a size that is none":         func(f *frames) error { return f.send(frameResize, []byte("{")) },
		"a size that is out of range": func(f *frames) error { return f.send(frameResize, []byte(`{"rows":-1,"columns":1}`)) },
		"a frame that is too long":    func(f *frames) error { _, err := f.w.Write([]byte{frameStdin, 255, 0, 0, 0}); return err },
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan struct{})
			c, b := serveExecs(t, func(ctx context.Context, _ io.Reader, _, _ io.Writer) (int, error) {
				<-ctx.Done()
				close(ended)
				return 0, ctx.Err()
			})
			conn, err := c.upgrade(t.Context(), "/v1/services/web/exec", ExecProtocol, Exec{Command: []string{"x"}, Stdin: true})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			<-b.asked
			if err := send(&frames{w: conn}); err != nil {
				t.Log("sending:", err) // it may be gone before all is sent
			}
			select {
			case <-ended:
			case <-time.After(10 * time.Second):
				t.Fatal("it runs on")
			}
		})
	}
}

func flood(f *frames) error {
	for range stdinWindow/maxFrame + 1 {
		if err := f.send(frameStdin, make([]byte, maxFrame)); err != nil {
			return err
		}
	}
	return nil
}

func FuzzReadFrame(f *testing.F) {
	var good bytes.Buffer
	(&frames{w: &good}).send(frameStdout, []byte("hello"))
	f.Add(good.Bytes())
	f.Add([]byte{})
	f.Add([]byte{1, 0, 1, 0, 1})
	f.Add([]byte{1, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, data []byte) {
		kind, body, err := readFrame(bytes.NewReader(data))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := (&frames{w: &again}).send(kind, body); err != nil || !bytes.HasPrefix(data, again.Bytes()) {
			t.Errorf("%x reads as %d %x, which is written %x (%v)", data, kind, body, again.Bytes(), err)
		}
	})
}
