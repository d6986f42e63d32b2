package qemutests

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/qemu"
)

func TestDocker(t *testing.T) {
	t.Parallel()
	m := boot(t, setup{full: true, disks: disks(newDisk(t, 4<<30)), args: autoformat, forwards: []qemu.Forward{{Guest: 8080}}})
	m.runParts(
		part{"runs containers as everywhere", dockerRunsContainers},
		part{"the kernel spares only the services that say so", theKernelSparesOnlyTheServicesThatSaySo},
		part{"a plain compose file is a service of the user runtime", aPlainComposeFileIsAServiceOfTheUserRuntime},
	)
}

func dockerRunsContainers(t *testing.T, m *machine) {
	ros := m.login("ros")
	ros.waitReady(append(coreServices(), "docker")...)
	ros.put("/tmp/image.tar", "644", dockerArchive(t))

	t.Run("an image is loaded and run", func(t *testing.T) {
		ros.run("docker load -i /tmp/image.tar")
		if got := ros.run("docker run --rm guest:1 echo hello"); got != "hello\n" {
			t.Errorf("the container says %q", got)
		}
	})
	t.Run("volumes keep what was written", func(t *testing.T) {
		ros.run("docker run --rm -v data:/data guest:1 write /data/file kept")
		if got := ros.run("docker run --rm -v data:/data guest:1 read /data/file"); got != "kept\n" {
			t.Errorf("the volume holds %q", got)
		}
		ros.run("docker run --rm -v /home/ros:/data guest:1 write /data/from-container bound")
		if got := ros.run("cat ~/from-container"); got != "bound\n" {
			t.Errorf("the bound directory holds %q", got)
		}
	})
	t.Run("a published port answers from outside", func(t *testing.T) {
		ros.run("docker run -d --name web --restart unless-stopped -p 8080:80 guest:1 serve :80 greetings")
		m.eventually(time.Minute, func() error { return wantPage(m, 8080, "greetings\n") })
	})
	t.Run("the container runs on when service docker is restarted", func(t *testing.T) {
		before := ros.run("docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' web")
		ros.run("sudo ros service restart docker")
		ros.waitReady("docker")
		var after string
		m.eventually(time.Minute, func() (err error) {
			after, err = ros.try("docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' web")
			return err
		})
		if before != after {
			t.Errorf("before: %s after: %s", before, after)
		}
		m.eventually(time.Minute, func() error { return wantPage(m, 8080, "greetings\n") })
		if got := ros.run("docker run --rm guest:1 echo again"); got != "again\n" {
			t.Errorf("a new container says %q", got)
		}
	})
	t.Run("the container runs on when the engine is killed", func(t *testing.T) {
		before := ros.run("docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' web")
		engine := ros.waitReady("docker")["docker"]
		ros.run(fmt.Sprintf("sudo kill -9 %d", engine.PID))
		m.eventually(time.Minute, func() error {
			all, err := ros.services()
			if err != nil {
				return err
			}
			if svc := all["docker"]; !svc.Ready || svc.PID == engine.PID || svc.Restarts == engine.Restarts {
				return fmt.Errorf("docker is %s (%s), pid %d, %d restarts", svc.State, svc.Reason, svc.PID, svc.Restarts)
			}
			return nil
		})
		if got := ros.run("docker ps --format '{{.Names}} {{.State}}'"); got != "web running\n" {
			t.Errorf("docker ps says %q", got)
		}
		if after := ros.run("docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' web"); before != after {
			t.Errorf("before: %s after: %s", before, after)
		}
		m.eventually(time.Minute, func() error { return wantPage(m, 8080, "greetings\n") })
	})
	t.Run("--init puts an init before the command", func(t *testing.T) {
		if got := ros.run("docker run --rm --init guest:1 read /proc/1/cmdline"); !strings.HasPrefix(got, "/sbin/docker-init\x00") {
			t.Errorf("process 1 is %q", got)
		}
	})
	t.Run("compose brings an application up and down", func(t *testing.T) {
		ros.run("docker rm -f web")
		ros.run("mkdir -p ~/app")
		ros.put("~/app/compose.yaml", "644", []byte("services:\n  web:\n    image: guest:1\n    command: [serve, ':80', composed]\n    ports: ['8080:80']\n"))
		ros.run("cd ~/app && docker compose up -d")
		m.eventually(time.Minute, func() error { return wantPage(m, 8080, "composed\n") })
		ros.run("cd ~/app && docker compose down")
	})
}

func TestDockerWorksWithoutAStateDiskAndWithOneThatIsReadOnly(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T) []qemu.Disk{
		"none": func(*testing.T) []qemu.Disk { return nil },
		"read-only": func(t *testing.T) []qemu.Disk {
			disk := newDisk(t, 256<<20)
			mkfs(t, getHost(t), disk.Path)
			disk.ReadOnly = true
			return disks(disk)
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := boot(t, setup{full: true, disks: spoil(t), allow: `EXT4-fs|I/O error|blk_update`})
			ros := m.login("ros")
			ros.waitReady("docker")
			ros.put("/tmp/image.tar", "644", dockerArchive(t))
			ros.run("docker load -i /tmp/image.tar && rm /tmp/image.tar")
			if got := ros.run("docker run --rm -v data:/data guest:1 echo hello"); got != "hello\n" {
				t.Errorf("the container says %q", got)
			}
			if st := ros.status(); st.Machine.StateReason == "" {
				t.Errorf("nobody says that nothing lasts: %+v", st.Machine)
			}
		})
	}
}

// wantPage fetches a page from a forwarded port.
func wantPage(m *machine, guestPort int, want string) error {
	port, err := m.HostPort(guestPort)
	if err != nil {
		return err
	}
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err == nil && string(body) != want {
		err = fmt.Errorf("the page says %q, not %q", body, want)
	}
	return err
}

// buildGuest builds the program that runs in test containers.
var buildGuest = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "guest-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "guest")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, "./guest")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the guest program: %w\n%s", err, text)
	}
	return os.ReadFile(out)
})

func guestProgram(t *testing.T) []byte {
	t.Helper()
	b, err := buildGuest()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// dockerArchive is image guest:1 as `docker save` writes it.
func dockerArchive(t *testing.T) []byte {
	t.Helper()
	layer := tarOf(t, "guest", 0o755, guestProgram(t))
	sum := sha256.Sum256(layer)
	config := map[string]any{
		"architecture": "amd64", "os": "linux",
		"config": map[string]any{"Entrypoint": []string{"/guest"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(sum[:])}},
	}
	manifest := []map[string]any{{"Config": "config.json", "RepoTags": []string{"guest:1"}, "Layers": []string{"layer.tar"}}}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, f := range []struct {
		name string
		data []byte
	}{{"layer.tar", layer}, {"config.json", asJSON(t, config)}, {"manifest.json", asJSON(t, manifest)}} {
		addToTar(t, w, f.name, 0o644, f.data)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func tarOf(t *testing.T, name string, mode int64, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	addToTar(t, w, name, mode, data)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func addToTar(t *testing.T, w *tar.Writer, name string, mode int64, data []byte) {
	t.Helper()
	err := w.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(data)), Typeflag: tar.TypeReg})
	if err == nil {
		_, err = w.Write(data)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func asJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
