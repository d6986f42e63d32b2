package probe

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/service"
)

func TestCheck(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ill":
			http.Error(w, "ill", http.StatusServiceUnavailable)
		case "/elsewhere":
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
		case "/slow":
			<-r.Context().Done()
		}
	}))
	defer server.Close()
	address := server.Listener.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	file := filepath.Join(t.TempDir(), "ready")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		what service.Probe
		want string
	}{
		"an answer":           {service.Probe{HTTP: server.URL}, ""},
		"localhost":           {service.Probe{HTTP: "http://localhost:" + port}, ""},
		"a redirection":       {service.Probe{HTTP: server.URL + "/elsewhere"}, ""},
		"an error":            {service.Probe{HTTP: server.URL + "/ill"}, "503 Service Unavailable"},
		"no answer":           {service.Probe{HTTP: server.URL + "/slow"}, "no answer in time"},
		"nobody listens":      {service.Probe{HTTP: "http://" + closed.Addr().String()}, "connection refused"},
		"a port":              {service.Probe{TCP: address}, ""},
		"a closed port":       {service.Probe{TCP: closed.Addr().String()}, "connection refused"},
		"a file":              {service.Probe{File: file}, ""},
		"no file":             {service.Probe{File: file + "-not"}, "no such file"},
		"nothing to look for": {service.Probe{}, "nothing to look at"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			err := Check(ctx, os.Getpid(), c.what)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestItLooksFromWithinTheServicesNetworkAndFiles needs to make namespaces.
func TestItLooksFromWithinTheServicesNetworkAndFiles(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("not root")
	}
	other := exec.Command("sleep", "60")
	other.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := other.Start(); err != nil {
		t.Skip("no network namespaces here:", err)
	}
	defer func() { other.Process.Kill(); other.Wait() }()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	address := server.Listener.Addr().String()
	if err := Check(t.Context(), os.Getpid(), service.Probe{TCP: address}); err != nil {
		t.Errorf("from here: %v", err)
	}
	if err := Check(t.Context(), other.Process.Pid, service.Probe{TCP: address}); err == nil {
		t.Error("a port of ours answers in another network")
	}
}

func TestALinkInTheServicesFilesDoesNotLeadOut(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("not root")
	}
	root := t.TempDir()
	sleep, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("no static program to run")
	}
	data, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "sleep"), data, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	other := exec.Command("/sleep", "60")
	other.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	if err := other.Start(); err != nil {
		t.Skip("cannot chroot:", err)
	}
	defer func() { other.Process.Kill(); other.Wait() }()
	if err := Check(t.Context(), other.Process.Pid, service.Probe{File: "/link"}); err == nil {
		t.Error("a link of the service leads to our files")
	}
	if err := Check(t.Context(), other.Process.Pid, service.Probe{File: "/sleep"}); err != nil {
		t.Error(err)
	}
}
