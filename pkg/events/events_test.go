package events

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/testudo-os/testudo/pkg/api"
)

func told(h *Hub, from, to int) {
	for i := from; i < to; i++ {
		h.Tell(api.SystemEvent{Name: fmt.Sprint(i)})
	}
}

func names(t *testing.T, h *Hub, o api.EventOptions) []string {
	t.Helper()
	var got []string
	if err := h.Read(t.Context(), o, func(e api.SystemEvent) error { got = append(got, e.Name); return nil }); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestTheLastEventsAreKept(t *testing.T) {
	var h Hub
	told(&h, 0, 5*keep)
	all := names(t, &h, api.EventOptions{Tail: -1})
	if len(all) != keep || all[0] != fmt.Sprint(4*keep) || all[keep-1] != fmt.Sprint(5*keep-1) {
		t.Errorf("%d are kept, from %s to %s", len(all), all[0], all[len(all)-1])
	}
	if got := strings.Join(names(t, &h, api.EventOptions{Tail: 2}), " "); got != fmt.Sprintf("%d %d", 5*keep-2, 5*keep-1) {
		t.Errorf("the last two are %s", got)
	}
	if got := names(t, &h, api.EventOptions{}); got != nil {
		t.Errorf("the last none are %q", got)
	}
}

func TestWhoFollowsSeesEachEventOnceAndEndsWithItsContext(t *testing.T) {
	var h Hub
	told(&h, 0, 3)
	ctx, cancel := context.WithCancel(t.Context())
	var got []string
	err := h.Read(ctx, api.EventOptions{Tail: -1, Follow: true}, func(e api.SystemEvent) error {
		got = append(got, e.Name)
		if e.Name == "2" {
			told(&h, 3, 5)
		}
		if e.Name == "4" {
			cancel()
		}
		return nil
	})
	if all := strings.Join(got, " "); err != nil || all != "0 1 2 3 4" {
		t.Errorf("got %s (%v)", all, err)
	}
	if len(h.listeners) != 0 {
		t.Error("the listener is still there")
	}
}

func TestOneWhoIsTooSlowIsCutOffAndHoldsUpNobody(t *testing.T) {
	var h Hub
	told(&h, 0, 1)
	n := 0
	err := h.Read(t.Context(), api.EventOptions{Tail: -1, Follow: true}, func(api.SystemEvent) error {
		if n++; n == 1 {
			told(&h, 1, backlog+10)
		}
		return nil
	})
	if !errors.Is(err, ErrSlow) || n != backlog+1 {
		t.Errorf("after %d events: %v", n, err)
	}
}
