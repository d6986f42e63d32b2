package manager

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/service"
)

// pulling is an image on its way for a start.
type pulling struct {
	spec   string // the hash of what is to be started
	cancel context.CancelCauseFunc
}

// errUnwanted ends the fetching of an image that no service wants any more.
var errUnwanted = errors.New("the image is not wanted any more")

// pullError is a start that came to nothing because of its image.
type pullError struct {
	err     error
	givenUp bool // by us
}

func (e *pullError) Error() string { return e.err.Error() }

func (e *pullError) Unwrap() error { return e.err }

// tellPull is how often the progress of a pull is taken in.
const tellPull = 500 * time.Millisecond

// bring has the image of a service here. It is called outside of the owner.
func (m *Manager) bring(svc *service.Service, again bool) error {
	if m.opt.Bring == nil || isSystem(svc.Image) {
		return nil
	}
	ctx, cancel := context.WithCancelCause(m.calls)
	defer cancel(nil)
	name, hash := svc.Name, svc.Hash()
	m.post(func() { m.pulls[name] = pulling{hash, cancel} })
	defer m.post(func() { delete(m.pulls, name) })

	var told time.Time
	err := m.opt.Bring(ctx, svc, again, func(done, total int64) {
		if now := time.Now(); now.Sub(told) >= tellPull {
			told = now
			m.post(func() { m.apply(name, service.Event{Kind: service.EventPulling, Reason: pullReason(done, total)}, now) })
		}
	})
	switch {
	case err != nil && context.Cause(ctx) == errUnwanted:
		return &pullError{errUnwanted, true}
	case err != nil:
		return &pullError{err, false}
	case !told.IsZero():
		m.post(func() { m.apply(name, service.Event{Kind: service.EventPulled}, time.Now()) })
	}
	return nil
}

func pullReason(done, total int64) string {
	const mebi = 1 << 20
	if total == 0 {
		return "pulling its image" // nothing is known of it yet
	}
	return fmt.Sprintf("pulling its image: %.1f of %.1f MiB", float64(done)/mebi, float64(total)/mebi)
}

// endPulls ends those whose service is not to be started like that any more.
func (m *Manager) endPulls() {
	for name, p := range m.pulls {
		st := m.status[name]
		if m.stopping || st.Down || !m.wanted(name) || m.as(name).Hash() != p.spec {
			p.cancel(errUnwanted)
		}
	}
}

func (m *Manager) wanted(name string) bool {
	for _, s := range m.set.Services {
		if s.Name == name {
			return true
		}
	}
	return false
}

// digest is that of the image a service is about to be started from, as far as
// it can be another one tomorrow.
func (m *Manager) digest(rt Runtime, svc service.Service) string {
	if isSystem(svc.Image) {
		return ""
	}
	image, err := rt.Image(m.calls, svc.Image)
	if err != nil {
		return "" // the start will tell
	}
	return image.Digest
}

// isSystem says whether an image is part of the release.
func isSystem(image string) bool { return strings.HasPrefix(image, service.SystemImages) }

// newImage restarts a service whose declaration is as it was.
func (m *Manager) newImage(c api.Change, now time.Time) {
	st := m.status[c.Service]
	if c.Action == api.ChangeRestart && st.Alive() && st.Spec == m.as(c.Service).Hash() {
		m.apply(c.Service, service.Event{Kind: service.EventRestartRequested}, now)
	}
}
