package manager

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/notify"
	"github.com/testudo-os/testudo/pkg/runtime"
	"github.com/testudo-os/testudo/pkg/service"
)

// machine is a containerd that outlives its managers.
type machine struct {
	mu      sync.Mutex
	pids    map[string]int
	hashes  map[string]string
	next    int
	did     []string // what was asked of it, in order
	fails   map[string]error
	takes   map[string]time.Duration // how long a start takes
	instant map[string]bool          // exits before its start is reported
	deaf    map[string]bool          // ignores its stop signal
	sick    map[string]bool          // its healthcheck fails
	exited  func(runtime.Exit)
	lose    chan struct{}
	back    chan struct{}
}

func newMachine() *machine {
	return &machine{
		pids: map[string]int{}, hashes: map[string]string{}, fails: map[string]error{}, takes: map[string]time.Duration{},
		instant: map[string]bool{}, deaf: map[string]bool{}, sick: map[string]bool{},
		lose: make(chan struct{}), back: make(chan struct{}),
	}
}

func (f *machine) note(what string) { f.did = append(f.did, what) }

func (f *machine) Start(ctx context.Context, svc *service.Service) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("start " + svc.Name)
	if d := f.takes[svc.Name]; d > 0 {
		f.mu.Unlock()
		time.Sleep(d)
		f.mu.Lock()
	}
	if err := f.fails[svc.Name]; err != nil {
		return 0, err
	}
	f.next++
	pid := f.next
	f.pids[svc.Name], f.hashes[svc.Name] = pid, svc.Hash()
	if f.instant[svc.Name] {
		delete(f.pids, svc.Name)
		f.exited(runtime.Exit{Name: svc.Name, PID: pid, Code: 0})
	}
	return pid, nil
}

// die ends a process and tells so, as containerd does.
func (f *machine) die(name string, code int, signal string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dieLocked(name, code, signal)
}

func (f *machine) dieLocked(name string, code int, signal string) {
	pid := f.pids[name]
	delete(f.pids, name)
	if pid != 0 && f.exited != nil {
		f.exited(runtime.Exit{Name: name, PID: pid, Code: code, Signal: signal})
	}
}

func (f *machine) Signal(ctx context.Context, svc *service.Service) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("signal " + svc.Name)
	if f.pids[svc.Name] == 0 {
		return runtime.ErrNotRunning
	}
	if !f.deaf[svc.Name] {
		f.dieLocked(svc.Name, 0, "")
	}
	return nil
}

func (f *machine) SignalAs(ctx context.Context, name, signal string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note(signal + " " + name)
	f.dieLocked(name, 134, signal)
	return nil
}

func (f *machine) Kill(ctx context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("kill " + name)
	f.dieLocked(name, 137, "SIGKILL")
	return nil
}

func (f *machine) Remove(ctx context.Context, name string, keep bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.note("remove " + name)
	delete(f.hashes, name)
	return nil
}

func (f *machine) Exec(ctx context.Context, name string, args []string) (int, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sick[name] {
		return 1, "first line\nno answer", nil
	}
	return 0, "", nil
}

func (f *machine) Begin(ctx context.Context, name string, o api.Exec) (api.Process, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fails["exec "+name]; err != nil {
		return nil, err
	}
	return echo{}, nil
}

// echo is a program that says what it hears, and ends with 3.
type echo struct{ api.Process }

func (echo) Run(_ context.Context, stdin io.Reader, stdout, _ io.Writer) (int, error) {
	_, err := io.Copy(stdout, stdin)
	return 3, err
}

func (f *machine) Image(ctx context.Context, name string) (*runtime.Image, error) {
	return &runtime.Image{Ref: name + ":1", Digest: "sha256:d"}, nil
}

func (f *machine) List(ctx context.Context) (found []runtime.Found, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, hash := range f.hashes {
		found = append(found, runtime.Found{Name: name, Hash: hash, PID: f.pids[name], Since: time.Now()})
	}
	return found, nil
}

func (f *machine) Watch(ctx context.Context, connected func(), exited func(runtime.Exit), lost func(error)) error {
	for {
		f.mu.Lock()
		f.exited = func(e runtime.Exit) { go exited(e) }
		f.mu.Unlock()
		connected()
		select {
		case <-ctx.Done():
			f.mu.Lock()
			f.exited = nil
			f.mu.Unlock()
			return context.Cause(ctx)
		case <-f.lose:
		}
		f.mu.Lock()
		f.exited = nil
		f.mu.Unlock()
		lost(errors.New("killed"))
		<-f.back
	}
}

func (f *machine) history() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.did)
}

// running is a manager at work.
type running struct {
	*Manager
	t      *testing.T
	leave  context.CancelFunc
	result chan error
}

func supervise(t *testing.T, f *machine, records string, starts int, services ...service.Service) *running {
	t.Helper()
	for i := range services {
		if services[i].Image == "" {
			services[i].Image = "testudo/" + services[i].Name
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{t: t, leave: cancel, result: make(chan error, 1)}
	r.Manager = New(&service.Set{Services: services}, Options{
		Connect:  func(context.Context) (Runtime, error) { return f, nil },
		Attach:   func(*service.Service) error { return nil },
		Records:  records,
		BootTime: func() int64 { return 1 },
		Log:      slog.New(slog.NewTextHandler(io.Discard, nil)),
		Starts:   starts,
	})
	go func() { r.result <- r.Run(ctx) }()
	synctest.Wait()
	return r
}

// end has the manager leave, as SIGTERM does.
func (r *running) end() {
	r.leave()
	<-r.result
}

func (r *running) get(name string) api.Service {
	r.t.Helper()
	synctest.Wait()
	row, err := r.Service(context.Background(), name)
	if err != nil {
		r.t.Fatal(err)
	}
	return row
}

func (r *running) want(name string, state api.State, reason string) {
	r.t.Helper()
	if row := r.get(name); row.State != state || !strings.Contains(row.Reason, reason) {
		r.t.Errorf("%s is %s (%s), want %s (%s)", name, row.State, row.Reason, state, reason)
	}
}

func wantDone(t *testing.T, f *machine, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := f.history(); !slices.Equal(got, want) {
		t.Errorf("did  %v\nwant %v", got, want)
	}
}

var always = service.Restart{Policy: "always"}

func TestADependentStartsWhenWhatItWaitsForIsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMachine()
		m := supervise(t, f, t.TempDir(), 1,
			service.Service{Name: "network", Ready: service.ReadyNotify, Restart: always},
			service.Service{Name: "ntp", Restart: always, DependsOn: []service.Dependency{{Name: "network", Required: true}}},
		)
		defer m.end()
		m.want("ntp", api.StateWaiting, "waiting for network to be ready")
		m.want("network", api.StateStarting, "READY=1")
		m.Notified(notify.Message{Service: "network", Status: "asking for an address"})
		m.want("network", api.StateStarting, "asking for an address")
		m.Notified(notify.Message{Service: "network", Ready: true, Status: "online"})
		m.want("network", api.StateRunning, "online")
		m.want("ntp", api.StateRunning, "")
		wantDone(t, f, "start network", "start ntp")
	})
}

func TestServicesStartByPriorityAsManyAtOnceAsAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMachine()
		for _, name := range []string{"a", "b", "c"} {
			f.takes[name] = time.Second
		}
		m := supervise(t, f, t.TempDir(), 1,
			service.Service{Name: "a", Priority: 90}, service.Service{Name: "b", Priority: 10}, service.Service{Name: "c", Priority: 50})
		defer m.end()
		wantDone(t, f, "start b")
		time.Sleep(time.Second)
		wantDone(t, f, "start b", "start c")
		time.Sleep(time.Second)
		wantDone(t, f, "start b", "start c", "start a")
		time.Sleep(time.Second)
		m.want("a", api.StateRunning, "")
	})
}

func TestASlowStartDoesNotHoldUpOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMachine()
		f.takes["slow"] = time.Minute
		m := supervise(t, f, t.TempDir(), 1, service.Service{Name: "slow", Priority: 1}, service.Service{Name: "fast", Priority: 2})
		m.want("fast", api.StateWaiting, "")
		time.Sleep(slowStart)
		m.want("fast", api.StateRunning, "")
		m.want("slow", api.StateStarting, "")
		time.Sleep(time.Minute)
		m.want("slow", api.StateRunning, "")
		m.end()
	})
}

func TestWhatDiesIsRestartedAndTellsWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMachine()
		m := supervise(t, f, t.TempDir(), 1, service.Service{Name: "web", Restart: always})
		defer m.end()
		f.die("web", 137, "SIGKILL")
		m.want("web", api.StateBackoff, "killed by SIGKILL, next try in")
		time.Sleep(time.Second)
		row := m.get("web")
		if row.State != api.StateRunning || row.Restarts != 1 || row.PID != 2 {
			t.Errorf("%+v", row)
		}
		wantDone(t, f, "start web", "start web")
	})
}

func TestACrashLoopIsToldAsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMachine()
		m := supervise(t, f, t.TempDir(), 1, service.Service{Name: "web", Restart: always})
		defer m.end()
		for range service.CrashLoopAt {
			f.die("web", 1, "")
			synctest.Wait()
			if m.get("web").State != api.StateCrashLoop {
				time.Sleep(service.MaxDelay)
				synctest.Wait()
			}
		}
		m.want("web", api.StateCrashLoop, "crash loop: exit 1, 5 times in")
	})
}

func TestAProcessThatEndsBeforeItsStartIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMachine()
		f.instant["once"] = true
		m := supervise(t, f, t.TempDir(), 1, service.Service{Name: "once", Ready: service.ReadyExit, Restart: service.Restart{Policy: "no"}})
		defer m.end()
		m.want("once", api.StateExited, "done")
		if row := m.get("once"); !row.Ready || row.PID != 0 {
			t.Errorf("%+v", row)
		}
		time.Sleep(time.Hour)
		wantDone(t, f, "start once", "remove once")
	})
}

func TestWhatCannotWorkIsInvalidAndOthersRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMachine()
		f.fails["bad"] = fmt.Errorf("%w: command nonsense not found in the image", runtime.ErrPermanent)
		f.fails["later"] = errors.New("volume /x: its source /y does not exist")
		m := supervise(t, f, t.TempDir(), 1,
			service.Service{Name: "bad", Restart: always}, service.Service{Name: "good", Restart: always}, service.Service{Name: "later", Restart: always})
		defer m.end()
		m.want("bad", api.StateInvalid, "command nonsense not found in the image")
		m.want("good", api.StateRunning, "")
		m.want("later", api.StateBackoff, "its source /y does not exist")
		_, err := m.Do(t.Context(), "bad", api.VerbStart)
		if !errors.Is(err, api.ErrConflict) || !strings.Contains(err.Error(), "nonsense") {
			t.Errorf("start of what is invalid: %v", err)
		}
		f.mu.Lock()
		clear(f.fails)
		f.mu.Unlock()
		if row, err := m.Do(t.Context(), "bad", api.VerbStart); err != nil || row.State != api.StateRunning {
			t.Errorf("%+v %v", row, err)
		}
		time.Sleep(time.Minute)
		m.want("later", api.StateRunning, "")
	})
}

func TestRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMachine()
		m := supervise(t, f, t.TempDir(), 1, service.Service{Name: "web", Restart: always})
		defer m.end()
		ctx := t.Context()
		if row, err := m.Do(ctx, "web", api.VerbStop); err != nil || row.State != api.StateStopped || row.Reason != "stopped by the operator" {
			t.Errorf("stop: %+v %v", row, err)
		}
		time.Sleep(time.Hour)
		m.want("web", api.StateStopped, "")
		if row, err := m.Do(ctx, "web", api.VerbStop); err != nil || row.State != api.StateStopped {
			t.Errorf("stop again: %+v %v", row, err)
		}
		if row, err := m.Do(ctx, "web", api.VerbStart); err != nil || row.State != api.StateRunning || row.PID != 2 {
			t.Errorf("start: %+v %v", row, err)
		}
		if row, err := m.Do(ctx, "web", api.VerbStart); err != nil || row.PID != 2 {
			t.Errorf("start of what runs: %+v %v", row, err)
		}
		if row, err := m.Do(ctx, "web", api.VerbRestart); err != nil || row.State != api.StateRunning || row.PID != 3 || row.Restarts != 0 {
			t.Errorf("restart: %+v %v", row, err)
		}
		if _, err := m.Do(ctx, "nobody", api.VerbStart); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("unknown service: %v", err)
		}
		if _, err := m.Do(ctx, "web", "explode"); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("unknown verb: %v", err)
		}
		if _, err := m.Service(ctx, "nobody"); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("unknown service: %v", err)
		}
		if found, err := m.Inspect(ctx, "web"); err != nil || found.ImageDigest != "sha256:d" || found.Hash == "" {
			t.Errorf("inspect: %+v %v", found, err)
		}
	})
}

func TestAStartThatWaitsIsToldSoAndNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMachine()
		m := supervise(t, f, t.TempDir(), 1,
			service.Service{Name: "a", Ready: service.ReadyNotify, Restart: always},
			service.Service{Name: "b", Restart: always, DependsOn: []service.Dependency{{Name: "a", Required: true}}})
		defer m.end()
		if row, err := m.Do(t.Context(), "b", api.VerbRestart); err != nil || row.State != api.StateWaiting {
			t.Errorf("%+v %v", row, err)
		}
	})
}

func TestWhatDoesNotStopIsKilledAfterItsGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMachine()
		f.deaf["web"] = true
		m := supervise(t, f, t.TempDir(), 1, service.Service{Name: "web", Restart: always, StopGracePeriod: 5 * time.Second})
		defer m.end()
		began := time.Now()
		row, err := m.Do(t.Context(), "web", api.VerbStop)
		if err != nil || row.State != api.StateStopped || time.Since(began) != 5*time.Second {
			t.Errorf("%+v %v after %v", row, err, time.Since(began))
		}
		wantDone(t, f, "start web", "signal web", "kill web", "remove web")
	})
}

func TestShutdownStopsInReverseOrderAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMachine()
		m := supervise(t, f, t.TempDir(), 1,
			service.Service{Name: "a", Restart: always},
			service.Service{Name: "b", Restart: always, DependsOn: []service.Dependency{{Name: "a", Required: true}}},
			service.Service{Name: "c", Restart: always, DependsOn: []service.Dependency{{Name: "b", Required: true}}})
		synctest.Wait()
		m.StopAll()
		if err := <-m.result; err != nil {
			t.Fatal(err)
		}
		wantDone(t, f, "start a", "start b", "start c", "signal c", "signal b", "signal a")
	})
}

func TestShutdownDoesNotWaitForeverForContainerd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMachine()
		m := supervise(t, f, t.TempDir(), 1, service.Service{Name: "a", Restart: always})
		f.lose <- struct{}{}
		m.StopAll()
		began := time.Now()
		go func() { time.Sleep(time.Minute); close(f.back) }()
		if err := <-m.result; err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited < shutdownPatience {
			t.Errorf("gave up after %v", waited)
		}
	})
}

func TestTheNextManagerTakesOverAndNothingRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, records := newMachine(), t.TempDir()
		services := []service.Service{
			{Name: "down", Restart: always},
			{Name: "notifies", Ready: service.ReadyNotify, Restart: always},
			{Name: "once", Ready: service.ReadyExit, Restart: service.Restart{Policy: "no"}},
			{Name: "web", Restart: always},
		}
		first := supervise(t, f, records, 1, services...)
		first.Notified(notify.Message{Service: "notifies", Ready: true})
		f.die("web", 1, "")
		time.Sleep(time.Second)
		f.die("once", 0, "")
		if _, err := first.Do(t.Context(), "down", api.VerbStop); err != nil {
			t.Fatal(err)
		}
		before := first.get("web")
		first.end()
		did := f.history()

		second := supervise(t, f, records, 1, services...)
		defer second.end()
		time.Sleep(time.Hour)
		wantDone(t, f, did...)
		after := second.get("web")
		if after.PID != before.PID || after.Restarts != 1 || after.State != api.StateRunning || len(after.History) != len(before.History) {
			t.Errorf("before %+v\nafter  %+v", before, after)
		}
		second.want("notifies", api.StateRunning, "")
		second.want("once", api.StateExited, "done")
		second.want("down", api.StateStopped, "stopped by the operator")
		// And it still sees what dies.
		f.die("web", 2, "")
		second.want("web", api.StateBackoff, "exit 2")
	})
}

func TestWhatDiedWhileNobodyWatchedIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMachine()
		m := supervise(t, f, t.TempDir(), 1, service.Service{Name: "web", Restart: always}, service.Service{Name: "other", Restart: always})
		defer m.end()
		f.lose <- struct{}{}
		synctest.Wait()
		f.die("web", 1, "")
		m.want("web", api.StateRunning, "")
		f.back <- struct{}{}
		m.want("web", api.StateBackoff, "killed by SIGKILL")
		time.Sleep(time.Second)
		m.want("web", api.StateRunning, "")
		wantDone(t, f, "start other", "start web", "start web")
	})
}

func TestWithoutRecordsWhatRunsIsAdoptedAndUndeclaredIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMachine()
		web := service.Service{Name: "web", Image: "testudo/web", Restart: always}
		says := service.Service{Name: "says", Image: "testudo/says", Ready: service.ReadyNotify, Restart: always}
		f.pids = map[string]int{"web": 7, "says": 8, "old": 9}
		f.hashes = map[string]string{"web": web.Hash(), "says": says.Hash(), "old": "?"}
		m := supervise(t, f, t.TempDir(), 1, web, says)
		defer m.end()
		m.want("web", api.StateRunning, "")
		m.want("says", api.StateStarting, "READY=1")
		if row := m.get("web"); row.PID != 7 {
			t.Errorf("%+v", row)
		}
		wantDone(t, f, "signal old", "remove old")
		if _, err := m.Service(t.Context(), "old"); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("the undeclared one is still listed: %v", err)
		}
		time.Sleep(assumeReady)
		m.want("says", api.StateRunning, "")
	})
}

func TestAChangedDeclarationRestartsWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMachine()
		f.pids, f.hashes = map[string]int{"web": 7}, map[string]string{"web": "another"}
		f.next = 7
		m := supervise(t, f, t.TempDir(), 1, service.Service{Name: "web", Restart: always})
		defer m.end()
		m.want("web", api.StateRunning, "")
		wantDone(t, f, "signal web", "start web")
	})
}

func TestHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMachine()
		f.sick["web"] = true
		m := supervise(t, f, t.TempDir(), 1, service.Service{
			Name: "web", Ready: service.ReadyHealthy, Restart: always,
			Healthcheck: &service.Healthcheck{Test: []string{"CMD", "check"}, Interval: 10 * time.Second, StartInterval: time.Second, StartPeriod: time.Minute, Retries: 2},
		})
		defer m.end()
		time.Sleep(30 * time.Second)
		m.want("web", api.StateStarting, "waiting for its healthcheck")
		heal := func(well bool) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.sick["web"] = !well
		}
		heal(true)
		time.Sleep(time.Second)
		m.want("web", api.StateRunning, "")
		heal(false)
		time.Sleep(11 * time.Second)
		m.want("web", api.StateRunning, "")
		time.Sleep(10 * time.Second)
		m.want("web", api.StateRunning, "unhealthy: healthcheck: exit 1: no answer")
		if m.get("web").Ready {
			t.Error("an unhealthy service is ready")
		}
		heal(true)
		time.Sleep(10 * time.Second)
		if !m.get("web").Ready {
			t.Error("a healthy service is not ready")
		}
	})
}

func TestDeclaredInvalidAndDisabledAreListedWithTheirReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMachine()
		m := New(&service.Set{
			Disabled: []service.Service{{Name: "off", Image: "x"}},
			Invalid:  []service.Invalid{{Name: "bad", Source: "bad.yaml:3", Err: errors.New("bad.yaml:3:1: unknown key")}},
		}, Options{
			Connect: func(context.Context) (Runtime, error) { return f, nil }, Attach: func(*service.Service) error { return nil },
			Records: t.TempDir(), BootTime: func() int64 { return 1 }, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- m.Run(ctx) }()
		rows, err := m.Services(ctx)
		if err != nil || len(rows) != 2 || rows[0].State != api.StateInvalid || rows[0].Source != "bad.yaml:3" || rows[1].State != api.StateDisabled {
			t.Errorf("%+v %v", rows, err)
		}
		for _, name := range []string{"bad", "off"} {
			if _, err := m.Do(ctx, name, api.VerbStart); !errors.Is(err, api.ErrConflict) {
				t.Errorf("start %s: %v", name, err)
			}
		}
		cancel()
		<-done
		if _, err := m.Services(t.Context()); !errors.Is(err, api.ErrUnavailable) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestAnEssentialServiceIsReadyBeforeOthersStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMachine()
		m := supervise(t, f, t.TempDir(), 1,
			service.Service{Name: "console", Priority: 1, Essential: true, Ready: service.ReadyNotify},
			service.Service{Name: "ntp", Priority: 2})
		defer m.end()
		m.want("console", api.StateStarting, "READY=1")
		m.want("ntp", api.StateWaiting, "")
		m.Notified(notify.Message{Service: "console", Ready: true})
		m.want("console", api.StateRunning, "")
		m.want("ntp", api.StateRunning, "")
	})
}

func TestAnEssentialServiceThatIsNotReadyHoldsUpOthersForAWhileOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMachine()
		m := supervise(t, f, t.TempDir(), 1,
			service.Service{Name: "console", Priority: 1, Essential: true, Ready: service.ReadyNotify},
			service.Service{Name: "ntp", Priority: 2})
		defer m.end()
		m.want("ntp", api.StateWaiting, "")
		time.Sleep(slowStart)
		m.want("console", api.StateStarting, "")
		m.want("ntp", api.StateRunning, "")
	})
}
