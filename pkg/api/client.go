package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

// Client speaks to rosd over its unix socket. It is safe for concurrent use.
type Client struct {
	socket string
	http   *http.Client
}

// NewClient gives a client of the rosd that listens on socket, mostly
// layout.APISocket. It does not connect yet.
func NewClient(socket string) *Client {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		},
		DisableCompression: true, // it is this machine
	}
	return &Client{socket: socket, http: &http.Client{Transport: transport}}
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status is the whole machine's state.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	return s, c.get(ctx, "/v1/status", nil, &s)
}

// Version says which release runs.
func (c *Client) Version(ctx context.Context) (v Version, err error) {
	return v, c.get(ctx, "/v1/version", nil, &v)
}

// Services lists every service, by name.
func (c *Client) Services(ctx context.Context) (s []Service, err error) {
	return s, c.get(ctx, "/v1/services", nil, &s)
}

// Service is one service with its history.
func (c *Client) Service(ctx context.Context, name string) (s Service, err error) {
	return s, c.get(ctx, servicePath(name), nil, &s)
}

// Inspect is a service as resolved, in JSON.
func (c *Client) Inspect(ctx context.Context, name string) (raw json.RawMessage, err error) {
	return raw, c.get(ctx, servicePath(name)+"/inspect", nil, &raw)
}

// Verb is what can be done to a service.
type Verb string

// The verbs of POST /v1/services/{name}/VERB.
const (
	VerbStart   Verb = "start"
	VerbStop    Verb = "stop"
	VerbRestart Verb = "restart"
)

// Do starts, stops or restarts a service and returns when it is done.
func (c *Client) Do(ctx context.Context, name string, verb Verb) (s Service, err error) {
	return s, c.call(ctx, http.MethodPost, servicePath(name)+"/"+string(verb), nil, nil, &s)
}

// Boot lists init's steps and the services' ways to ready.
func (c *Client) Boot(ctx context.Context) (steps []BootStep, err error) {
	return steps, c.get(ctx, "/v1/boot", nil, &steps)
}

// Power begins shutdown: "poweroff", "reboot" or "halt".
func (c *Client) Power(ctx context.Context, action string) error {
	return c.call(ctx, http.MethodPost, "/v1/power", nil, Power{Action: action}, nil)
}

// Usage says what each running service uses.
func (c *Client) Usage(ctx context.Context) (u []Usage, err error) {
	return u, c.get(ctx, "/v1/usage", nil, &u)
}

// Logs calls line for each line, oldest first, until the end of the log, the
// end of the context or an error of line's own.
func (c *Client) Logs(ctx context.Context, o LogOptions, line func(LogLine) error) error {
	return stream(ctx, c, "/v1/logs", o.query(), line)
}

// Events calls event for each event, oldest first, as Logs does.
func (c *Client) Events(ctx context.Context, o EventOptions, event func(SystemEvent) error) error {
	return stream(ctx, c, "/v1/events", o.query(), event)
}

// stream reads JSON lines.
func stream[T any](ctx context.Context, c *Client, path string, query url.Values, take func(T) error) error {
	body, err := c.send(ctx, http.MethodGet, path, query, nil)
	if err != nil {
		return err
	}
	defer body.Close()
	decoder := json.NewDecoder(body)
	for {
		var item T
		if err := decoder.Decode(&item); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return c.explain(ctx, fmt.Errorf("read the answer to GET %s: %w", path, err))
		}
		if err := take(item); err != nil {
			return err
		}
	}
}

func servicePath(name string) string { return "/v1/services/" + url.PathEscape(name) }

func (c *Client) get(ctx context.Context, path string, query url.Values, out any) error {
	return c.call(ctx, http.MethodGet, path, query, nil, out)
}

// call sends one request and decodes the answer into out, unless out is nil.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, in, out any) error {
	body, err := c.send(ctx, method, path, query, in)
	if err != nil {
		return err
	}
	defer body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(body).Decode(out); err != nil {
		return c.explain(ctx, fmt.Errorf("read the answer to %s %s: %w", method, path, err))
	}
	return nil
}

func (c *Client) send(ctx context.Context, method, path string, query url.Values, in any) (io.ReadCloser, error) {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
		body = bytes.NewReader(data)
	}
	// The host is for HTTP's sake only: the dialer knows one socket.
	target := "http://rosd" + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	if resp.StatusCode >= 200 && resp.StatusCode <= 299 {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	return nil, responseError(resp)
}

// responseError reads the body of an answer that is not 2xx.
func responseError(resp *http.Response) error {
	data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	var e Error
	if err != nil || json.Unmarshal(data, &e) != nil || e.Message == "" {
		e.Message = resp.Status
	}
	return &ResponseError{Code: resp.StatusCode, Message: e.Message}
}

// explain puts errors of the connection into a class.
func (c *Client) explain(ctx context.Context, err error) error {
	var urlErr *url.Error
	if errors.As(err, &urlErr) {
		err = urlErr.Err // without `Get "http://rosd/..."`, which means nothing to people
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %s", ErrPermission, c.socket)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w at %s: %w", ErrUnreachable, c.socket, err)
	}
	return err
}
