package registry

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	imagespec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/testudo-os/testudo/pkg/imagestore"
	"github.com/testudo-os/testudo/pkg/imagestore/imagetest"
)

var image = imagetest.New(imagespec.ImageConfig{Cmd: []string{"x"}}, []imagetest.File{{Name: "a", Content: "b"}})

// server is a registry with one image, web:1.
type server struct {
	user, password string
	asked          int
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked++
	if user, password, _ := r.BasicAuth(); s.user != "" && (user != s.user || password != s.password) {
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	name := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	if name == "1" && strings.Contains(r.URL.Path, "/web/") {
		name = image.Index.Digest.String()
	}
	data, ok := image.Blobs[digest.Digest(name)]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if strings.Contains(r.URL.Path, "/manifests/") {
		w.Header().Set("Content-Type", imagespec.MediaTypeImageManifest)
		if name == image.Index.Digest.String() {
			w.Header().Set("Content-Type", imagespec.MediaTypeImageIndex)
		}
		w.Header().Set("Docker-Content-Digest", name)
	}
	w.Write(data)
}

func pull(t *testing.T, ref string, hosts ...Host) error {
	t.Helper()
	client, err := New(hosts)
	if err != nil {
		t.Fatal(err)
	}
	from, err := client.Image(ref)
	if err != nil {
		return err
	}
	_, err = imagestore.New(filepath.Join(t.TempDir(), "images")).Add(t.Context(), ref, from, image.Index.Digest, nil)
	return err
}

func TestAnImageIsPulled(t *testing.T) {
	open, closed, encrypted := &server{}, &server{user: "ann", password: "secret"}, &server{}
	plain, private, tls := httptest.NewServer(open), httptest.NewServer(closed), httptest.NewTLSServer(encrypted)
	for _, s := range []*httptest.Server{plain, private, tls} {
		defer s.Close()
	}
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tls.Certificate().Raw}))
	host := func(s *httptest.Server) string { return s.Listener.Addr().String() }
	for name, c := range map[string]struct {
		ref   string
		hosts []Host
		want  string
	}{
		"by http, when that is said":         {host(plain) + "/web:1", []Host{{Name: host(plain), PlainHTTP: true}}, ""},
		"never by http without":              {host(plain) + "/web:1", nil, "HTTP response to HTTPS client"},
		"by its digest":                      {host(plain) + "/web@" + image.Index.Digest.String(), []Host{{Name: host(plain), PlainHTTP: true}}, ""},
		"with a password":                    {host(private) + "/web:1", []Host{{Name: host(private), PlainHTTP: true, Username: "ann", Password: "secret"}}, ""},
		"not with another":                   {host(private) + "/web:1", []Host{{Name: host(private), PlainHTTP: true, Username: "ann", Password: "x"}}, "401"},
		"with a CA of one's own":             {host(tls) + "/web:1", []Host{{Name: host(tls), CA: ca}}, ""},
		"not from somebody unknown":          {host(tls) + "/web:1", nil, "certificate"},
		"from a mirror":                      {"registry.invalid/web:1", []Host{{Name: "registry.invalid", Mirrors: []string{plain.URL}}}, ""},
		"that is not there":                  {host(plain) + "/other:1", []Host{{Name: host(plain), PlainHTTP: true}}, "the registry does not have it"},
		"whose name says no registry":        {"web:1", nil, "want HOST[:PORT]/NAME"},
		"whose name says no registry either": {"web/web:1", nil, "want HOST[:PORT]/NAME"},
	} {
		t.Run(name, func(t *testing.T) {
			err := pull(t, c.ref, c.hosts...)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	if open.asked == 0 || encrypted.asked == 0 {
		t.Error("nobody was asked")
	}
}

func TestAHostThatCannotBeUsedIsNamed(t *testing.T) {
	for _, h := range []Host{{Name: "a.example", CA: "no PEM"}, {Name: "a.example", Mirrors: []string{"no url"}}} {
		if _, err := New([]Host{h}); err == nil || !strings.Contains(err.Error(), "registry a.example") {
			t.Errorf("%+v: %v", h, err)
		}
	}
}

func TestNames(t *testing.T) {
	d := digest.FromString("x")
	for ref, want := range map[string]string{
		"h:5000/a":              "h:5000/a:latest@" + d.String(),
		"h.example/a/b:1":       "h.example/a/b:1@" + d.String(),
		"localhost/a":           "localhost/a:latest@" + d.String(),
		"h:1/a@" + d.String():   "h:1/a@" + d.String(),
		"h:1/a:2@" + d.String(): "h:1/a:2@" + d.String(),
	} {
		if got, err := Pinned(ref, d); err != nil || got != want {
			t.Errorf("%s: %s (%v), want %s", ref, got, err, want)
		}
	}
	if _, err := Pinned("testudo/ntp", d); err == nil || errors.Is(err, imagestore.ErrDigest) {
		t.Errorf("a system image: %v", err)
	}
}
