package manager

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/logs"
	"github.com/testudo-os/testudo/pkg/runtime"
	"github.com/testudo-os/testudo/pkg/service"
)

var (
	liveKills = flag.Int("kills", 20, "how often TestLiveKillsAtRandom kills something")
	liveMany  = flag.Int("services", 40, "how many services TestLiveManyServices starts")
	liveSeed  = flag.Uint64("seed", 0, "what its run begins with; 0: another one each time")
)

// TestLiveKillsAtRandom runs a real containerd, its shims and runc, which it
// finds in TESTUDO_LIVE_BIN, and services of the images in TESTUDO_LIVE_IMAGES
// with the layers in TESTUDO_LIVE_LAYERS. The manager is this program, started
// again.
const liveDir = "TESTUDO_LIVE_MANAGER_IN"

func TestMain(m *testing.M) {
	dir := os.Getenv(liveDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	if err := liveManager(liveMachine{dir}); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// liveMachine is a folder that stands for a machine.
type liveMachine struct{ dir string }

func (l liveMachine) path(name string) string { return filepath.Join(l.dir, name) }

func (l liveMachine) runtime() runtime.Options {
	return runtime.Options{
		Socket: l.path("c.sock"), Namespace: filepath.Base(l.dir), Images: os.Getenv("TESTUDO_LIVE_IMAGES"),
		IODir: l.path("io"), NotifyDir: l.path("notify"), Runc: filepath.Join(os.Getenv("TESTUDO_LIVE_BIN"), "runc"), RuncRoot: l.path("runc"),
	}
}

func (l liveMachine) declared() (*service.Set, error) {
	text, err := os.ReadFile(l.path("services.yaml"))
	if err != nil {
		return nil, err
	}
	file, err := service.ParseFile("services.yaml", text, nil)
	if err != nil {
		return nil, err
	}
	return &service.Set{Services: file.Services}, nil
}

// liveManager is rosd, less all that has nothing to do with services. SIGHUP has
// it read their file again.
func liveManager(l liveMachine) error {
	store, err := logs.Open(logs.Options{FIFOs: l.path("io"), Files: l.path("log"), BootID: strings.Repeat("1", 32), Limits: logs.Limits{Total: 1 << 20, Service: 1 << 18}})
	if err != nil {
		return err
	}
	set, err := l.declared()
	if err != nil {
		return err
	}
	m := New(set, Options{
		Connect: func(ctx context.Context) (Runtime, error) { return runtime.Connect(ctx, l.runtime()) },
		Attach:  func(svc *service.Service) error { return store.Attach(svc.Name) },
		Records: l.path("records"), BootTime: func() int64 { return 1 }, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, unix.SIGHUP)
	go func() {
		for range changed {
			if set, err := l.declared(); err == nil {
				go m.Up(context.Background(), set, api.Up{})
			}
		}
	}()
	return m.Run(context.Background())
}

// The limit is one that a host may give on which root may not do everything.
const liveServices = `x-one: &one {image: testudo/ntp, entrypoint: [/bin/sleep, '1000000'], restart: always, ulimits: {nofile: 256}}
services:
  steady: {<<: *one}
  firm: {<<: *one, depends_on: [steady]}
  flighty: {<<: *one, entrypoint: [/bin/sh, -c, 'sleep 1; exit 1']}
  web: {<<: *one, environment: {N: '%d'}}
`

const liveContainerd = `version = 4
root = "%[1]s/root"
state = "%[1]s/state"
temp = "%[1]s/tmp"
[debug]
level = "error"
[plugins."io.containerd.server.v1.grpc"]
address = "%[1]s/c.sock"
[plugins."io.containerd.server.v1.ttrpc"]
address = "%[1]s/c.sock.ttrpc"
[plugins."io.containerd.shim.v1.manager"]
socket_dir = "%[1]s/s"
[plugins."io.containerd.snapshotter.v1.erofs"]
layer_content_caches = [%[2]q]
`

// liveInit is PID 1's part: it starts the two again.
type liveInit struct {
	t *testing.T
	l liveMachine
	c map[string]*exec.Cmd
}

func (i *liveInit) start(name string) {
	i.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), liveDir+"="+i.l.dir)
	if name == "containerd" {
		bin := os.Getenv("TESTUDO_LIVE_BIN")
		cmd = exec.Command(filepath.Join(bin, "containerd"), "-c", i.l.path("c.toml"))
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	}
	out, err := os.OpenFile(i.l.path(name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		i.t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		i.t.Fatal(err)
	}
	i.c[name] = cmd
}

func (i *liveInit) kill(name string) {
	cmd := i.c[name]
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// shims counts the shims of each service of the machine.
func (l liveMachine) shims() map[string]int {
	count := map[string]int{}
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, line := range lines {
		text, err := os.ReadFile(line)
		words := strings.Split(string(text), "\x00")
		if err != nil || !strings.HasSuffix(words[0], "containerd-shim-runc-v2") || !strings.Contains(string(text), "\x00"+filepath.Base(l.dir)+"\x00") {
			continue
		}
		for at, word := range words[:len(words)-1] {
			if word == "-id" {
				count[words[at+1]]++
			}
		}
	}
	return count
}

// unmount takes down the mounts that containerd had no time to collect.
func (l liveMachine) unmount() error {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var errs []error
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); strings.HasPrefix(fields[4], l.dir+"/") {
			errs = append(errs, unix.Unmount(fields[4], unix.MNT_DETACH))
		}
	}
	return errors.Join(errs...)
}

func (l liveMachine) found(ctx context.Context) (map[string]runtime.Found, error) {
	r, err := runtime.Connect(ctx, l.runtime())
	if err != nil {
		return nil, err
	}
	defer r.Close()
	list, err := r.List(ctx)
	byName := map[string]runtime.Found{}
	for _, f := range list {
		byName[f.Name] = f
	}
	return byName, err
}

// converged says what is not yet as declared.
func (l liveMachine) converged(ctx context.Context, before map[string]int) (map[string]int, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	set, err := l.declared()
	if err != nil {
		return nil, err
	}
	found, err := l.found(ctx)
	if err != nil {
		return nil, err
	}
	shims, pids := l.shims(), map[string]int{}
	for _, s := range set.Services {
		f := found[s.Name]
		pids[s.Name] = f.PID
		switch {
		case s.Name == "flighty":
			if shims[s.Name] > 1 {
				return nil, fmt.Errorf("%s has %d shims", s.Name, shims[s.Name])
			}
		case f.PID == 0 || unix.Kill(f.PID, 0) != nil:
			return nil, fmt.Errorf("%s does not run: %+v", s.Name, f)
		case f.Hash != s.Hash():
			return nil, fmt.Errorf("%s does not run as declared", s.Name)
		case shims[s.Name] != 1:
			return nil, fmt.Errorf("%s has %d shims", s.Name, shims[s.Name])
		case before[s.Name] != 0 && s.Name != "web" && before[s.Name] != f.PID:
			return nil, fmt.Errorf("%s was process %d and is %d", s.Name, before[s.Name], f.PID)
		}
	}
	if len(found) > len(set.Services) {
		return nil, fmt.Errorf("there are more containers than services: %+v", found)
	}
	return pids, nil
}

// startLive makes a machine with these services, and takes it down at the end.
func startLive(t *testing.T, services string) *liveInit {
	t.Helper()
	if os.Getenv("TESTUDO_LIVE_BIN") == "" {
		t.Skip("TESTUDO_LIVE_BIN is not set")
	}
	dir, err := os.MkdirTemp("", "live")
	if err != nil {
		t.Fatal(err)
	}
	l := liveMachine{dir}
	if err := os.WriteFile(l.path("c.toml"), fmt.Appendf(nil, liveContainerd, dir, os.Getenv("TESTUDO_LIVE_LAYERS")), 0o600); err != nil {
		t.Fatal(err)
	}
	i := &liveInit{t, l, map[string]*exec.Cmd{}}
	i.declare(services)
	i.start("containerd")
	i.start("rosd")
	t.Cleanup(i.end)
	return i
}

func (i *liveInit) declare(services string) {
	if err := os.WriteFile(i.l.path("services.yaml"), []byte(services), 0o600); err != nil {
		i.t.Fatal(err)
	}
}

func (i *liveInit) end() {
	i.kill("rosd")
	r, err := runtime.Connect(context.Background(), i.l.runtime())
	if err == nil {
		for name := range i.l.shims() {
			err = errors.Join(err, r.Remove(context.Background(), name, false))
		}
	}
	i.kill("containerd")
	if i.t.Failed() {
		for _, name := range []string{"rosd", "containerd"} {
			text, _ := os.ReadFile(i.l.path(name + ".log"))
			i.t.Logf("%s said:\n%s", name, text[max(0, len(text)-4000):])
		}
	}
	if err := errors.Join(err, i.l.unmount(), os.RemoveAll(i.l.dir)); err != nil {
		i.t.Error(err)
	}
}

// await waits until all is as declared, with the processes of before. There is
// nothing to be told by: the one that would tell was killed.
func (i *liveInit) await(before map[string]int, within time.Duration, what string) (pids map[string]int) {
	i.t.Helper()
	for deadline := time.Now().Add(within); ; time.Sleep(200 * time.Millisecond) {
		pids, err := i.l.converged(i.t.Context(), before)
		if err == nil {
			return pids
		}
		if time.Now().After(deadline) {
			i.t.Fatalf("%s: %v", what, err)
		}
	}
}

func TestLiveKillsAtRandom(t *testing.T) {
	i := startLive(t, fmt.Sprintf(liveServices, 0))
	if *liveSeed == 0 {
		*liveSeed = rand.Uint64()
	}
	t.Logf("-kills %d -seed %d", *liveKills, *liveSeed)
	random := rand.New(rand.NewPCG(*liveSeed, 1))
	before := i.await(nil, time.Minute, "at first")
	for n := range *liveKills {
		change := random.IntN(2) == 0
		if change {
			i.declare(fmt.Sprintf(liveServices, n+1))
			_ = i.c["rosd"].Process.Signal(unix.SIGHUP)
		}
		wait := time.Duration(random.IntN(1200)) * time.Millisecond
		victims := [][]string{{"rosd"}, {"containerd"}, {"rosd", "containerd"}, {"containerd", "rosd"}}[random.IntN(4)]
		time.Sleep(wait)
		for _, victim := range victims {
			i.kill(victim)
		}
		for _, victim := range victims {
			i.start(victim)
		}
		i.await(before, time.Minute, fmt.Sprintf("seed %d, %d: changed %v, after %v killed %v", *liveSeed, n, change, wait, victims))
	}
}

// Many services: all start, the next rosd takes them over, and rosd stays small.
func TestLiveManyServices(t *testing.T) {
	declare := func(n int) string {
		text := "services:\n"
		for i := range n {
			text += fmt.Sprintf("  many%d: {image: testudo/ntp, entrypoint: [/bin/sleep, '1000000'], restart: always, ulimits: {nofile: 256}, mem_limit: 16m}\n", i)
		}
		return text
	}
	const few = 10
	i := startLive(t, declare(few))
	before := i.await(nil, time.Minute, "a few")
	small := i.resident()
	i.declare(declare(*liveMany))
	_ = i.c["rosd"].Process.Signal(unix.SIGHUP)
	began := time.Now()
	all := i.await(before, time.Minute+time.Duration(*liveMany)*5*time.Second, "many")
	large := i.resident()
	t.Logf("%d services more in %v; %d KiB resident with %d, %d KiB with %d", *liveMany-few, time.Since(began), small, few, large, *liveMany)
	if grown := large - small; grown > 8<<10+64**liveMany {
		t.Errorf("it has grown by %d KiB for %d services", grown, *liveMany)
	}
	i.kill("rosd")
	i.start("rosd")
	i.await(all, time.Minute, "the next rosd")
}

// resident is what the manager has in memory, in KiB.
func (i *liveInit) resident() (kib int) {
	i.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", i.c["rosd"].Process.Pid))
	if err != nil {
		i.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		i.t.Fatal(err)
	}
	return kib
}

// A containerd that is there and does not answer stops nothing: neither what
// runs, nor a rosd that begins meanwhile. When it answers all goes on.
func TestLiveAContainerdThatDoesNotAnswer(t *testing.T) {
	i := startLive(t, fmt.Sprintf(liveServices, 0))
	before := i.await(nil, time.Minute, "at first")
	containerd := i.c["containerd"].Process
	if err := containerd.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer containerd.Signal(unix.SIGCONT) // or it cannot be taken down
	i.kill("rosd")
	i.start("rosd")
	time.Sleep(3 * time.Second) // in which it asks in vain
	for name, pid := range before {
		if name != "flighty" && unix.Kill(pid, 0) != nil {
			t.Errorf("%s is gone", name)
		}
	}
	i.declare(fmt.Sprintf(liveServices, 1))
	_ = i.c["rosd"].Process.Signal(unix.SIGHUP)
	if err := containerd.Signal(unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	i.await(before, time.Minute, "when it answers")
}
