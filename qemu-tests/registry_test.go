package qemutests

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
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
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: %q}}
http: {addr: %q}
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
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	config := filepath.Join(t.TempDir(), "registry.yml")
	if err := os.WriteFile(config, fmt.Appendf(nil, registryConfig, t.TempDir(), address), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "serve", config)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("the registry said:\n%s", output.Bytes())
		}
	})
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	r := &registry{t, port}
	for deadline := time.Now().Add(time.Minute); ; {
		response, err := http.Get(r.url("/v2/"))
		if err == nil {
			response.Body.Close()
			return r
		}
		if time.Now().After(deadline) {
			t.Fatalf("the registry does not answer: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
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
