package manager

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/service"
)

// Up takes in what is declared now, and waits until every service that this
// starts, restarts or stops has settled: a changed one has then proved itself,
// or what ran before runs again.
func (m *Manager) Up(ctx context.Context, fresh *service.Set, o api.Up) ([]api.Change, error) {
	var changes []api.Change
	var refused error
	var waiters []*waiter
	err := m.ask(ctx, func() {
		if refused = m.known(fresh, o.Services); refused != nil {
			return
		}
		changes = service.Changes(m.set, fresh, m.status, o.Services)
		if !o.DryRun {
			waiters = m.up(service.Next(m.set, fresh, o.Services), changes, len(o.Services) > 0)
		}
	})
	switch {
	case err != nil:
		return nil, err
	case refused != nil:
		return nil, refused
	}
	for i, w := range waiters {
		if w == nil {
			continue
		}
		row, err := m.await(ctx, w)
		if err != nil {
			return changes, err
		}
		changes[i].Result, changes[i].Error = &row, failure(changes[i], row)
	}
	return changes, nil
}

// known refuses names that nobody declares, or ever did.
func (m *Manager) known(fresh *service.Set, names []string) error {
	if m.stopping {
		return fmt.Errorf("%w: the system goes down", api.ErrUnavailable)
	}
	for _, name := range names {
		if _, was := m.status[name]; !was && !fresh.Has(name) {
			return unknown(name)
		}
	}
	return nil
}

// up applies changes; what is to be waited for has a waiter.
func (m *Manager) up(next *service.Set, changes []api.Change, named bool) []*waiter {
	now := time.Now()
	m.load(next)
	waiters := make([]*waiter, len(changes))
	for i, c := range changes {
		w := &waiter{name: c.Service, row: make(chan api.Service, 1), reached: proved}
		switch c.Action {
		case api.ChangeStop:
			w.reached = func(st service.Status) bool { return !st.Alive() }
		case api.ChangeStart, api.ChangeRestart:
			st := m.status[c.Service]
			if named && st.Refused != nil {
				m.apply(c.Service, service.Event{Kind: service.EventRetryRequested}, now)
			}
			m.newImage(c, now)
			if c.Action == api.ChangeStart && (named || !st.Down) {
				m.apply(c.Service, service.Event{Kind: service.EventStartRequested}, now)
			}
		default:
			continue
		}
		waiters[i] = w
		m.waiters = append(m.waiters, w)
	}
	return waiters
}

// proved says that a start has led somewhere and, of a change, that its trial
// is over.
func proved(st service.Status) bool {
	return settled(st) && !(st.State == api.StateRunning && st.OnTrial())
}

// failure is why a change counts as failed; "" if it does not.
func failure(c api.Change, row api.Service) string {
	switch {
	case c.Action == api.ChangeStop:
		return ""
	case row.Refused != nil:
		return row.Refused.Reason
	case row.Ready || row.State == api.StateWaiting:
		return ""
	case row.State == api.StateExited && row.ExitCode != nil && *row.ExitCode == 0:
		return ""
	}
	return fmt.Sprintf("it is in state %s: %s", row.State, row.Reason)
}

// await waits for what w waits for.
func (m *Manager) await(ctx context.Context, w *waiter) (api.Service, error) {
	select {
	case row := <-w.row:
		return row, nil
	case <-m.gone:
		return api.Service{}, fmt.Errorf("%w: rosd is leaving", api.ErrUnavailable)
	case <-ctx.Done():
		m.post(func() { m.waiters = slices.DeleteFunc(m.waiters, func(other *waiter) bool { return other == w }) })
		return api.Service{}, ctx.Err()
	}
}

// Problems is what was found in the service files.
func (m *Manager) Problems(ctx context.Context) (problems []error, err error) {
	return problems, m.ask(ctx, func() { problems = m.set.Problems })
}

// User is what is declared of scope user.
func (m *Manager) User(ctx context.Context) (user []service.Service, err error) {
	return user, m.ask(ctx, func() { user = m.set.User })
}
