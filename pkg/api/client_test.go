package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// serve runs an HTTP server on a unix socket until the test ends.
func serve(t *testing.T, handler http.Handler) *Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "api") // short: a socket's path holds 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	c := NewClient(socket)
	t.Cleanup(func() {
		c.Close()
		_ = server.Close()
		<-done
		_ = os.RemoveAll(dir)
	})
	return c
}

func TestClientAsksTheRoutesOfTheContract(t *testing.T) {
	var got string
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Method + " " + r.URL.RequestURI()
		switch r.URL.Path {
		case "/v1/services", "/v1/boot":
			fmt.Fprint(w, "[]")
		default:
			fmt.Fprint(w, "{}")
		}
	}))
	ctx := t.Context()
	calls := []struct {
		want string
		call func() error
	}{
		{"GET /v1/status", func() error { _, err := c.Status(ctx); return err }},
		{"GET /v1/version", func() error { _, err := c.Version(ctx); return err }},
		{"GET /v1/services", func() error { _, err := c.Services(ctx); return err }},
		{"GET /v1/services/ntp", func() error { _, err := c.Service(ctx, "ntp"); return err }},
		{"GET /v1/services/a%2F..%2Fb", func() error { _, err := c.Service(ctx, "a/../b"); return err }},
		{"GET /v1/services/ntp/inspect", func() error { _, err := c.Inspect(ctx, "ntp"); return err }},
		{"POST /v1/services/ntp/restart", func() error { _, err := c.Do(ctx, "ntp", VerbRestart); return err }},
		{"GET /v1/boot", func() error { _, err := c.Boot(ctx); return err }},
		{"POST /v1/power", func() error { return c.Power(ctx, "reboot") }},
		{"GET /v1/config", func() error { _, err := c.Config(ctx, ConfigOptions{}); return err }},
		{"GET /v1/network", func() error { _, err := c.Network(ctx); return err }},
		{"GET /v1/network/watch", func() error { return c.WatchNetwork(ctx, func(Network) error { return nil }) }},
		{"GET /v1/logs", func() error { return c.Logs(ctx, LogOptions{Tail: -1}, func(LogLine) error { return nil }) }},
		{"GET /v1/logs?follow=true&service=ntp&tail=0", func() error {
			return c.Logs(ctx, LogOptions{Services: []string{"ntp"}, Follow: true}, func(LogLine) error { return nil })
		}},
	}
	for _, call := range calls {
		if err := call.call(); err != nil {
			t.Errorf("%s: %v", call.want, err)
		}
		if got != call.want {
			t.Errorf("got %s, want %s", got, call.want)
		}
	}
}

func TestErrorsCarryTheirClassOverTheWire(t *testing.T) {
	for _, class := range []error{ErrInvalid, ErrNotFound, ErrConflict, ErrUnavailable, context.DeadlineExceeded} {
		c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			err := fmt.Errorf("service x: %w", class)
			w.WriteHeader(HTTPStatus(err))
			_ = json.NewEncoder(w).Encode(Error{Message: err.Error()})
		}))
		_, err := c.Service(t.Context(), "x")
		if !errors.Is(err, class) || err.Error() != "service x: "+class.Error() {
			t.Errorf("got %v, want class %v", err, class)
		}
		if errors.Is(err, ErrUnreachable) {
			t.Errorf("%v is taken for unreachable", err)
		}
	}
	if got := HTTPStatus(errors.New("x")); got != http.StatusInternalServerError {
		t.Errorf("an error without a class: %d", got)
	}
}

func TestAnAnswerThatIsNotOursIsStillAnError(t *testing.T) {
	c := serve(t, http.NotFoundHandler())
	if _, err := c.Status(t.Context()); !errors.Is(err, ErrNotFound) || err.Error() != "404 Not Found" {
		t.Errorf("got %v", err)
	}
}

func TestNoServerIsUnreachable(t *testing.T) {
	dir := t.TempDir()
	if _, err := NewClient(filepath.Join(dir, "none")).Status(t.Context()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("no socket: got %v", err)
	}
	stale := filepath.Join(dir, "stale")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := NewClient(stale).Status(t.Context()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("a socket nobody listens on: got %v", err)
	}
}

func TestAServerThatDiesInTheMiddleIsUnreachable(t *testing.T) {
	c := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	if _, err := c.Do(t.Context(), "x", VerbStop); !errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v", err)
	}
}

func TestPermissionHasItsOwnClass(t *testing.T) {
	c := NewClient("/run/s")
	err := c.explain(t.Context(), &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.EACCES)})
	if !errors.Is(err, ErrPermission) || errors.Is(err, ErrUnreachable) || err.Error() != "permission denied: /run/s" {
		t.Errorf("got %v", err)
	}
}

func TestLogsStreamUntilTheContextEnds(t *testing.T) {
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i := range 3 {
			_ = json.NewEncoder(w).Encode(LogLine{Service: "ntp", Line: fmt.Sprint(i)})
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done()
	}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []string
	err := c.Logs(ctx, LogOptions{Follow: true, Tail: -1}, func(l LogLine) error {
		if got = append(got, l.Line); len(got) == 3 {
			cancel() // nothing more comes: only this ends it
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || fmt.Sprint(got) != "[0 1 2]" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestLogsEndWithTheLogOrWithTheReader(t *testing.T) {
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"line":"a"}`+"\n"+`{"line":"b"}`+"\n")
	}))
	var got string
	if err := c.Logs(t.Context(), LogOptions{Tail: -1}, func(l LogLine) error { got += l.Line; return nil }); err != nil || got != "ab" {
		t.Errorf("got %q, %v", got, err)
	}
	enough := errors.New("enough")
	if err := c.Logs(t.Context(), LogOptions{Tail: -1}, func(LogLine) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}
