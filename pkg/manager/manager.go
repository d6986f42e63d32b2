package manager

import (
	"context"
	"errors"
	"log/slog"
	goruntime "runtime"
	"slices"
	"sync"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/runtime"
	"github.com/testudo-os/testudo/pkg/service"
)

// Runtime runs services; *runtime.Runtime is one.
type Runtime interface {
	Start(ctx context.Context, svc *service.Service) (pid int, err error)
	Signal(ctx context.Context, svc *service.Service) error
	SignalAs(ctx context.Context, name, signal string) error
	Kill(ctx context.Context, name string) error
	Remove(ctx context.Context, name string, keepLayer bool) error
	Exec(ctx context.Context, name string, args []string) (code int, output string, err error)
	Begin(ctx context.Context, name string, o api.Exec) (api.Process, error)
	List(ctx context.Context) ([]runtime.Found, error)
	Image(ctx context.Context, name string) (*runtime.Image, error)
	Watch(ctx context.Context, connected func(), exited func(runtime.Exit), lost func(error)) error
}

// Options of a Manager. All are required unless said otherwise.
type Options struct {
	// Connect gives the runtime, once it is there.
	Connect func(ctx context.Context) (Runtime, error)
	// Attach makes what a service needs before it starts, and again when it is
	// found running: its log's FIFOs, its notify socket.
	Attach func(svc *service.Service) error
	// Look does the healthchecks that need no program in the service.
	Look func(ctx context.Context, pid int, what service.Probe) error
	// Judged tells that a change of a service has proved itself (refused is of
	// another spec or nil) or was refused, and what is good now; and the same
	// once more of what an earlier rosd judged. It may be nil.
	Judged func(name string, good service.Service, refused *service.Refusal)
	// Bring has the image of a service here before it starts, by its
	// pull_policy. again says that the start is a try after a failure, which
	// asks no registry for what is here. It calls progress as bytes come.
	// nil: images are here or they are not.
	Bring func(ctx context.Context, svc *service.Service, again bool, progress func(done, total int64)) error
	// Records is the folder of what the next rosd must know.
	Records string
	// BootTime is CLOCK_BOOTTIME in microseconds.
	BootTime func() int64
	Log      *slog.Logger
	// Event is told each change of a service's state. It must not wait. Optional.
	Event func(api.SystemEvent)
	// Starts is how many services may be started at once; 0 = one for each
	// processor: more would only make all of them later, the first too.
	Starts int
}

// Times that are not the services' own.
const (
	// A start that takes longer than this does not hold up others.
	slowStart = 2 * time.Second
	// After this a signal or a removal counts as lost.
	callTimeout = 30 * time.Second
	// How long to wait for starts on the way when rosd leaves.
	leaveGrace = 5 * time.Second
	// How long shutdown waits for a containerd that does not answer.
	shutdownPatience = 10 * time.Second
	// A service may say READY=1 while no rosd listens. One that was found
	// running and has not said it after this is taken to be ready.
	assumeReady = 15 * time.Second
)

// Manager supervises services. New makes one; Run is its life.
type Manager struct {
	opt   Options
	inbox chan func() // what the owner is to do next
	gone  chan struct{}

	calls     context.Context // of all that is done for services
	stopCalls context.CancelFunc
	work      sync.WaitGroup

	// All that follows belongs to the goroutine of Run.
	set       *service.Set
	declared  map[string]service.Service // as declared now, whatever its state
	startedAs map[string]service.Service // as it was when it was started
	status    map[string]service.Status
	dirty     map[string]bool // status differs from its record
	boot      map[string]*bootTimes
	runs      map[string]*process
	queue     map[string]chan struct{} // closed when the last start or removal is done
	turn      map[string]int           // counts starts and removals
	pulls     map[string]pulling       // images on their way, by service
	early     map[string]runtime.Exit  // exits that came before the news of the start
	waiters   []*waiter
	runtime   Runtime
	connected bool
	places    map[chan struct{}]place // starts on the way, by their turn in the queue
	stopping  bool
	giveUp    time.Time // while stopping without containerd
	finished  bool
}

// process is a service's present process.
type process struct {
	ctx    context.Context
	cancel context.CancelFunc
}

// New makes a manager of what is declared.
func New(set *service.Set, opt Options) *Manager {
	if opt.Starts <= 0 {
		opt.Starts = goruntime.NumCPU()
	}
	m := &Manager{
		opt: opt, inbox: make(chan func(), 16), gone: make(chan struct{}),
		declared: map[string]service.Service{}, startedAs: map[string]service.Service{},
		status: map[string]service.Status{}, dirty: map[string]bool{}, boot: map[string]*bootTimes{},
		runs: map[string]*process{}, queue: map[string]chan struct{}{}, places: map[chan struct{}]place{}, pulls: map[string]pulling{}, turn: map[string]int{}, early: map[string]runtime.Exit{},
	}
	m.calls, m.stopCalls = context.WithCancel(context.Background())
	m.load(set)
	return m
}

// Run supervises until ctx ends (services keep running) or, after StopAll,
// until all services have ended. It may be called once.
func (m *Manager) Run(ctx context.Context) error {
	defer m.leave()
	m.restore()
	connectCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	m.work.Go(func() { m.connect(connectCtx) })

	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		wake := m.step(time.Now())
		if m.finished {
			return nil
		}
		timer.Stop()
		if !wake.IsZero() {
			timer.Reset(max(0, time.Until(wake)))
		}
		select {
		case do := <-m.inbox:
			do()
			m.drain()
		case <-timer.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// drain takes what else has happened, so that one plan is made for all of it.
func (m *Manager) drain() {
	for {
		select {
		case do := <-m.inbox:
			do()
		default:
			return
		}
	}
}

// post has the owner do something; false when there is none any more.
func (m *Manager) post(do func()) bool {
	select {
	case m.inbox <- do:
		return true
	case <-m.gone:
		return false
	}
}

// leave ends what is on the way. Starts get the time to finish, so that the
// next rosd finds whole services.
func (m *Manager) leave() {
	close(m.gone)
	for _, r := range m.runs {
		r.cancel()
	}
	timer := time.AfterFunc(leaveGrace, m.stopCalls)
	defer timer.Stop()
	m.work.Wait()
	m.stopCalls()
}

// connect waits for the runtime and watches it.
func (m *Manager) connect(ctx context.Context) {
	rt, err := m.opt.Connect(ctx)
	if err != nil {
		if ctx.Err() == nil {
			m.opt.Log.Error("no container runtime: services cannot be started", "error", err)
		}
		return
	}
	m.post(func() { m.runtime = rt })
	err = rt.Watch(ctx,
		func() { m.relist(ctx, rt, "connected to containerd") },
		func(e runtime.Exit) { m.post(func() { m.exited(e) }) },
		func(err error) {
			m.post(func() {
				m.connected = false
				m.opt.Log.Warn("containerd is gone; services run on", "error", err)
			})
		})
	if err != nil && ctx.Err() == nil {
		m.opt.Log.Error("containerd can no longer be watched", "error", err)
	}
}

// relist asks what runs and has the owner take it in. What changes while it
// asks is left to the events that tell of it.
func (m *Manager) relist(ctx context.Context, rt Runtime, why string) {
	var before map[string]mark
	if err := m.ask(ctx, func() { before = m.marks() }); err != nil {
		return
	}
	found, err := rt.List(ctx)
	if err != nil {
		if ctx.Err() == nil && !errors.Is(err, runtime.ErrUnavailable) {
			m.opt.Log.Error("what runs is not known", "error", err)
		}
		return // when it went away again, Watch calls once more
	}
	m.post(func() {
		m.reconcile(found, before, time.Now())
		if why != "" {
			m.connected = true
			m.opt.Log.Info(why, "containers", len(found))
		}
	})
}

// step plans and acts; it returns when to do so again at the latest.
func (m *Manager) step(now time.Time) (wake time.Time) {
	m.endPulls()
	m.settleDisabled(now)
	switch {
	case m.stopping && !m.connected:
		if wake = m.giveUp; !now.Before(wake) {
			m.opt.Log.Error("containerd does not answer: services are left to PID 1")
			m.finished = true
		}
	case m.stopping:
		wake = m.act(service.PlanStop, now)
		m.finished = !m.anyAlive()
	case m.connected:
		wake = m.act(service.Plan, now)
	}
	m.save()
	m.answer()
	return wake
}

func (m *Manager) anyAlive() bool {
	for _, st := range m.status {
		if st.Alive() {
			return true
		}
	}
	return false
}

type planFunc func(time.Time, []service.Service, map[string]service.Status) ([]service.Action, time.Time)

func (m *Manager) act(plan planFunc, now time.Time) time.Time {
	wanted := m.inForce()
	if m.stopping {
		wanted = nil
		for name := range m.status {
			wanted = append(wanted, m.as(name))
		}
	}
	for {
		// Again after something was done: it may allow more, and have a
		// time of its own (the end of a grace period) at which to look again.
		actions, wake := plan(now, wanted, m.status)
		done := false
		for _, action := range actions {
			done = m.do(action, now) || done
		}
		if !done {
			m.forget()
			return wake
		}
	}
}

// forget drops services that are declared no more and of which nothing is left.
func (m *Manager) forget() {
	for name, st := range m.status {
		if _, ok := m.declared[name]; !ok && !st.Alive() && !st.Container {
			delete(m.status, name)
			delete(m.startedAs, name)
			delete(m.boot, name)
			m.dirty[name] = true
		}
	}
}

// StopAll stops all services in reverse order of dependency; Run then returns.
func (m *Manager) StopAll() {
	m.post(func() {
		if !m.stopping {
			m.stopping = true
			m.giveUp = time.Now().Add(shutdownPatience)
		}
	})
}

// load takes in what is declared.
func (m *Manager) load(set *service.Set) {
	now := time.Now()
	m.set = set
	m.declared = map[string]service.Service{}
	for i, s := range set.Services {
		s = s.Sealed()
		set.Services[i], m.declared[s.Name] = s, s
		if m.status[s.Name].Outdated(s) {
			m.apply(s.Name, service.Event{Kind: service.EventRetryRequested}, now)
		}
		if _, known := m.status[s.Name]; !known {
			reason := "waiting for containerd"
			if m.connected {
				reason = "declared"
			}
			m.apply(s.Name, service.Event{Kind: service.EventWaiting, Reason: reason}, now)
		}
	}
	for _, s := range set.Disabled {
		m.declared[s.Name] = s
		m.apply(s.Name, service.Event{Kind: service.EventDisabled, Reason: reasonOff(s)}, now)
	}
	for _, i := range set.Invalid {
		m.declared[i.Name] = service.Service{Name: i.Name, Source: i.Source}
		m.apply(i.Name, service.Event{Kind: service.EventInvalid, Reason: i.Reason()}, now)
	}
}

// settleDisabled is for services that ran when they were disabled, and have
// ended since.
func (m *Manager) settleDisabled(now time.Time) {
	for _, s := range m.set.Disabled {
		if st := m.status[s.Name]; !st.Alive() && st.State != api.StateDisabled {
			m.apply(s.Name, service.Event{Kind: service.EventDisabled, Reason: reasonOff(s)}, now)
		}
	}
}

func reasonOff(s service.Service) string {
	if s.Off == "" {
		return "disabled"
	}
	return s.Off
}

// inForce is what is wanted, with what ran before in place of refused changes.
func (m *Manager) inForce() []service.Service {
	wanted, copied := m.set.Services, false
	for i, s := range wanted {
		if m.status[s.Name].Refused == nil {
			continue
		}
		if !copied {
			wanted, copied = slices.Clone(wanted), true
		}
		wanted[i] = m.as(s.Name)
	}
	return wanted
}

// as is the service that is in force, or was when it was started.
func (m *Manager) as(name string) service.Service {
	st := m.status[name]
	if s, ok := m.declared[name]; ok {
		return st.InForce(s)
	}
	if s, ok := m.startedAs[name]; ok {
		return s
	}
	if st.Good != nil {
		return *st.Good
	}
	return service.Service{Name: name}
}
