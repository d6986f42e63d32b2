package qemutests

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	imagespec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/testudo-os/testudo/pkg/gobuild"
	"github.com/testudo-os/testudo/pkg/imagestore/imagetest"
)

// registry is a real registry on this host's loopback; machines reach it
// through QEMU's gateway.
type registry struct {
	t    *testing.T
	port string
}

const registryConfig = `version: 0.1
log: {level: info, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: %q}}
http: {addr: "127.0.0.1:0"}
`

// registryProgram is built once, for all tests that want one.
var registryProgram = sync.OnceValues(func() (string, error) {
	h, err := theHost()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	builder, err := gobuild.New(ctx, h.top, h.cache("gobuild"), func(string, ...any) {})
	if err != nil {
		return "", err
	}
	return builder.Build(ctx, gobuild.Program{
		Package: "github.com/distribution/distribution/v3/cmd/registry", Module: filepath.Join(h.top, "qemu-tests", "registry"),
	})
})

func startRegistry(t *testing.T) *registry {
	t.Helper()
	program, err := registryProgram()
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "registry.yml")
	if err := os.WriteFile(config, fmt.Appendf(nil, registryConfig, t.TempDir()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "serve", config)
	output := &registryOutput{listens: make(chan string, 1)}
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("the registry said:\n%s", output.text())
		}
	})
	select {
	case port := <-output.listens:
		return &registry{t, port}
	case err := <-ended:
		ended <- err
		t.Fatalf("the registry ended: %v", err)
	case <-time.After(time.Minute):
		t.Fatal("the registry does not say that it listens")
	}
	return nil
}

// registryOutput keeps what the registry says, and tells on which port it says
// that it listens.
type registryOutput struct {
	listens chan string

	mu   sync.Mutex
	all  []byte
	told bool
}

var listensOn = regexp.MustCompile(`listening on 127\.0\.0\.1:([0-9]+)\D`)

func (o *registryOutput) Write(data []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, data...)
	if match := listensOn.FindSubmatch(o.all); match != nil && !o.told {
		o.told = true
		o.listens <- string(match[1])
	}
	return len(data), nil
}

func (o *registryOutput) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.all)
}

func (r *registry) url(path string) string { return "http://127.0.0.1:" + r.port + path }

// host is what machines call it.
func (r *registry) host() string { return "10.0.2.2:" + r.port }

// push stores an image; name is NAME:TAG in parts.
func (r *registry) push(name, tag string, image *imagetest.Image) {
	r.t.Helper()
	for d, data := range image.Blobs {
		response := r.do(http.MethodPost, r.url("/v2/"+name+"/blobs/uploads/"), nil, http.StatusAccepted)
		to, err := url.Parse(response.Header.Get("Location"))
		if err != nil {
			r.t.Fatal(err)
		}
		query := to.Query()
		query.Set("digest", d.String())
		to.RawQuery = query.Encode()
		r.do(http.MethodPut, to.String(), data, http.StatusCreated)
	}
	r.do(http.MethodPut, r.url("/v2/"+name+"/manifests/"+tag), image.Blobs[image.Manifest.Digest], http.StatusCreated)
}

func (r *registry) do(method, target string, body []byte, want int) *http.Response {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, target, bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/octet-stream")
	if body != nil && method == http.MethodPut && bytes.Contains(body, []byte(imagespec.MediaTypeImageManifest)) {
		request.Header.Set("Content-Type", imagespec.MediaTypeImageManifest)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	if text, _ := io.ReadAll(response.Body); response.StatusCode != want {
		r.t.Fatalf("%s %s: %s: %s", method, target, response.Status, text)
	}
	return response
}
