package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

// Backend answers the API's questions; rosd has one.
type Backend interface {
	Status(ctx context.Context) (Status, error)
	Version(ctx context.Context) (Version, error)
	Services(ctx context.Context) ([]Service, error)
	Service(ctx context.Context, name string) (Service, error)
	Inspect(ctx context.Context, name string) (any, error)
	Do(ctx context.Context, name string, verb Verb) (Service, error)
	Logs(ctx context.Context, o LogOptions, line func(LogLine) error) error
	Boot(ctx context.Context) ([]BootStep, error)
	Power(ctx context.Context, action string) error
	Config(ctx context.Context) (any, error)
}

// maxRequest bounds what a client may send.
const maxRequest = 1 << 20

// Handler serves the routes above.
func Handler(b Backend) http.Handler {
	mux := http.NewServeMux()
	get := func(path string, answer func(r *http.Request) (any, error)) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { reply(w, r, answer) })
	}
	post := func(path string, answer func(r *http.Request) (any, error)) {
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) { reply(w, r, answer) })
	}
	get("/v1/status", func(r *http.Request) (any, error) { return b.Status(r.Context()) })
	get("/v1/version", func(r *http.Request) (any, error) { return b.Version(r.Context()) })
	get("/v1/boot", func(r *http.Request) (any, error) { return list(b.Boot(r.Context())) })
	get("/v1/config", func(r *http.Request) (any, error) { return b.Config(r.Context()) })
	get("/v1/services", func(r *http.Request) (any, error) { return list(b.Services(r.Context())) })
	get("/v1/services/{name}", func(r *http.Request) (any, error) { return b.Service(r.Context(), r.PathValue("name")) })
	get("/v1/services/{name}/inspect", func(r *http.Request) (any, error) { return b.Inspect(r.Context(), r.PathValue("name")) })
	for _, verb := range []Verb{VerbStart, VerbStop, VerbRestart} {
		post("/v1/services/{name}/"+string(verb), func(r *http.Request) (any, error) {
			return b.Do(r.Context(), r.PathValue("name"), verb)
		})
	}
	post("/v1/power", func(r *http.Request) (any, error) {
		var body Power
		if err := json.NewDecoder(io.LimitReader(r.Body, maxRequest)).Decode(&body); err != nil {
			return nil, fmt.Errorf("%w: body: %w", ErrInvalid, err)
		}
		return struct{}{}, b.Power(r.Context(), body.Action)
	})
	mux.HandleFunc("GET /v1/logs", func(w http.ResponseWriter, r *http.Request) { logs(w, r, b) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, fmt.Errorf("%w: %s %s", ErrNotFound, r.Method, r.URL.Path))
	})
	return mux
}

// list makes "none" an empty list and not JSON's null.
func list[T any](items []T, err error) ([]T, error) {
	if items == nil {
		items = []T{}
	}
	return items, err
}

func reply(w http.ResponseWriter, r *http.Request, answer func(r *http.Request) (any, error)) {
	value, err := answer(r)
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

// logs streams JSON lines; an error before the first is a proper answer, one
// after it ends the stream.
func logs(w http.ResponseWriter, r *http.Request, b Backend) {
	query := r.URL.Query()
	o := LogOptions{Service: query.Get("service"), Tail: -1, Follow: query.Get("follow") == "true"}
	if text := query.Get("tail"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			fail(w, fmt.Errorf("%w: tail=%q is not a number of lines", ErrInvalid, text))
			return
		}
		o.Tail = n
	}
	begun := false
	begin := func() {
		if !begun {
			w.Header().Set("Content-Type", "application/jsonl")
			begun = true
		}
	}
	encoder := json.NewEncoder(w)
	flusher := http.NewResponseController(w)
	ctx := r.Context()
	if o.Follow {
		// The head goes out at once: the first line may be long in coming.
		// A line is pushed through when there is no other right behind it.
		begin()
		w.WriteHeader(http.StatusOK)
		if err := flusher.Flush(); err != nil {
			return
		}
	}
	err := b.Logs(ctx, o, func(line LogLine) error {
		begin()
		if err := encoder.Encode(line); err != nil {
			return err
		}
		if o.Follow {
			return flusher.Flush()
		}
		return nil
	})
	if err != nil && !begun {
		fail(w, err)
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
