package manager

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/notify"
	"github.com/testudo-os/testudo/pkg/runtime"
	"github.com/testudo-os/testudo/pkg/service"
)

// apply is the one place where a status changes.
func (m *Manager) apply(name string, e service.Event, now time.Time) {
	e.Jitter = rand.Float64()
	before := m.status[name]
	after := before.Apply(m.as(name), e, now)
	m.status[name] = after
	m.dirty[name] = true
	m.note(name, before, after)
	if before.State != after.State {
		m.tell(name, after, now)
	}
	m.judged(name, before, after)
	if m.opt.Event != nil && (before.State != after.State || before.Ready != after.Ready) {
		m.opt.Event(api.SystemEvent{
			Time: now, Kind: "service", Name: name, State: after.State, Reason: after.Explain(now), PID: after.PID, ExitCode: after.ExitCode,
		})
	}
}

// judged tells of a change that has proved itself or was refused.
func (m *Manager) judged(name string, before, after service.Status) {
	switch {
	case after.Refused != nil && before.Refused != after.Refused:
		m.opt.Log.Error("service "+name+": a change failed; what ran before runs again", "reason", after.Refused.Reason)
	case before.Good != nil && after.GoodSpec != before.GoodSpec:
		m.opt.Log.Info("service " + name + ": a change has proved itself")
	default:
		return
	}
	if m.opt.Judged != nil {
		m.work.Go(func() { m.opt.Judged(name, *after.Good, after.Refused) })
	}
}

// tell writes a transition to rosd's log; what needs a person goes out as an
// error, which init repeats on the console.
func (m *Manager) tell(name string, st service.Status, now time.Time) {
	level := slog.LevelInfo
	switch st.State {
	case api.StateInvalid:
		level = slog.LevelError
	case api.StateCrashLoop:
		level = slog.LevelWarn
		if len(st.Failures) == service.CrashLoopAt {
			level = slog.LevelError // once, not with each failure
		}
	case api.StateBackoff:
		level = slog.LevelWarn
	case api.StateWaiting, api.StateStarting, api.StatePulling:
		level = slog.LevelDebug // the history has them
	}
	m.opt.Log.Log(context.Background(), level, "service "+name+" is "+string(st.State), "reason", st.Explain(now), "pid", st.PID)
}

// started is the result of a start.
func (m *Manager) started(name string, pid int, image string, err error) {
	now := time.Now()
	exit, ended := m.early[name]
	delete(m.early, name)
	var pull *pullError
	switch {
	case errors.As(err, &pull) && pull.givenUp:
		m.apply(name, service.Event{Kind: service.EventGivenUp, Reason: pull.Error()}, now)
		return
	case errors.As(err, &pull):
		m.apply(name, service.Event{Kind: service.EventPullFailed, Reason: pull.Error()}, now)
		return
	case err != nil:
		m.apply(name, service.Event{
			Kind: service.EventStartFailed, Reason: runtime.Reason(err), Permanent: errors.Is(err, runtime.ErrPermanent),
			Blameless: errors.Is(err, runtime.ErrUnavailable),
		}, now)
		return
	}
	m.apply(name, service.Event{Kind: service.EventStarted, PID: pid, Image: image}, now)
	if ended && exit.PID == pid {
		m.exited(exit)
		return
	}
	m.begin(name)
}

// begin starts what accompanies a running process.
func (m *Manager) begin(name string) {
	m.end(name)
	ctx, cancel := context.WithCancel(m.calls)
	m.runs[name] = &process{ctx, cancel}
	if svc := m.as(name); probes(svc) {
		pid, since := m.status[name].PID, m.status[name].StartedAt
		look := m.proberOf(svc, pid)
		m.work.Go(func() {
			probe(ctx, look, *svc.Healthcheck, since, func(e service.Event) {
				m.post(func() { m.heard(name, pid, e) })
			})
		})
	}
}

func (m *Manager) end(name string) {
	if r := m.runs[name]; r != nil {
		r.cancel()
		delete(m.runs, name)
	}
}

// exited takes in the end of a process, told by an event or found in a list.
func (m *Manager) exited(e runtime.Exit) {
	st, known := m.status[e.Name]
	switch {
	case !known:
		return
	case st.PID == 0 && st.Making():
		// The start's own result is not in yet.
		m.early[e.Name] = e
		return
	case st.PID != e.PID:
		return // of an earlier process
	}
	m.end(e.Name)
	m.apply(e.Name, service.Event{Kind: service.EventExited, Code: e.Code, Signal: e.Signal, OOM: e.OOM}, time.Now())
}

// heard takes in what process pid of a service says, or a probe of it.
func (m *Manager) heard(name string, pid int, e service.Event) {
	if st := m.status[name]; st.PID != 0 && st.PID == pid {
		m.apply(name, e, time.Now())
	}
}

// Notified takes in an sd_notify message. It may be called from anywhere.
func (m *Manager) Notified(msg notify.Message) {
	m.post(func() {
		st, known := m.status[msg.Service]
		if !known {
			return
		}
		// READY=1 may be faster than the news that it was started.
		if st.PID == 0 && st.Making() {
			if prev := m.queue[msg.Service]; prev != nil && !isClosed(prev) {
				m.work.Go(func() {
					<-prev
					m.Notified(msg)
				})
			}
			return
		}
		now := time.Now()
		say := func(said bool, e service.Event) {
			if said {
				m.apply(msg.Service, e, now)
			}
		}
		say(msg.Extend > 0, service.Event{Kind: service.EventExtend, By: msg.Extend})
		say(msg.Ready, service.Event{Kind: service.EventReady})
		say(msg.Watchdog, service.Event{Kind: service.EventAlive})
		say(msg.Stopping, service.Event{Kind: service.EventLeaving})
		say(msg.Status != "", service.Event{Kind: service.EventNote, Reason: msg.Status})
	})
}

// bootTimes are microseconds of CLOCK_BOOTTIME of a service's first run.
type bootTimes struct {
	Waits  []api.BootWait // before Start; the last may have no end yet
	Start  int64          // 0: not yet
	Runs   int64          // when its process ran
	Ready  int64
	Failed int64 // the last failure before it was ready
	Error  string
}

// note keeps the times of a service's first way from waiting over start to
// ready.
func (m *Manager) note(name string, before, after service.Status) {
	t := m.boot[name]
	if t == nil {
		if after.State != api.StateWaiting && after.State != api.StateStarting {
			return
		}
		t = &bootTimes{}
		m.boot[name] = t
	}
	if t.Ready != 0 {
		return
	}
	now := m.opt.BootTime()
	if t.Start == 0 {
		t.wait(after, now)
	}
	if t.Start == 0 && after.State == api.StateStarting {
		t.Start = now
	}
	if t.Runs == 0 && after.PID != 0 {
		t.Runs = now
	}
	switch {
	case after.Ready:
		t.Ready, t.Error = now, ""
	case before.State != after.State:
		switch after.State {
		case api.StateInvalid, api.StateBackoff, api.StateCrashLoop, api.StateExited:
			t.Failed, t.Error = now, after.Reason
		}
	}
}

// wait notes what a service waits for from now on, if it does.
func (t *bootTimes) wait(after service.Status, now int64) {
	if n := len(t.Waits); n > 0 && t.Waits[n-1].To == 0 {
		if after.State == api.StateWaiting && t.Waits[n-1].Reason == after.Reason {
			return
		}
		t.Waits[n-1].To = now
	}
	if after.State == api.StateWaiting {
		t.Waits = append(t.Waits, api.BootWait{Reason: after.Reason, From: now})
	}
}

// step is a service's part of the boot as it is now.
func (t *bootTimes) step(name, reason string, now int64) api.BootStep {
	step := api.BootStep{Name: name, Kind: "service", Waits: slices.Clone(t.Waits), Start: t.Start, Runs: t.Runs, End: t.Ready, Error: t.Error}
	if n := len(step.Waits); n > 0 && step.Waits[n-1].To == 0 {
		step.Waits[n-1].To = now
	}
	switch {
	case t.Ready != 0:
	case t.Failed != 0:
		step.End = t.Failed
	default: // on its way
		step.End, step.Error = now, reason
	}
	if step.Start == 0 {
		step.Start = step.End // it has not come so far
	}
	return step
}
