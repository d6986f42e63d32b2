package manager

import (
	"context"
	"errors"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/runtime"
	"github.com/testudo-os/testudo/pkg/service"
)

// do hands one action to a goroutine. A start beyond the limit is not done: it
// is left for the next plan, which is made when a place is free.
func (m *Manager) do(action service.Action, now time.Time) (done bool) {
	name := action.Service
	if action.Kind == service.Start {
		m.freePlaces()
		if len(m.places) >= m.opt.Starts {
			return false
		}
		m.startedAs[name] = m.as(name)
	}
	m.apply(name, action.Event(), now)
	switch action.Kind {
	case service.Start:
		m.start(m.startedAs[name])
	case service.Abort:
		m.signal(name, "not aborted", func(ctx context.Context) error { return m.runtime.SignalAs(ctx, name, "SIGABRT") })
	case service.Stop, service.Fail:
		svc := m.startedOrDeclared(name)
		m.signal(name, "stop signal not sent", func(ctx context.Context) error { return m.runtime.Signal(ctx, &svc) })
	case service.Kill:
		m.signal(name, "not killed", func(ctx context.Context) error { return m.runtime.Kill(ctx, name) })
	case service.Remove:
		m.remove(name, m.as(name).Persistent)
	}
	return true
}

// startedOrDeclared: a service is stopped in the way it was started with.
func (m *Manager) startedOrDeclared(name string) service.Service {
	if s, ok := m.startedAs[name]; ok {
		return s
	}
	if st := m.status[name]; st.Good != nil && st.GoodSpec == st.Spec {
		return *st.Good
	}
	return m.as(name)
}

// enqueue lines up what makes and removes a service's container.
func (m *Manager) enqueue(name string) (previous, mine chan struct{}) {
	previous, mine = m.queue[name], make(chan struct{})
	m.queue[name] = mine
	m.turn[name]++
	return previous, mine
}

func (m *Manager) start(svc service.Service) {
	rt, again := m.runtime, m.status[svc.Name].Restarting()
	previous, mine := m.enqueue(svc.Name)
	m.places[mine] = place{service: svc.Name, untilReady: svc.Essential}
	slow := time.AfterFunc(slowStart, func() { m.post(func() { delete(m.places, mine) }) })
	m.work.Go(func() {
		defer close(mine)
		if previous != nil {
			<-previous
		}
		err := m.opt.Attach(&svc)
		pid, image := 0, ""
		if err == nil {
			err = m.bring(&svc, again)
		}
		if err == nil {
			image = m.digest(rt, svc)
			pid, err = rt.Start(m.calls, &svc)
		}
		if err != nil || !svc.Essential {
			slow.Stop()
		}
		m.post(func() {
			m.started(svc.Name, pid, image, err)
			if err != nil || !svc.Essential {
				delete(m.places, mine)
			}
		})
	})
}

// place is what a start takes of those that are allowed at once. An essential
// service keeps its own until it is ready: what the machine is for comes first
// where processors are few.
type place struct {
	service    string
	untilReady bool
}

// freePlaces takes back those of essential services that are past their start.
func (m *Manager) freePlaces() {
	for key, p := range m.places {
		if p.untilReady && m.status[p.service].State != api.StateStarting {
			delete(m.places, key)
		}
	}
}

func (m *Manager) remove(name string, keepLayer bool) {
	rt := m.runtime
	previous, mine := m.enqueue(name)
	m.work.Go(func() {
		defer close(mine)
		if previous != nil {
			<-previous
		}
		ctx, cancel := context.WithTimeout(m.calls, callTimeout)
		defer cancel()
		if err := rt.Remove(ctx, name, keepLayer); err != nil {
			// The next start removes it, or says why it cannot.
			m.opt.Log.Warn("service "+name+": its container is not removed", "error", err)
		}
	})
}

// signal does not line up: a kill must not wait for anything. It ends with the
// process it is for, so that a late one cannot hit the next.
func (m *Manager) signal(name, failed string, send func(context.Context) error) {
	rt, parent := m.runtime, m.calls
	if r := m.runs[name]; r != nil {
		parent = r.ctx
	}
	m.work.Go(func() {
		ctx, cancel := context.WithTimeout(parent, callTimeout)
		defer cancel()
		err := send(ctx)
		switch {
		case err == nil || ctx.Err() != nil:
		case errors.Is(err, runtime.ErrNotRunning):
			// Its exit is on its way, or was missed.
			m.relist(m.calls, rt, "")
		default:
			m.opt.Log.Warn("service "+name+": "+failed, "error", err)
		}
	})
}
