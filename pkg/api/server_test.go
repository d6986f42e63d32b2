package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// answers is a Backend with one service, web.
type answers struct {
	Configuration

	Lifecycle
	did chan string
}

func (a answers) Status(context.Context) (Status, error)      { return Status{Hostname: "box"}, nil }
func (a answers) Version(context.Context) (Version, error)    { return Version{Version: "1"}, nil }
func (a answers) Usage(context.Context) ([]Usage, error)      { return nil, nil }
func (a answers) Services(context.Context) ([]Service, error) { return nil, nil }
func (a answers) Boot(context.Context) ([]BootStep, error)    { return []BootStep{{Name: "mount"}}, nil }
func (a answers) Network(context.Context) (Network, error)    { return Network{Online: true}, nil }
func (a answers) WatchNetwork(_ context.Context, state func(Network) error) error {
	return state(Network{Online: true})
}
func (a answers) Config(context.Context, ConfigOptions) (any, error) {
	return map[string]string{"hostname": "box"}, nil
}

func (a answers) Service(_ context.Context, name string) (Service, error) {
	if name != "web" {
		return Service{}, fmt.Errorf("%w: no service %s is declared", ErrNotFound, name)
	}
	return Service{Name: name}, nil
}

func (a answers) Inspect(ctx context.Context, name string) (any, error) { return a.Service(ctx, name) }

func (a answers) Upgrade(_ context.Context, name string, o Upgrade, tell func(Progress)) (Upgraded, error) {
	switch o.Image {
	case "early":
		return Upgraded{}, fmt.Errorf("%w: early", ErrConflict)
	case "late":
		tell(Progress{Step: "pull", Done: 1})
		return Upgraded{}, errors.New("late")
	}
	tell(Progress{Step: "pull", Done: 1})
	return Upgraded{Service: name, Image: o.Image}, nil
}

func (a answers) Up(ctx context.Context, o Up) ([]Change, error) {
	return []Change{{Service: "web", Action: ChangeRestart, Reason: fmt.Sprint(o.Services, o.DryRun)}}, nil
}

func (a answers) Do(ctx context.Context, name string, verb Verb) (Service, error) {
	a.did <- string(verb) + " " + name
	return a.Service(ctx, name)
}

func (a answers) Declare(_ context.Context, name string, verb Declare, d Declaration) (Declared, error) {
	if name != "web" {
		return Declared{}, fmt.Errorf("%w: %s", ErrConflict, name)
	}
	return Declared{Name: name, Message: string(verb) + " " + d.File}, nil
}

func (a answers) Power(_ context.Context, action string) error {
	if action != "reboot" {
		return fmt.Errorf("%w: %q", ErrInvalid, action)
	}
	return nil
}

func (a answers) Logs(ctx context.Context, o LogOptions, line func(LogLine) error) error {
	if slices.Contains(o.Services, "none") {
		return fmt.Errorf("%w: none", ErrNotFound)
	}
	if err := line(LogLine{Line: fmt.Sprintf("tail %d", o.Tail)}); err != nil {
		return err
	}
	if o.Follow {
		<-ctx.Done()
	}
	return nil
}

func (a answers) Events(ctx context.Context, o EventOptions, event func(SystemEvent) error) error {
	return event(SystemEvent{Name: fmt.Sprint(o.Tail)})
}

// serveSocket gives a client of a real server on a real socket.
func serveSocket(t *testing.T) (*Client, answers) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "api.sock")
	if err := os.WriteFile(path, nil, 0o600); err != nil { // what an earlier rosd left
		t.Fatal(err)
	}
	listener, err := Listen(path, os.Getgid())
	if err != nil {
		t.Skip("needs root to give the socket away:", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket is %v (%v), want 0660", info.Mode(), err)
	}
	backend := answers{did: make(chan string, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, listener, backend) }()
	client := NewClient(path)
	t.Cleanup(func() {
		client.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error("the server's end:", err)
		}
	})
	return client, backend
}

func TestClientAndServerAgree(t *testing.T) {
	c, backend := serveSocket(t)
	ctx := t.Context()
	if s, err := c.Status(ctx); err != nil || s.Hostname != "box" {
		t.Errorf("status: %+v %v", s, err)
	}
	if v, err := c.Version(ctx); err != nil || v.Version != "1" {
		t.Errorf("version: %+v %v", v, err)
	}
	if s, err := c.Services(ctx); err != nil || s == nil || len(s) != 0 {
		t.Errorf("no services must be an empty list: %#v %v", s, err)
	}
	if b, err := c.Boot(ctx); err != nil || len(b) != 1 {
		t.Errorf("boot: %+v %v", b, err)
	}
	if s, err := c.Service(ctx, "web"); err != nil || s.Name != "web" {
		t.Errorf("service: %+v %v", s, err)
	}
	if _, err := c.Service(ctx, "no/body"); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "no/body") {
		t.Errorf("unknown service: %v", err)
	}
	if raw, err := c.Inspect(ctx, "web"); err != nil || !strings.Contains(string(raw), "web") {
		t.Errorf("inspect: %s %v", raw, err)
	}
	for _, verb := range []Verb{VerbStart, VerbStop, VerbRestart} {
		if s, err := c.Do(ctx, "web", verb); err != nil || s.Name != "web" || <-backend.did != string(verb)+" web" {
			t.Errorf("%s: %+v %v", verb, s, err)
		}
	}
	if _, err := c.Do(ctx, "web", "explode"); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown verb: %v", err)
	}
	steps := 0
	count := func(Progress) { steps++ }
	if u, err := c.Upgrade(ctx, "web", Upgrade{Image: "new"}, count); err != nil || u.Image != "new" || steps != 1 {
		t.Errorf("upgrade: %+v %v, %d steps", u, err, steps)
	}
	if _, err := c.Upgrade(ctx, "web", Upgrade{Image: "early"}, count); !errors.Is(err, ErrConflict) {
		t.Errorf("an upgrade that is refused: %v", err)
	}
	if _, err := c.Upgrade(ctx, "web", Upgrade{Image: "late"}, count); err == nil || err.Error() != "late" {
		t.Errorf("an upgrade that fails: %v", err)
	}
	if changes, err := c.Up(ctx, Up{Services: []string{"web"}, DryRun: true}); err != nil || len(changes) != 1 || changes[0].Reason != "[web] true" {
		t.Errorf("up: %+v %v", changes, err)
	}
	if err := c.Power(ctx, "reboot"); err != nil {
		t.Errorf("power: %v", err)
	}
	if err := c.Power(ctx, "melt"); !errors.Is(err, ErrInvalid) {
		t.Errorf("unknown power action: %v", err)
	}
	if raw, err := c.Config(ctx, ConfigOptions{}); err != nil || !strings.Contains(string(raw), "box") {
		t.Errorf("config: %s %v", raw, err)
	}
}

func TestLogsAreStreamed(t *testing.T) {
	c, _ := serveSocket(t)
	for _, o := range []LogOptions{{Services: []string{"web"}, Tail: 3}, {Tail: -1}} {
		var got []string
		err := c.Logs(t.Context(), o, func(l LogLine) error { got = append(got, l.Line); return nil })
		if want := fmt.Sprintf("tail %d", o.Tail); err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%+v: %q %v", o, got, err)
		}
	}
	if err := c.Logs(t.Context(), LogOptions{Services: []string{"none"}}, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown service: %v", err)
	}
	// Following: the line comes although the answer goes on.
	enough := errors.New("enough")
	if err := c.Logs(t.Context(), LogOptions{Tail: 0, Follow: true}, func(LogLine) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("follow: %v", err)
	}
}

func TestEveryLogOptionArrivesAsItWasSent(t *testing.T) {
	boot, priority := -1, 3
	want := LogOptions{
		Services: []string{"web", "db"}, Tail: 7, Since: time.Date(2026, 11, 21, 12, 0, 0, 123, time.UTC), Until: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC),
		Boot: &boot, Priority: &priority, Grep: "a+b&c",
	}
	b := &recorder{}
	if err := sendLogs(b, &http.Request{URL: &url.URL{RawQuery: want.query().Encode()}}, nil); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(b.got, want) {
		t.Errorf("got  %+v\nwant %+v", b.got, want)
	}
}

// recorder keeps what is asked of it.
type recorder struct {
	Backend
	got LogOptions
}

func (r *recorder) Logs(_ context.Context, o LogOptions, _ func(LogLine) error) error {
	r.got = o
	return nil
}

func TestWhatTheServerDoesNotKnowIsRefusedAndSaidInJSON(t *testing.T) {
	handler := Handler(answers{did: make(chan string, 1)})
	for _, c := range []struct {
		method, target, body string
		code                 int
		says                 string
	}{
		{"GET", "/v2/x", "", 404, "not found: GET /v2/x"},
		{"GET", "/v1/power", "", 405, "want POST"},
		{"DELETE", "/v1/status", "", 405, "want GET"},
		{"GET", "/v1/logs?tail=-1", "", 400, `tail="-1": want a number from 0`},
		{"GET", "/v1/logs?tail=x", "", 400, "want a number"},
		{"GET", "/v1/logs?tal=1", "", 400, `unknown parameter "tal": want service, tail`},
		{"GET", "/v1/logs?tail=1&tail=2", "", 400, "more than once"},
		{"GET", "/v1/logs?follow=yes", "", 400, "want true or false"},
		{"GET", "/v1/logs?since=10m", "", 400, "want a time such as"},
		{"GET", "/v1/logs?boot=1", "", 400, "want a number from"},
		{"GET", "/v1/logs?priority=8", "", 400, "from 0 to 7"},
		{"GET", "/v1/logs?grep=(", "", 400, "no regular expression"},
		{"GET", "/v1/logs?follow=true&until=2026-11-21T12:00:00Z", "", 400, "of no use with follow"},
		{"GET", "/v1/events?service=web", "", 400, "unknown parameter"},
		{"GET", "/v1/status?x", "", 400, `unknown parameter "x": want none`},
		{"GET", "/v1/status?%zz", "", 400, "query"},
		{"POST", "/v1/power", `{"action":"reboot","when":"now"}`, 400, `unknown field "when"`},
		{"POST", "/v1/power", `{"action":"reboot"} {}`, 400, "more than one"},
		{"POST", "/v1/power", `{"action":7}`, 400, "body"},
		{"POST", "/v1/power", ``, 400, "body"},
		{"POST", "/v1/services/web/start", `{"force":true}`, 400, "takes no body"},
	} {
		t.Run(c.method+" "+c.target+c.body, func(t *testing.T) {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest(c.method, c.target, strings.NewReader(c.body)))
			var e Error
			if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != c.code || !strings.Contains(e.Message, c.says) {
				t.Errorf("%d %s (%v), want %d with %q", w.Code, w.Body, err, c.code, c.says)
			}
			if kind := w.Header().Get("Content-Type"); kind != "application/json" {
				t.Errorf("content type %q", kind)
			}
		})
	}
}

func TestAStreamThatFailsHalfwayDoesNotLookWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: Handler(broken{})}
	go server.Serve(listener)
	defer server.Close()
	c := NewClient(path)
	defer c.Close()
	n := 0
	err = c.Logs(t.Context(), LogOptions{Tail: -1}, func(LogLine) error { n++; return nil })
	if err == nil {
		t.Errorf("after %d lines the log seems to be at its end", n)
	}
}

type broken struct{ Backend }

func (broken) Logs(_ context.Context, _ LogOptions, line func(LogLine) error) error {
	return errors.Join(line(LogLine{}), errors.New("the disk broke"))
}
func TestDeclareSendsTheFileWithCreateAlone(t *testing.T) {
	client, _ := serveSocket(t)
	for verb, want := range map[Declare]string{DeclareEnable: "enable ", DeclareDisable: "disable ", DeclareRemove: "remove ", DeclareCreate: "create text"} {
		if got, err := client.Declare(t.Context(), "web", verb, Declaration{File: "text"}); err != nil || got.Message != want {
			t.Errorf("%s: got %+v, %v", verb, got, err)
		}
	}
	if _, err := client.Declare(t.Context(), "other", DeclareEnable, Declaration{}); !errors.Is(err, ErrConflict) {
		t.Errorf("got %v", err)
	}
}
