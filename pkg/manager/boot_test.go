package manager

import (
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/service"
)

func TestTheBootTellsWhatAServiceWaitedForAndWhenItRanAndWasReady(t *testing.T) {
	waiting := func(reason string) service.Status { return service.Status{State: api.StateWaiting, Reason: reason} }
	starting := service.Status{State: api.StateStarting}
	runs := service.Status{State: api.StateStarting, PID: 7}
	ready := service.Status{State: api.StateRunning, PID: 7, Ready: true}
	failed := service.Status{State: api.StateBackoff, Reason: "exit 1"}
	for _, c := range []struct {
		name  string
		steps []service.Status // one each ten microseconds, from 10 on
		want  api.BootStep
	}{
		{"waits for two things in turn", []service.Status{waiting("a"), waiting("a"), waiting("b"), starting, runs, ready}, api.BootStep{
			Waits: []api.BootWait{{Reason: "a", From: 10, To: 30}, {Reason: "b", From: 30, To: 40}}, Start: 40, Runs: 50, End: 60,
		}},
		{"waits for nothing", []service.Status{starting, runs, ready}, api.BootStep{Start: 10, Runs: 20, End: 30}},
		{"what comes after it was ready is no part of the boot", []service.Status{starting, runs, ready, failed, starting}, api.BootStep{Start: 10, Runs: 20, End: 30}},
		{"fails", []service.Status{starting, runs, failed}, api.BootStep{Start: 10, Runs: 20, End: 30, Error: "exit 1"}},
		{"fails first", []service.Status{starting, failed, starting, runs, ready}, api.BootStep{Start: 10, Runs: 40, End: 50}},
		{"still waits", []service.Status{waiting("a")}, api.BootStep{
			Waits: []api.BootWait{{Reason: "a", From: 10, To: 100}}, Start: 100, End: 100, Error: "the reason",
		}},
		{"is on its way", []service.Status{starting, runs}, api.BootStep{Start: 10, Runs: 20, End: 100, Error: "the reason"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var now int64
			m := &Manager{boot: map[string]*bootTimes{}, opt: Options{BootTime: func() int64 { return now }}}
			before := service.Status{}
			for _, after := range c.steps {
				now += 10
				m.note("web", before, after)
				before = after
			}
			c.want.Name, c.want.Kind = "web", "service"
			if got := m.boot["web"].step("web", "the reason", 100); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestEachChangeOfStateIsAnEvent(t *testing.T) {
	var told []string
	m := New(&service.Set{Services: []service.Service{{Name: "web"}}}, Options{
		BootTime: func() int64 { return 1 }, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Event: func(e api.SystemEvent) {
			told = append(told, fmt.Sprint(e.Kind, " ", e.Name, " ", e.State, " ", e.PID))
		},
	})
	now := time.Now()
	m.apply("web", service.Event{Kind: service.EventStarting}, now)
	m.apply("web", service.Event{Kind: service.EventNote, Reason: "no change of state"}, now)
	m.apply("web", service.Event{Kind: service.EventStarted, PID: 7}, now)
	if got, want := strings.Join(told, "|"), "service web waiting 0|service web starting 0|service web running 7"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
