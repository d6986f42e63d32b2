package web

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func TestAServiceThatIsNotUpYetIsAskedAgain(t *testing.T) {
	for _, status := range []int{408, 429, 500, 502, 503, 504} {
		var asked atomic.Int32
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			if asked.Add(1) < 2 {
				w.WriteHeader(status)
				return
			}
			_, _ = io.WriteString(w, "yes")
		})
		if body, err := (&Client{}).Get(t.Context(), s.URL, nil); string(body) != "yes" || err != nil {
			t.Errorf("%d: got %q, %v", status, body, err)
		}
	}
}

func TestAnAnswerThatWillNotChangeIsNotAskedForAgain(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 405, 301} {
		var asked atomic.Int32
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		})
		_, err := (&Client{}).Get(t.Context(), s.URL, nil)
		if !IsStatus(err, status) || asked.Load() != 1 {
			t.Errorf("%d: asked %d times: %v", status, asked.Load(), err)
		}
	}
}

func TestASlowDripIsCutOff(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for {
			select {
			case <-r.Context().Done():
				return
			case <-time.After(10 * time.Millisecond):
				_, _ = w.Write([]byte("x"))
				w.(http.Flusher).Flush()
			}
		}
	})
	_, err := (&Client{Try: 200 * time.Millisecond}).Do(t.Context(), Request{URL: s.URL, Once: true})
	if err == nil || !strings.Contains(err.Error(), "no answer within 200ms") {
		t.Errorf("got %v", err)
	}
}

func TestTheContextBoundsAllTries(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, errors.New("bound"))
	defer cancel()
	start := time.Now()
	_, err := (&Client{}).Get(ctx, s.URL, nil)
	if !IsStatus(err, 503) || !strings.Contains(err.Error(), "bound") || time.Since(start) > 5*time.Second {
		t.Errorf("got %v after %v", err, time.Since(start))
	}
}

func TestAHugeAnswerIsRefused(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1001)) })
	if _, err := (&Client{Limit: 1000}).Get(t.Context(), s.URL, nil); err == nil || !strings.Contains(err.Error(), "more than 1000 bytes") {
		t.Errorf("got %v", err)
	}
	if body, err := (&Client{Limit: 1001}).Get(t.Context(), s.URL, nil); len(body) != 1001 || err != nil {
		t.Errorf("just as large as allowed: %d bytes, %v", len(body), err)
	}
}

func TestGzipIsNotUnpackedBehindOurBack(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if e := r.Header.Get("Accept-Encoding"); e != "identity" {
			t.Errorf("asked for %q", e)
		}
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write([]byte{0x1f, 0x8b, 1})
	})
	if body, err := (&Client{}).Get(t.Context(), s.URL, nil); len(body) != 3 || err != nil {
		t.Errorf("got %x, %v", body, err)
	}
}

func TestRedirections(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/start":
			http.Redirect(w, r, "/end", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		default:
			_, _ = io.WriteString(w, "end")
		}
	})
	r, err := (&Client{}).Do(t.Context(), Request{URL: s.URL + "/start", Follow: true})
	if string(r.Body) != "end" || err != nil || !strings.HasSuffix(r.URL, "/end") {
		t.Errorf("got %q of %s, %v", r.Body, r.URL, err)
	}
	if _, err := (&Client{}).Do(t.Context(), Request{URL: s.URL + "/loop", Follow: true, Once: true}); err == nil {
		t.Error("a loop is followed for ever")
	}
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, s.URL+"/end", http.StatusFound)
	}))
	defer secure.Close()
	client := &Client{TLS: secure.Client().Transport.(*http.Transport).TLSClientConfig}
	if _, err := client.Do(t.Context(), Request{URL: secure.URL, Follow: true}); !errors.Is(err, errDowngrade) {
		t.Errorf("from https to http: got %v", err)
	}
	if _, err := (&Client{}).Do(t.Context(), Request{URL: secure.URL}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate of nobody we know: got %v", err)
	}
}

func TestNoProxyIsAsked(t *testing.T) {
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	client := &Client{Dial: func(_ context.Context, _, address string) (net.Conn, error) {
		if address != "203.0.113.9:80" {
			t.Errorf("went to %s", address)
		}
		return nil, errors.New("far enough")
	}}
	_, err := client.Do(t.Context(), Request{URL: "http://203.0.113.9/", Once: true})
	if err == nil || !strings.Contains(err.Error(), "far enough") {
		t.Errorf("got %v", err)
	}
}

func TestAPortOfRootsOwn(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root for a port below 1024")
	}
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RemoteAddr) })
	for range 3 { // a port that was used a moment ago is not free yet
		r, err := (&Client{}).Do(t.Context(), Request{URL: s.URL, Private: true})
		if err != nil {
			t.Fatal(err)
		}
		a, err := net.ResolveTCPAddr("tcp", string(r.Body))
		if err != nil || a.Port >= 1024 {
			t.Errorf("came from %s, %v", r.Body, err)
		}
	}
}

func TestAChangeOfTheNetworkEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		change := make(chan struct{})
		var tries []time.Time
		client := &Client{
			Changed: func() <-chan struct{} {
				if len(tries) < 5 {
					return nil
				}
				return change
			},
			Dial: func(context.Context, string, string) (net.Conn, error) {
				tries = append(tries, time.Now())
				switch len(tries) {
				case 6: // by now the pause is several seconds
					time.AfterFunc(100*time.Millisecond, func() { close(change) })
				case 7:
					cancel()
				}
				return nil, errors.New("network is unreachable")
			},
		}
		_, err := client.Get(ctx, "http://203.0.113.9/", nil)
		if err == nil || len(tries) != 7 {
			t.Fatalf("%d tries: %v", len(tries), err)
		}
		if pause := tries[5].Sub(tries[4]); pause < time.Second {
			t.Errorf("without a change the pause is %v", pause)
		}
		if pause := tries[6].Sub(tries[5]); pause != 150*time.Millisecond {
			t.Errorf("with a change after 100 ms the pause is %v", pause)
		}
	})
}

func TestAny(t *testing.T) {
	dead := httptest.NewServer(nil)
	dead.Close()
	good := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "good") })
	absent := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) })
	i, r, err := (&Client{}).Any(t.Context(), Request{URL: dead.URL}, Request{URL: good.URL})
	if i != 1 || string(r.Body) != "good" || err != nil {
		t.Errorf("one is dead: got %d, %q, %v", i, r.Body, err)
	}
	if i, _, err = (&Client{}).Any(t.Context(), Request{URL: dead.URL}, Request{URL: absent.URL}); i != 1 || !IsStatus(err, 404) {
		t.Errorf("a final refusal is an answer: got %d, %v", i, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, _, err = (&Client{}).Any(ctx, Request{URL: dead.URL}); err == nil {
		t.Error("nobody answers, and that is no error")
	}
}

func TestNothingSecretIsShown(t *testing.T) {
	for in, want := range map[string]string{
		"http://h/x":                    "http://h/x",
		"https://user:secret@h/x?key=s": "https://user:xxxxx@h/x?...",
		"http://[::1%zz":                "a URL that cannot be read",
	} {
		if got := Plain(in); got != want {
			t.Errorf("%s is shown as %s, want %s", in, got, want)
		}
	}
	_, err := (&Client{}).Do(t.Context(), Request{URL: "http://127.0.0.1:1/?token=hush", Once: true})
	if err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("got %v", err)
	}
}
