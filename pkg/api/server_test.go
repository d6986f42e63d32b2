package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// answers is a Backend with one service, web.
type answers struct{ did chan string }

func (a answers) Status(context.Context) (Status, error)      { return Status{Hostname: "box"}, nil }
func (a answers) Version(context.Context) (Version, error)    { return Version{Version: "1"}, nil }
func (a answers) Services(context.Context) ([]Service, error) { return nil, nil }
func (a answers) Boot(context.Context) ([]BootStep, error)    { return []BootStep{{Name: "mount"}}, nil }
func (a answers) Config(context.Context) (any, error) {
	return map[string]string{"hostname": "box"}, nil
}

func (a answers) Service(_ context.Context, name string) (Service, error) {
	if name != "web" {
		return Service{}, fmt.Errorf("%w: no service %s is declared", ErrNotFound, name)
	}
	return Service{Name: name}, nil
}

func (a answers) Inspect(ctx context.Context, name string) (any, error) { return a.Service(ctx, name) }

func (a answers) Do(ctx context.Context, name string, verb Verb) (Service, error) {
	a.did <- string(verb) + " " + name
	return a.Service(ctx, name)
}

func (a answers) Power(_ context.Context, action string) error {
	if action != "reboot" {
		return fmt.Errorf("%w: %q", ErrInvalid, action)
	}
	return nil
}

func (a answers) Logs(ctx context.Context, o LogOptions, line func(LogLine) error) error {
	if o.Service == "none" {
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
	backend := answers{make(chan string, 1)}
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
	if err := c.Power(ctx, "reboot"); err != nil {
		t.Errorf("power: %v", err)
	}
	if err := c.Power(ctx, "melt"); !errors.Is(err, ErrInvalid) {
		t.Errorf("unknown power action: %v", err)
	}
	if raw, err := c.Config(ctx); err != nil || !strings.Contains(string(raw), "box") {
		t.Errorf("config: %s %v", raw, err)
	}
}

func TestLogsAreStreamed(t *testing.T) {
	c, _ := serveSocket(t)
	for _, o := range []LogOptions{{Service: "web", Tail: 3}, {Tail: -1}} {
		var got []string
		err := c.Logs(t.Context(), o, func(l LogLine) error { got = append(got, l.Line); return nil })
		if want := fmt.Sprintf("tail %d", o.Tail); err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%+v: %q %v", o, got, err)
		}
	}
	if err := c.Logs(t.Context(), LogOptions{Service: "none"}, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown service: %v", err)
	}
	// Following: the line comes although the answer goes on.
	enough := errors.New("enough")
	if err := c.Logs(t.Context(), LogOptions{Tail: 0, Follow: true}, func(LogLine) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("follow: %v", err)
	}
}

func TestWhatTheServerDoesNotKnowIsSaidInJSON(t *testing.T) {
	c, _ := serveSocket(t)
	client := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", c.socket) }}}
	defer client.CloseIdleConnections()
	for path, want := range map[string]int{"/v2/x": 404, "/v1/logs?tail=-1": 400, "/v1/logs?tail=x": 400} {
		resp, err := client.Get("http://rosd" + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", path, resp.StatusCode, resp.Header.Get("Content-Type"))
		}
	}
}
