package runtime

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/service"
)

// These tests run services in a real containerd. They need one that listens on
// TESTUDO_LIVE_CONTAINERD with the cache of layers in its configuration, the
// images in TESTUDO_LIVE_IMAGES and runc in TESTUDO_LIVE_RUNC.
func live(t *testing.T) (*Runtime, Options) {
	t.Helper()
	opt := Options{
		Socket: os.Getenv("TESTUDO_LIVE_CONTAINERD"), Namespace: "live", Images: os.Getenv("TESTUDO_LIVE_IMAGES"),
		Runc: os.Getenv("TESTUDO_LIVE_RUNC"), RuncRoot: t.TempDir(), IODir: t.TempDir(), NotifyDir: t.TempDir(),
	}
	if opt.Socket == "" {
		t.Skip("TESTUDO_LIVE_CONTAINERD is not set")
	}
	r, err := Connect(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r, opt
}

// given makes a service with its FIFOs, and removes it at the end.
func given(t *testing.T, r *Runtime, opt Options, svc service.Service) (*service.Service, func() string) {
	t.Helper()
	if svc.Image == "" {
		svc.Image = "testudo/ntp"
	}
	svc.SecurityOpt.Seccomp = "unconfined" // the test's runc may lack libseccomp
	svc.Ulimits = map[string]service.Ulimit{"nofile": {Soft: 256, Hard: 256}}
	dir := filepath.Join(opt.IODir, svc.Name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	out, err := openOutput(filepath.Join(dir, "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	errOut, err := openOutput(filepath.Join(dir, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Remove(context.Background(), svc.Name, false); err != nil {
			t.Error(err)
		}
		out.close()
		errOut.close()
		os.RemoveAll(dir)
	})
	return &svc, out.read
}

// exits watches; the channel gets every exit once it says it is connected.
func exits(t *testing.T, r *Runtime) <-chan Exit {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	all := make(chan Exit, 16)
	connected := make(chan struct{}, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Watch(ctx, func() { connected <- struct{}{} }, func(e Exit) { all <- e }, func(err error) { t.Log("lost:", err) })
	}()
	t.Cleanup(func() { cancel(); <-done })
	<-connected
	return all
}

func wait(t *testing.T, all <-chan Exit, pid int) Exit {
	t.Helper()
	for {
		select {
		case e := <-all:
			if e.PID == pid {
				return e
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("no exit of process %d", pid)
		}
	}
}

func TestLiveAServiceRunsFromAnImageThatIsNeverUnpacked(t *testing.T) {
	r, opt := live(t)
	all := exits(t, r)
	svc, output := given(t, r, opt, service.Service{
		Name: "hello", ReadOnly: true, Entrypoint: []string{"/bin/sh", "-c", "id -u; echo $HOME; touch /x; mkdir -p /run/y; ls /volume >/dev/null && exit 3"},
		Volumes: []service.Volume{{Source: "/usr/share", Target: "/volume", ReadOnly: true, Recursive: true}},
		User:    "102:102", Tmpfs: []service.Tmpfs{{Target: "/missing/in/the/image"}},
	})
	began := time.Now()
	pid, err := r.Start(t.Context(), svc)
	if err != nil {
		t.Fatal(err)
	}
	t.Log("start took", time.Since(began))
	exit := wait(t, all, pid)
	if exit.Name != "hello" || exit.Code != 3 || exit.Signal != "" {
		t.Errorf("exit: %+v", exit)
	}
	found, err := r.List(t.Context())
	if err != nil || len(found) != 1 || found[0].Exit == nil || found[0].Exit.Code != 3 || found[0].Hash != svc.Hash() {
		t.Errorf("list: %+v (%v)", found, err)
	}
	if err := r.Remove(t.Context(), svc.Name, false); err != nil {
		t.Fatal(err)
	}
	if got := output(); got != "102\n/" {
		t.Errorf("output:\n%s", got)
	}
}

func TestLiveStoppingAndKilling(t *testing.T) {
	r, opt := live(t)
	all := exits(t, r)
	for _, c := range []struct {
		name, script, want string
		end                func(svc *service.Service) error
	}{
		{"a stop signal", "trap 'exit 0' TERM; while :; do sleep 1; done", "", func(svc *service.Service) error { return r.Signal(t.Context(), svc) }},
		{"a kill", "sleep 1000", "SIGKILL", func(svc *service.Service) error { return r.Kill(t.Context(), svc.Name) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			svc, _ := given(t, r, opt, service.Service{Name: "ending", Entrypoint: []string{"/bin/sh", "-c", c.script}})
			pid, err := r.Start(t.Context(), svc)
			if err != nil {
				t.Fatal(err)
			}
			if found, err := r.List(t.Context()); err != nil || len(found) != 1 || found[0].PID != pid {
				t.Errorf("list: %+v (%v), want process %d", found, err, pid)
			}
			// A shell that has yet to set its trap dies of the signal.
			if code, out, err := r.Exec(t.Context(), svc.Name, []string{"/bin/sh", "-c", "echo alive; exit 4"}); err != nil || code != 4 || out != "alive" {
				t.Errorf("exec: %d %q %v", code, out, err)
			}
			if err := c.end(svc); err != nil {
				t.Fatal(err)
			}
			if exit := wait(t, all, pid); exit.Signal != c.want {
				t.Errorf("exit: %+v", exit)
			}
			if err := r.Signal(t.Context(), svc); !errors.Is(err, ErrNotRunning) {
				t.Errorf("a signal to nobody: %v", err)
			}
		})
	}
}

func TestLiveAProgramRunsBesideTheService(t *testing.T) {
	r, opt := live(t)
	svc, _ := given(t, r, opt, service.Service{Name: "beside", Entrypoint: []string{"/bin/sh", "-c", "sleep 1000"}})
	if _, err := r.Start(t.Context(), svc); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name            string
		o               api.Exec
		stdin           string
		code            int
		out, errorsText string
	}{
		{"two streams", api.Exec{Command: []string{"/bin/sh", "-c", "echo out; echo err >&2; exit 7"}}, "", 7, "out\n", "err\n"},
		{"input", api.Exec{Command: []string{"/bin/sh", "-c", "wc -c"}, Stdin: true}, strings.Repeat("x", 1<<20), 0, "1048576\n", ""},
		{"much output", api.Exec{Command: []string{"/bin/sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' y"}}, "", 0, strings.Repeat("y", 1000000), ""},
		{"another user", api.Exec{Command: []string{"/bin/sh", "-c", "id -u; id -g; echo $WORD $PWD"}, User: "65534:100", Environment: []string{"WORD=one"}, WorkingDir: "/usr"}, "", 0, "65534\n100\none /usr\n", ""},
		{"a terminal", api.Exec{Command: []string{"/bin/sh", "-c", "stty size; tty >/dev/null && echo is one"}, Terminal: true, Size: api.Size{Rows: 33, Columns: 99}}, "", 0, "33 99\r\nis one\r\n", ""},
		{"one that leaves another behind", api.Exec{Command: []string{"/bin/sh", "-c", "sleep 1000 & echo gone"}}, "", 0, "gone\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := r.Begin(t.Context(), svc.Name, c.o)
			if err != nil {
				t.Fatal(err)
			}
			var out, errOut bytes.Buffer
			code, err := p.Run(t.Context(), strings.NewReader(c.stdin), &out, &errOut)
			if err != nil || code != c.code || out.String() != c.out || errOut.String() != c.errorsText {
				t.Errorf("exit %d, %v\nstdout (%d): %.200q\nstderr: %q", code, err, out.Len(), out.String(), errOut.String())
			}
		})
	}
	if _, err := r.Begin(t.Context(), svc.Name, api.Exec{Command: []string{"nonsense"}}); !errors.Is(err, ErrPermanent) || !strings.Contains(err.Error(), "command nonsense not found") {
		t.Errorf("no such command: %v", err)
	}
	if _, err := r.Begin(t.Context(), "nobody", api.Exec{Command: []string{"x"}}); !errors.Is(err, ErrNotRunning) {
		t.Errorf("no such service: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(opt.IODir, svc.Name, "exec-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}

	// One that nobody waits for is ended, and the next one ends what is left.
	ctx, cancel := context.WithCancel(t.Context())
	p, err := r.Begin(ctx, svc.Name, api.Exec{Command: []string{"/bin/sh", "-c", "sleep 1000"}})
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(100*time.Millisecond, cancel)
	if code, err := p.Run(ctx, nil, io.Discard, io.Discard); code != 129 || err != nil {
		t.Errorf("hung up: exit %d, %v", code, err)
	}
	if _, err := r.Begin(t.Context(), svc.Name, api.Exec{Command: []string{"/bin/sh", "-c", "sleep 1000"}}); err != nil {
		t.Fatal(err)
	}
	next, err := Connect(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if err := next.dropStrays(t.Context()); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(opt.IODir, svc.Name, "exec-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}

func TestLiveAServiceOfItsOwnUserIDs(t *testing.T) {
	_, opt := live(t)
	const first = 1 << 28
	opt.FirstID = func(string) (uint32, error) { return first, nil }
	r, err := Connect(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	given1 := t.TempDir()
	svc, _ := given(t, r, opt, service.Service{
		Name: "apart", Userns: true, Entrypoint: []string{"/bin/sh", "-c", "touch /own /given/new; exec sleep 1000"},
		Volumes: []service.Volume{{Source: given1, Target: "/given"}},
	})
	pid, err := r.Start(t.Context(), svc)
	if err != nil {
		t.Fatal(err)
	}
	code, out, err := r.Exec(t.Context(), svc.Name, []string{"/bin/sh", "-c", "cat /proc/self/uid_map; stat -c %u /bin/sh /own /given /given/new"})
	if err != nil || code != 0 || strings.Join(strings.Fields(out), " ") != "0 268435456 65536 0 0 0 0" {
		t.Errorf("inside of %d: exit %d %v\n%s", pid, code, err, out)
	}
	var stat unix.Stat_t
	if err := unix.Stat(filepath.Join(given1, "new"), &stat); err != nil || stat.Uid != 0 {
		t.Errorf("what it wrote is of user %d (%v)", stat.Uid, err)
	}
	if err := unix.Stat(fmt.Sprintf("/proc/%d", pid), &stat); err != nil || stat.Uid != first {
		t.Errorf("it runs as user %d (%v)", stat.Uid, err)
	}
}

func TestLiveAProbeThatHangsIsKilled(t *testing.T) {
	r, opt := live(t)
	svc, _ := given(t, r, opt, service.Service{Name: "probed", Entrypoint: []string{"/bin/sh", "-c", "sleep 1000"}})
	if _, err := r.Start(t.Context(), svc); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, _, err := r.Exec(ctx, svc.Name, []string{"/bin/sh", "-c", "sleep 1000"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestLiveWhatIsWrongIsSaidPlainly(t *testing.T) {
	r, opt := live(t)
	for _, c := range []struct {
		name      string
		svc       service.Service
		want      string
		permanent bool
	}{
		{"no such image", service.Service{Image: "testudo/nothing"}, "image testudo/nothing: it is not part of this system", true},
		{"no such command", service.Service{Entrypoint: []string{"nonsense"}}, "command nonsense not found in the image", true},
		{"no such path", service.Service{Entrypoint: []string{"/bin/nonsense"}}, "command /bin/nonsense not found in the image", true},
		{"not executable", service.Service{Entrypoint: []string{"/etc/passwd"}}, "command /etc/passwd in the image is not executable", true},
		{"no such user", service.Service{User: "nobody-here"}, "no user nobody-here in the image's /etc/passwd", true},
		{"no such volume", service.Service{Volumes: []service.Volume{{Source: "/no/such", Target: "/x"}}}, "volume /x: its source /no/such does not exist", false},
		{"a folder on a file", service.Service{Volumes: []service.Volume{{Source: "/etc/hostname", Target: "/etc"}}}, "volume /etc: its source /etc/hostname", true},
		{"no such device", service.Service{Devices: []service.Device{{Source: "/dev/none"}}}, "device /dev/none", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.svc.Name = "wrong"
			if c.svc.Entrypoint == nil {
				c.svc.Entrypoint = []string{"/bin/true"}
			}
			svc, _ := given(t, r, opt, c.svc)
			_, err := r.Start(t.Context(), svc)
			if err == nil {
				t.Fatal("it started")
			}
			if !strings.Contains(Reason(err), c.want) || errors.Is(err, ErrPermanent) != c.permanent {
				t.Errorf("got %q (permanent %v), want %q", Reason(err), errors.Is(err, ErrPermanent), c.want)
			}
			if found, err := r.List(t.Context()); err != nil || len(found) != 0 {
				t.Errorf("left behind: %+v (%v)", found, err)
			}
		})
	}
}

func TestLiveUserNamesAreReadFromTheImage(t *testing.T) {
	r, opt := live(t)
	svc, output := given(t, r, opt, service.Service{Name: "named", User: "root:root", Entrypoint: []string{"/bin/sh", "-c", "id -u"}})
	all := exits(t, r)
	pid, err := r.Start(t.Context(), svc)
	if err != nil {
		t.Fatal(err)
	}
	wait(t, all, pid)
	if err := r.Remove(t.Context(), svc.Name, false); err != nil {
		t.Fatal(err)
	}
	if got := output(); got != "0" {
		t.Errorf("output %q", got)
	}
}

func TestLiveAPersistentServiceKeepsItsLayer(t *testing.T) {
	r, opt := live(t)
	all := exits(t, r)
	svc, output := given(t, r, opt, service.Service{Name: "keeps", Persistent: true, Entrypoint: []string{"/bin/sh", "-c", "cat /kept; echo word >/kept"}})
	for range 2 {
		pid, err := r.Start(t.Context(), svc)
		if err != nil {
			t.Fatal(err)
		}
		wait(t, all, pid)
		if err := r.Remove(t.Context(), svc.Name, true); err != nil {
			t.Fatal(err)
		}
	}
	if got := output(); got != "word" {
		t.Errorf("output %q", got)
	}
}

// output collects what comes through a FIFO, for as long as it takes.
type output struct {
	file *os.File
	done chan struct{}
	all  tail
}

func openOutput(path string) (*output, error) {
	if err := makeFIFO(path); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	o := &output{file: file, done: make(chan struct{})}
	go func() {
		defer close(o.done)
		_, _ = io.Copy(&o.all, file)
	}()
	return o, nil
}

// read ends the collecting, when nothing more is on its way.
func (o *output) read() string {
	o.file.SetReadDeadline(time.Now().Add(lingering))
	<-o.done
	return strings.TrimSpace(string(o.all))
}

func (o *output) close() {
	o.file.Close()
	<-o.done
}
