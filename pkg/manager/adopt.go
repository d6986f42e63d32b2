package manager

import (
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/runtime"
	"github.com/testudo-os/testudo/pkg/service"
)

// mark is what was known of a service when containerd was asked.
type mark struct {
	pid, turn int
	busy      bool // a start or removal of ours was at work
}

func (m *Manager) marks() map[string]mark {
	marks := map[string]mark{}
	for name, st := range m.status {
		marks[name] = m.mark(name, st)
	}
	return marks
}

func (m *Manager) mark(name string, st service.Status) mark {
	queue := m.queue[name]
	return mark{pid: st.PID, turn: m.turn[name], busy: queue != nil && !isClosed(queue)}
}

// reconcile takes in what containerd knows: after a restart of rosd, of
// containerd, or when an exit may have been missed. It leaves alone what has
// changed since containerd was asked, or is being changed by us.
func (m *Manager) reconcile(found []runtime.Found, before map[string]mark, now time.Time) {
	byName := map[string]runtime.Found{}
	for _, f := range found {
		byName[f.Name] = f
		if mark := m.mark(f.Name, m.status[f.Name]); mark == before[f.Name] && !mark.busy {
			m.adopt(f, now)
		}
	}
	for name, st := range m.status {
		if mark := m.mark(name, st); st.PID == 0 || mark != before[name] || mark.busy {
			continue
		}
		f, ok := byName[name]
		switch {
		case ok && f.PID == st.PID:
		case ok && f.Exit != nil && f.Exit.PID == st.PID:
			m.exited(*f.Exit)
		default:
			// Nobody is left who saw it end.
			m.exited(runtime.Exit{Name: name, PID: st.PID, Code: 137, Signal: "SIGKILL"})
		}
	}
}

// adopt takes over one container.
func (m *Manager) adopt(f runtime.Found, now time.Time) {
	st := m.status[f.Name]
	switch {
	case f.PID != 0 && st.PID == f.PID:
		m.resume(f.Name) // as its record says
	case f.PID != 0 && st.PID == 0:
		m.apply(f.Name, service.Event{Kind: service.EventAdopted, PID: f.PID, Since: f.Since, Spec: f.Hash}, now)
		m.resume(f.Name)
	case f.PID == 0 && f.Exit == nil && !st.Container:
		// Something half made: to be removed or made anew.
		m.apply(f.Name, service.Event{Kind: service.EventCreated}, now)
	}
}

// resume begins what accompanies a process that an earlier rosd started.
func (m *Manager) resume(name string) {
	if m.runs[name] != nil {
		return
	}
	svc := m.as(name)
	if err := m.opt.Attach(&svc); err != nil {
		m.opt.Log.Error("service "+name+" was found running", "error", err)
	}
	m.begin(name)
	// What it said while nobody listened is lost: its times begin anew.
	now := time.Now()
	m.apply(name, service.Event{Kind: service.EventAlive}, now)
	m.apply(name, service.Event{Kind: service.EventExtend, By: assumeReady}, now)
	st := m.status[name]
	if svc.Ready != service.ReadyNotify || st.Ready || st.State != api.StateStarting {
		return
	}
	pid := st.PID
	timer := time.AfterFunc(assumeReady, func() {
		m.post(func() {
			if st := m.status[name]; st.PID == pid && !st.Ready && st.State == api.StateStarting {
				m.opt.Log.Warn("service " + name + " was found running and is taken to be ready: it may have said so while nobody listened")
				m.heard(name, pid, service.Event{Kind: service.EventReady})
			}
		})
	})
	run := m.runs[name]
	m.work.Go(func() {
		<-run.ctx.Done()
		timer.Stop()
	})
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
