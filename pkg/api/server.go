package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// maxRequest bounds what a client may send.
const maxRequest = 1 << 20

// Handler serves the routes.
func Handler(b Backend) http.Handler {
	mux := http.NewServeMux()
	for _, r := range routes() {
		mux.Handle(r.method+" "+r.path, r.handler(b))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		for _, method := range []string{"GET", "POST"} {
			other := &http.Request{Method: method, URL: r.URL, Host: r.Host}
			if _, pattern := mux.Handler(other); pattern != "" {
				w.Header().Set("Allow", method)
				fail(w, fmt.Errorf("%w: %s %s: want %s", ErrMethod, r.Method, r.URL.Path, method))
				return
			}
		}
		fail(w, fmt.Errorf("%w: %s %s", ErrNotFound, r.Method, r.URL.Path))
	})
}

func (rt route) handler(b Backend) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := rt.check(r); err != nil {
			fail(w, err)
			return
		}
		switch {
		case rt.upgrade != "":
			serveExec(w, r, b)
			return
		case rt.stream:
			rt.serveStream(w, r, b)
			return
		}
		value, err := rt.do(b, r)
		if err != nil {
			fail(w, err)
			return
		}
		data, err := json.Marshal(value)
		if err != nil {
			fail(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(append(data, '\n')) // a client that has gone is no concern of ours
	})
}

// check refuses what would otherwise be ignored: a parameter with a typing
// error means something to the one who sent it.
func (rt route) check(r *http.Request) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return fmt.Errorf("%w: query: %w", ErrInvalid, err)
	}
	var names []string
	for _, p := range rt.query {
		names = append(names, p.name)
		if len(query[p.name]) > 1 && !p.repeats {
			return fmt.Errorf("%w: parameter %q is given more than once", ErrInvalid, p.name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !slices.Contains(names, name) {
			return fmt.Errorf("%w: unknown parameter %q: want %s", ErrInvalid, name, orNone(names))
		}
	}
	if rt.body == nil && r.ContentLength > 0 {
		return fmt.Errorf("%w: %s %s takes no body", ErrInvalid, rt.method, rt.path)
	}
	return nil
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// readBody reads one JSON value and nothing behind it. Keys that are not in
// the type are refused.
func readBody(r *http.Request, into any) error {
	decoder := json.NewDecoder(io.LimitReader(r.Body, maxRequest))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%w: body: %w", ErrInvalid, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: body: more than one JSON value", ErrInvalid)
	}
	return nil
}

func fail(w http.ResponseWriter, err error) {
	data, marshalErr := json.Marshal(Error{Message: err.Error()})
	if marshalErr != nil {
		data = []byte(`{"error":"the error cannot be told"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(HTTPStatus(err))
	w.Write(append(data, '\n'))
}

// serveStream sends JSON lines; an error before the first is a proper answer,
// one after it ends the stream.
func (rt route) serveStream(w http.ResponseWriter, r *http.Request, b Backend) {
	following := rt.live || r.URL.Query().Get("follow") == "true"
	begun := false
	begin := func() {
		if !begun {
			w.Header().Set("Content-Type", "application/jsonl")
			begun = true
		}
	}
	encoder := json.NewEncoder(w)
	flusher := http.NewResponseController(w)
	err := rt.flow(b, r, func(item any) error {
		begin()
		if err := encoder.Encode(item); err != nil {
			return err
		}
		if following {
			return flusher.Flush()
		}
		return nil
	})
	switch {
	case err != nil && !begun:
		fail(w, err)
	case err != nil:
		// The client must not take what it has for all there is.
		panic(http.ErrAbortHandler)
	default:
		begin() // of nothing
	}
}

// Listen opens the API's socket for root and one group. An old socket is
// replaced.
func Listen(path string, gid int) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("API socket: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("API socket: %w", err)
	}
	if err := errors.Join(os.Chown(path, 0, gid), os.Chmod(path, 0o660)); err != nil {
		return nil, errors.Join(fmt.Errorf("API socket: %w", err), listener.Close())
	}
	return listener, nil
}

// closeTimeout bounds how long requests on the way may take when rosd leaves.
const closeTimeout = time.Second

// Serve answers on listener until ctx ends.
func Serve(ctx context.Context, listener net.Listener, b Backend) error {
	server := &http.Server{
		Handler:           Handler(b),
		ReadHeaderTimeout: 10 * time.Second,
		// Requests end with us; a follower of logs would not by itself.
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnContext: withPeer,
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		timeout, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		stopped <- errors.Join(server.Shutdown(timeout), server.Close())
	})
	err := server.Serve(listener)
	if !stop() && errors.Is(err, http.ErrServerClosed) {
		return <-stopped
	}
	return fmt.Errorf("serve the API: %w", err)
}
