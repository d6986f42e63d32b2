package manager

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/service"
)

// ask has the owner do something and waits until it is done.
func (m *Manager) ask(ctx context.Context, do func()) error {
	done := make(chan struct{})
	posted := make(chan bool, 1)
	go func() {
		posted <- m.post(func() {
			defer close(done)
			do()
		})
	}()
	select {
	case <-done:
		return nil
	case ok := <-posted:
		if !ok {
			return fmt.Errorf("%w: rosd is leaving", api.ErrUnavailable)
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-m.gone:
		return fmt.Errorf("%w: rosd is leaving", api.ErrUnavailable)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Services lists all services by name, without their histories.
func (m *Manager) Services(ctx context.Context) (rows []api.Service, err error) {
	err = m.ask(ctx, func() {
		now := time.Now()
		for name := range m.status {
			row := m.row(name, now)
			row.History = nil
			rows = append(rows, row)
		}
	})
	slices.SortFunc(rows, func(a, b api.Service) int { return strings.Compare(a.Name, b.Name) })
	return rows, err
}

// Service is one service with its history.
func (m *Manager) Service(ctx context.Context, name string) (row api.Service, err error) {
	known := false
	err = m.ask(ctx, func() {
		if _, known = m.status[name]; known {
			row = m.row(name, time.Now())
		}
	})
	if err == nil && !known {
		err = unknown(name)
	}
	return row, err
}

func unknown(name string) error {
	return fmt.Errorf("%w: no service %s is declared", api.ErrNotFound, name)
}

func (m *Manager) row(name string, now time.Time) api.Service {
	return m.status[name].API(m.as(name), now)
}

// Inspected is a service as resolved.
type Inspected struct {
	service.Service
	Hash        string // what it is run with
	ImageRef    string // with its version
	ImageDigest string // of the manifest
}

// Inspect is a service as resolved, with its image.
func (m *Manager) Inspect(ctx context.Context, name string) (found Inspected, err error) {
	known := false
	var rt Runtime
	err = m.ask(ctx, func() {
		found.Service, known = m.declared[name]
		rt = m.runtime
	})
	switch {
	case err != nil:
		return found, err
	case !known:
		return found, unknown(name)
	}
	found.Hash = found.Service.Hash()
	if rt == nil || found.Service.Image == "" {
		return found, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if image, err := rt.Image(ctx, found.Service.Image); err == nil {
		found.ImageRef, found.ImageDigest = image.Ref, image.Digest
	}
	return found, nil
}

// Boot gives each service's way from its first start to ready.
func (m *Manager) Boot(ctx context.Context) (steps []api.BootStep, err error) {
	err = m.ask(ctx, func() {
		for name, t := range m.boot {
			steps = append(steps, t.step(name, m.status[name].Reason, m.opt.BootTime()))
		}
	})
	slices.SortFunc(steps, func(a, b api.BootStep) int { return int(a.Start - b.Start) })
	return steps, err
}

// waiter is someone who waits for a service to get somewhere.
type waiter struct {
	name    string
	reached func(service.Status) bool
	row     chan api.Service // takes one
}

// Do starts, stops or restarts a service and waits until that is done, has
// failed, or cannot go on.
func (m *Manager) Do(ctx context.Context, name string, verb api.Verb) (api.Service, error) {
	w := &waiter{name: name, row: make(chan api.Service, 1)}
	var refused error
	err := m.ask(ctx, func() {
		if refused = m.request(w, verb); refused == nil {
			m.waiters = append(m.waiters, w)
		}
	})
	if err != nil {
		return api.Service{}, err
	}
	if refused != nil {
		return api.Service{}, refused
	}
	row, err := m.await(ctx, w)
	if err == nil && verb != api.VerbStop && !row.Ready && row.State != api.StateWaiting && row.State != api.StateExited {
		err = fmt.Errorf("%w: it is in state %s: %s", api.ErrConflict, row.State, row.Reason)
	}
	return row, err
}

// request applies a verb and says what to wait for.
func (m *Manager) request(w *waiter, verb api.Verb) error {
	kinds := map[api.Verb]service.EventKind{
		api.VerbStart: service.EventStartRequested, api.VerbStop: service.EventStopRequested, api.VerbRestart: service.EventRestartRequested,
	}
	kind, ok := kinds[verb]
	if !ok {
		return fmt.Errorf("%w: %q is not start, stop or restart", api.ErrInvalid, verb)
	}
	st, known := m.status[w.name]
	wanted := m.wanted(w.name)
	switch {
	case !known:
		return unknown(w.name)
	case m.stopping:
		return fmt.Errorf("%w: the system goes down", api.ErrUnavailable)
	case verb != api.VerbStop && !wanted:
		return fmt.Errorf("%w: it is %s: %s", api.ErrConflict, st.State, st.Reason)
	}
	if verb != api.VerbStart || !st.Ready || st.Down {
		m.apply(w.name, service.Event{Kind: kind}, time.Now())
	}
	w.reached = settled
	if verb == api.VerbStop {
		w.reached = func(st service.Status) bool { return !st.Alive() }
	}
	return nil
}

// settled says that a start has led somewhere, if only to waiting for another
// service.
func settled(st service.Status) bool {
	switch st.State {
	case api.StateStarting, api.StatePulling, api.StateStopping:
		return false
	case api.StateRunning:
		return !st.Restart
	case api.StateWaiting:
		return strings.HasPrefix(st.Reason, "waiting for ")
	}
	return true
}

// answer tells those who wait for what is reached now.
func (m *Manager) answer() {
	m.waiters = slices.DeleteFunc(m.waiters, func(w *waiter) bool {
		st, known := m.status[w.name]
		if known && !w.reached(st) {
			return false
		}
		w.row <- m.row(w.name, time.Now())
		return true
	})
}
