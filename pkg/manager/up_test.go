package manager

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/notify"
	"github.com/testudo-os/testudo/pkg/service"
)

func declared(services ...service.Service) *service.Set { return &service.Set{Services: services} }

func TestUpTouchesOnlyWhatHasChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMachine()
		web := service.Service{Name: "web", Image: "web:1", Restart: always}
		other := service.Service{Name: "other", Image: "other", Restart: always}
		m := supervise(t, f, t.TempDir(), 1, web, other)
		defer m.end()
		before := m.get("other").PID
		next := web
		next.Image = "web:2"

		changes, err := m.Up(t.Context(), declared(next, other), api.Up{DryRun: true})
		if err != nil || len(changes) != 1 || changes[0].Action != api.ChangeRestart || changes[0].Result != nil {
			t.Errorf("dry: %+v %v", changes, err)
		}
		wantDone(t, f, "start other", "start web")

		began := time.Now()
		changes, err = m.Up(t.Context(), declared(next, other), api.Up{})
		if err != nil || len(changes) != 1 || changes[0].Error != "" || changes[0].Result == nil || !changes[0].Result.Ready {
			t.Errorf("%+v %v", changes, err)
		}
		if took := time.Since(began); took != service.DefaultTrial {
			t.Errorf("it took %v, want the trial's %v", took, service.DefaultTrial)
		}
		wantDone(t, f, "start other", "start web", "signal web", "start web")
		if m.get("other").PID != before {
			t.Error("a service that did not change has another process")
		}
		if changes, err := m.Up(t.Context(), declared(next, other), api.Up{}); err != nil || len(changes) != 0 {
			t.Errorf("again: %+v %v", changes, err)
		}
		if _, err := m.Up(t.Context(), declared(next), api.Up{Services: []string{"nobody"}}); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("nobody: %v", err)
		}
	})
}

func TestUpStartsStopsAndKeepsWhatABadFileDeclares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMachine()
		kept, old, fresh := service.Service{Name: "kept", Image: "x", Restart: always}, service.Service{Name: "old", Image: "x", Restart: always}, service.Service{Name: "fresh", Image: "x", Restart: always}
		m := supervise(t, f, t.TempDir(), 2, kept, old)
		defer m.end()
		set := declared(fresh)
		set.Invalid = []service.Invalid{{Name: "kept", Err: errors.New("kept.yaml:2:3: unknown key")}}
		changes, err := m.Up(t.Context(), set, api.Up{})
		if err != nil || len(changes) != 3 {
			t.Fatalf("%+v %v", changes, err)
		}
		for i, want := range []api.ChangeAction{api.ChangeStart, api.ChangeInvalid, api.ChangeStop} {
			if changes[i].Action != want || changes[i].Error != "" {
				t.Errorf("%+v, want %s", changes[i], want)
			}
		}
		m.want("kept", api.StateRunning, "")
		m.want("fresh", api.StateRunning, "")
		if _, err := m.Service(t.Context(), "old"); !errors.Is(err, api.ErrNotFound) {
			t.Errorf("old: %v", err)
		}
		synctest.Wait()
		did := f.history()
		slices.Sort(did)
		if want := []string{"remove old", "signal old", "start fresh", "start kept", "start old"}; !slices.Equal(did, want) {
			t.Errorf("did %q", did)
		}
	})
}

// A change that fails is judged once, tells why, and what ran before is back
// at once, also when rosd is another one by then.
func TestAChangeThatFailsGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, records := newMachine(), t.TempDir()
		web := service.Service{Name: "web", Image: "web:1", Restart: always, Ready: service.ReadyNotify}
		m := supervise(t, f, records, 1, web)
		m.Notified(notify.Message{Service: "web", Ready: true})
		next := web
		next.Image = "web:2"
		result := make(chan []api.Change, 1)
		go func() {
			changes, err := m.Up(t.Context(), declared(next), api.Up{})
			if err != nil {
				t.Error(err)
			}
			result <- changes
		}()
		synctest.Wait()
		m.want("web", api.StateStarting, "READY=1")
		f.die("web", 3, "")
		synctest.Wait()
		m.Notified(notify.Message{Service: "web", Ready: true})
		changes := <-result
		if len(changes) != 1 || changes[0].Error != "exit 3" {
			t.Errorf("%+v", changes)
		}
		m.want("web", api.StateRunning, "runs as before a change that failed: exit 3")
		if row := m.get("web"); row.Image != "web:1" || row.Refused == nil || row.Refused.Image != "web:2" {
			t.Errorf("%+v", row)
		}
		m.end()

		// The next rosd reads the file that failed, and knows that it did.
		did := f.history()
		second := supervise(t, f, records, 1, next)
		defer second.end()
		time.Sleep(time.Hour)
		wantDone(t, f, did...)
		second.want("web", api.StateRunning, "runs as before a change that failed: exit 3")
	})
}

func TestRosdThatDiesInATrialLeavesItToTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, records := newMachine(), t.TempDir()
		web := service.Service{Name: "web", Image: "web:1", Restart: always}
		first := supervise(t, f, records, 1, web)
		next := web
		next.Image = "web:2"
		go first.Up(t.Context(), declared(next), api.Up{})
		synctest.Wait()
		first.want("web", api.StateRunning, "on trial")
		first.end()

		second := supervise(t, f, records, 1, next)
		defer second.end()
		second.want("web", api.StateRunning, "on trial")
		f.die("web", 1, "")
		second.want("web", api.StateRunning, "runs as before a change that failed: exit 1")
		wantDone(t, f, "start web", "signal web", "start web", "start web")
	})
}

func TestTheWatchdogAborts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMachine()
		m := supervise(t, f, t.TempDir(), 1, service.Service{Name: "web", Restart: always, Ready: service.ReadyNotify,
			Supervision: service.Supervision{Watchdog: 10 * time.Second}})
		defer m.end()
		m.Notified(notify.Message{Service: "web", Ready: true})
		for range 5 {
			time.Sleep(9 * time.Second)
			m.Notified(notify.Message{Service: "web", Watchdog: true})
		}
		m.want("web", api.StateRunning, "")
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if got := f.history(); !slices.Contains(got, "SIGABRT web") {
			t.Errorf("did %v", got)
		}
		var told []string
		for _, e := range m.get("web").History {
			told = append(told, e.Reason)
		}
		if !strings.Contains(strings.Join(told, "; "), "no WATCHDOG=1 for 10 s") {
			t.Errorf("the history does not say why: %q", told)
		}
	})
}
