// Package web is the HTTP client of datasources: every request is bounded in
// time and size, retried while its service is not up yet, goes through no
// proxy, and follows no redirection unless it is told to. It imports nothing of
// ours.
package web

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"
)

// Defaults of Client.
const (
	DefaultTry   = 5 * time.Second
	DefaultLimit = 4 << 20
	// firstPause and lastPause are between tries; each is twice the one before.
	firstPause = 200 * time.Millisecond
	lastPause  = 5 * time.Second
	burst      = 50 * time.Millisecond
	redirects  = 5
)

// Client fetches. Its zero value works.
type Client struct {
	Try   time.Duration // bound of one try, with its body; 0: DefaultTry
	Limit int64         // bytes of a body; 0: DefaultLimit
	// Changed, if there, gives a channel that tells when the network has
	// changed: a try that waits for its turn is then made at once.
	Changed func() <-chan struct{}
	// Dial replaces the way to a server, in tests.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Roots are trusted by https; nil: those of the system.
	TLS *tls.Config
}

// Request is one question.
type Request struct {
	Method  string // "": GET, or POST with a body
	URL     string
	Header  map[string]string
	Body    []byte
	Once    bool // no second try, whatever happens
	Follow  bool // redirections, but not from https to http
	Private bool // from a port below 1024, which only root can have
}

// Response is an answer with the status 200 to 299.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	URL    string // that answered, after redirections
}

// StatusError is an answer with any other status.
type StatusError struct {
	URL    string
	Status int
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s: %d %s", Plain(e.URL), e.Status, http.StatusText(e.Status))
}

// IsStatus says whether err is an answer with one of the statuses.
func IsStatus(err error, statuses ...int) bool {
	var s *StatusError
	if !errors.As(err, &s) {
		return false
	}
	for _, want := range statuses {
		if s.Status == want {
			return true
		}
	}
	return false
}

// Plain is a URL that can be shown: without a password in it, and without a
// query, which may hold a token.
func Plain(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "a URL that cannot be read"
	}
	if u.RawQuery != "" {
		u.RawQuery = "..."
	}
	return u.Redacted()
}

// Get is Do for a plain question; it gives the body.
func (c *Client) Get(ctx context.Context, url string, header map[string]string) ([]byte, error) {
	r, err := c.Do(ctx, Request{URL: url, Header: header})
	return r.Body, err
}

// Optional is Get where there may be nothing: 404 and 204 are an empty body.
func (c *Client) Optional(ctx context.Context, url string, header map[string]string) ([]byte, error) {
	body, err := c.Get(ctx, url, header)
	if IsStatus(err, http.StatusNotFound) {
		return nil, nil
	}
	return body, err
}

// Do asks until there is an answer that asking again would not change, or ctx
// ends. Then the error says what the last try met.
func (c *Client) Do(ctx context.Context, r Request) (Response, error) {
	if _, err := http.NewRequestWithContext(ctx, c.method(r), r.URL, nil); err != nil {
		return Response{}, fmt.Errorf("%s: not a URL that can be fetched", Plain(r.URL))
	}
	pause := firstPause
	for {
		changed := c.changes()
		response, wait, err := c.try(ctx, r)
		if err == nil || r.Once || !again(err) {
			return response, err
		}
		if wait < pause {
			wait = pause
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-changed: // changes come in bursts: the last of them counts
			timer.Reset(burst)
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return Response{}, fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		}
		pause = min(2*pause, lastPause)
	}
}

func (c *Client) changes() <-chan struct{} {
	if c.Changed == nil {
		return nil
	}
	return c.Changed()
}

func (c *Client) method(r Request) string {
	switch {
	case r.Method != "":
		return r.Method
	case r.Body != nil:
		return http.MethodPost
	}
	return http.MethodGet
}

// again says whether another try may go better: the service, or the way to it,
// is not up yet.
func again(err error) bool {
	var s *StatusError
	if errors.As(err, &s) {
		switch s.Status {
		case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests,
			http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
		return false
	}
	var certificate *tls.CertificateVerificationError
	return !errors.As(err, &certificate) && !errors.Is(err, errTooLarge) && !errors.Is(err, errDowngrade)
}

var (
	errTooLarge  = errors.New("the answer is too large")
	errDowngrade = errors.New("redirected from https to http, which is not followed")
)

// try asks once. wait is what the server asks for before the next try.
func (c *Client) try(ctx context.Context, r Request) (_ Response, wait time.Duration, err error) {
	limit := c.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	bound := c.Try
	if bound == 0 {
		bound = DefaultTry
	}
	ctx, cancel := context.WithTimeoutCause(ctx, bound, fmt.Errorf("no answer within %v", bound))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, c.method(r), r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return Response{}, 0, err
	}
	request.Header.Set("User-Agent", "Testudo")
	request.Header.Set("Accept-Encoding", "identity") // gzip is user data's own business
	for name, value := range r.Header {
		request.Header.Set(name, value)
	}
	transport := c.transport(r)
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: check(r)}
	response, err := client.Do(request)
	if err != nil {
		return Response{}, 0, cause(ctx, r, err)
	}
	defer response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return Response{}, retryAfter(response.Header), &StatusError{r.URL, response.StatusCode}
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil {
		return Response{}, 0, cause(ctx, r, err)
	}
	if int64(len(body)) > limit {
		return Response{}, 0, fmt.Errorf("%s: %w: more than %d bytes", Plain(r.URL), errTooLarge, limit)
	}
	return Response{response.StatusCode, response.Header, body, response.Request.URL.String()}, 0, nil
}

// check decides about redirections: without Follow the answer is what counts.
func check(r Request) func(*http.Request, []*http.Request) error {
	return func(next *http.Request, via []*http.Request) error {
		switch {
		case !r.Follow:
			return http.ErrUseLastResponse
		case len(via) > redirects:
			return fmt.Errorf("redirected more than %d times", redirects)
		case via[len(via)-1].URL.Scheme == "https" && next.URL.Scheme != "https":
			return errDowngrade
		}
		return nil
	}
}

func (c *Client) transport(r Request) *http.Transport {
	dial := c.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	if r.Private {
		dial = dialPrivate
	}
	return &http.Transport{
		DialContext: dial, TLSClientConfig: c.TLS, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
	}
}

// dialPrivate takes the first free port below 1024.
func dialPrivate(ctx context.Context, network, address string) (net.Conn, error) {
	for port := 1023; port > 512; port-- {
		conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{Port: port}}).DialContext(ctx, network, address)
		if !errors.Is(err, syscall.EADDRINUSE) && !errors.Is(err, syscall.EADDRNOTAVAIL) {
			return conn, err
		}
	}
	return nil, errors.New("no port below 1024 is free")
}

// cause says what ended a try, without the URL twice.
func cause(ctx context.Context, r Request, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", Plain(r.URL), context.Cause(ctx))
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("%s: %w", Plain(r.URL), err)
}

// retryAfter reads seconds; a date would need a clock that is right.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, 30*time.Second)
}

// Any asks several servers at once and gives the first answer that asking
// again would not change, with its place in the list. With an error, it is that
// of the first.
func (c *Client) Any(ctx context.Context, requests ...Request) (int, Response, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		i        int
		response Response
		err      error
	}
	answers := make(chan answer, len(requests))
	for i, r := range requests {
		go func() {
			response, err := c.Do(ctx, r)
			answers <- answer{i, response, err}
		}()
	}
	errs := make([]error, len(requests))
	for range requests {
		a := <-answers
		var status *StatusError
		if a.err == nil || errors.As(a.err, &status) && !again(a.err) {
			return a.i, a.response, a.err
		}
		errs[a.i] = a.err
	}
	if len(errs) == 0 {
		return 0, Response{}, errors.New("no server to ask")
	}
	return 0, Response{}, errs[0]
}

// poll is how often Next tells where the network does not change.
const poll = 500 * time.Millisecond

// Next gives a channel that tells when it is worth looking at the network's
// state again: it has changed, or some time has passed.
func (c *Client) Next() <-chan struct{} {
	changed := c.changes()
	out := make(chan struct{})
	go func() {
		defer close(out)
		timer := time.NewTimer(poll)
		defer timer.Stop()
		select {
		case <-changed:
		case <-timer.C:
		}
	}()
	return out
}
