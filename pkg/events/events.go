// Package events hands out what happens on the machine to those who want to
// know: the last so many are kept in memory, and who follows gets the ones to
// come. Telling never waits for a listener: one who is too slow is cut off, and
// is told so. rosd imports it.
package events

import (
	"context"
	"errors"
	"sync"

	"github.com/testudo-os/testudo/pkg/api"
)

const (
	keep    = 512 // events
	backlog = 256 // that may wait for one listener
)

// ErrSlow ends a listener that did not keep up.
var ErrSlow = errors.New("events came faster than they were read")

// Hub is where events pass. The zero value is ready; it is safe for concurrent
// use.
type Hub struct {
	mu        sync.Mutex
	last      []api.SystemEvent // oldest first
	listeners map[*listener]struct{}
}

type listener struct {
	events chan api.SystemEvent // closed when it was too slow
}

// Tell keeps an event and hands it to those who follow.
func (h *Hub) Tell(e api.SystemEvent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.last) >= 2*keep {
		h.last = append([]api.SystemEvent(nil), h.last[len(h.last)-keep:]...)
	}
	h.last = append(h.last, e)
	for l := range h.listeners {
		select {
		case l.events <- e:
		default:
			close(l.events)
			delete(h.listeners, l)
		}
	}
}

// Read calls event for the events wanted, oldest first. An error of event's own
// ends it.
func (h *Hub) Read(ctx context.Context, o api.EventOptions, event func(api.SystemEvent) error) error {
	h.mu.Lock()
	last := h.last[max(0, len(h.last)-keep):]
	if o.Tail >= 0 {
		last = last[max(0, len(last)-o.Tail):]
	}
	last = append([]api.SystemEvent(nil), last...)
	l := &listener{events: make(chan api.SystemEvent, backlog)}
	if o.Follow {
		if h.listeners == nil {
			h.listeners = map[*listener]struct{}{}
		}
		h.listeners[l] = struct{}{}
		defer h.forget(l)
	}
	h.mu.Unlock()
	for _, e := range last {
		if err := event(e); err != nil {
			return err
		}
	}
	for o.Follow {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-l.events:
			if !ok {
				return ErrSlow
			}
			if err := event(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (h *Hub) forget(l *listener) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.listeners, l)
}
