package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

func TestBackoff(t *testing.T) {
	type run struct{ ran, want time.Duration }
	ms, s := time.Millisecond, time.Second
	tests := []struct {
		name string
		b    Backoff
		runs []run
	}{
		{"it doubles from 200 ms to 30 s", Backoff{}, []run{
			{0, 200 * ms}, {0, 400 * ms}, {0, 800 * ms}, {0, 1600 * ms}, {0, 3200 * ms}, {0, 6400 * ms}, {0, 12800 * ms}, {0, 25600 * ms}, {0, 30 * s}, {0, 30 * s}}},
		{"a run of a minute begins anew", Backoff{}, []run{{0, 200 * ms}, {0, 400 * ms}, {time.Minute, 200 * ms}, {0, 400 * ms}}},
		{"a run of a little less does not", Backoff{}, []run{{0, 200 * ms}, {59 * s, 400 * ms}}},
		{"other bounds are kept", Backoff{Min: s, Max: 3 * s, Reset: 10 * s}, []run{{0, s}, {0, 2 * s}, {0, 3 * s}, {10 * s, s}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for i, r := range tt.runs {
				if got := tt.b.Next(r.ran); got != r.want {
					t.Fatalf("end %d after %v: pause %v, want %v", i+1, r.ran, got, r.want)
				}
			}
		})
	}
}

// reaper gives a reaper that works until the test ends.
func reaper(t *testing.T) *Reaper {
	t.Helper()
	r := NewReaper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); r.Loop(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return r
}

func shell(script string) Command {
	return Command{Path: "/bin/sh", Args: []string{"sh", "-c", script}}
}

func TestRunGivesOutputAndStatus(t *testing.T) {
	r := reaper(t)
	tests := []struct{ name, script, status, output string }{
		{"success", "echo out; echo err >&2", "exit 0", "out\nerr\n"},
		{"failure", "exit 7", "exit 7", ""},
		{"death by signal", "kill -9 $$", "killed by SIGKILL", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			exit, output, err := r.Run(context.Background(), shell(tt.script))
			if err != nil || exit.String() != tt.status || output != tt.output {
				t.Fatalf("got %v, %q, %v", exit, output, err)
			}
		})
	}
}

func TestAProgramThatIsNotThereIsAnErrorThatNamesIt(t *testing.T) {
	_, err := reaper(t).Start(Command{Path: "/nonesuch"})
	if err == nil || !strings.Contains(err.Error(), "/nonesuch") || !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
}

func TestRunKillsWhatOutlivesItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	exit, _, err := reaper(t).Run(ctx, shell("sleep 600"))
	if !errors.Is(err, context.DeadlineExceeded) || exit.String() != "killed by SIGKILL" {
		t.Fatalf("got %v, %v", exit, err)
	}
}

func TestAReapedProcessIsNotSignalled(t *testing.T) {
	p, err := reaper(t).Start(shell("exit 0"))
	if err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if err := p.Signal(syscall.SIGKILL); !errors.Is(err, os.ErrProcessDone) {
		t.Fatalf("got %v", err)
	}
}

// Orphans come to this process as they would to process 1.
func TestOrphansLeaveNoZombies(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Skipf("not allowed to adopt orphans: %v", err)
	}
	r := reaper(t)
	reaped, end := r.Watch()
	defer end()
	// Each of the 100 children forks and leaves its own child behind.
	const orphans = 100
	exit, output, err := r.Run(context.Background(), shell(fmt.Sprintf(
		`i=0; while [ $i -lt %d ]; do (true & exit 0); i=$((i+1)); done; exit 3`, orphans)))
	if err != nil || exit.String() != "exit 3" {
		t.Fatalf("the storm itself: %v, %v, %s", exit, err, output)
	}
	// The shell itself reaps the middle generation: orphans and the shell are ours.
	for r.Reaped() < orphans+1 {
		select {
		case <-reaped:
		case <-time.After(20 * time.Second):
			t.Fatalf("%d of %d reaped", r.Reaped(), orphans+1)
		}
	}
	if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); !errors.Is(err, syscall.ECHILD) {
		t.Fatalf("children left: wait4 gave %d, %v", pid, err)
	}
}

// fake is a machine on which processes end when the test says so.
type fake struct {
	mu      sync.Mutex
	started []*Process
	fail    error
}

func (f *fake) Start(c Command) (*Process, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return nil, f.fail
	}
	// A pid that kill(2) refuses: no test signals a real process.
	p := &Process{pid: 1 << 30, done: make(chan struct{})}
	f.started = append(f.started, p)
	return p, nil
}

func (f *fake) last() *Process {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.started[len(f.started)-1]
}

func (f *fake) end(status syscall.WaitStatus) {
	p := f.last()
	p.mu.Lock()
	p.ended, p.exit = true, Exit{Status: status}
	p.mu.Unlock()
	close(p.done)
}

type quiet struct{ t *testing.T }

func (q quiet) Infof(format string, args ...any) { q.t.Logf(format, args...) }
func (q quiet) Warnf(format string, args ...any) { q.t.Logf(format, args...) }

func TestSupervisorStartsAgainAfterThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		machine := &fake{}
		s := New(Spec{Name: "x", Command: func() (Command, error) { return Command{}, nil }}, machine, quiet{t})
		go s.Run(t.Context())
		synctest.Wait()
		for fails, pause := range []time.Duration{200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond} {
			machine.end(1 << 8)
			synctest.Wait()
			if st := s.Status(); st.PID != 0 || st.LastExit != "exit 1" || st.Fails != fails+1 {
				t.Fatalf("after the end: %+v", st)
			}
			time.Sleep(pause - time.Millisecond) // the bubble's clock, no real time
			synctest.Wait()
			if st := s.Status(); st.PID != 0 {
				t.Fatalf("started before the pause of %v was over", pause)
			}
			time.Sleep(time.Millisecond)
			synctest.Wait()
			if st := s.Status(); st.PID == 0 || st.Starts != fails+2 {
				t.Fatalf("not started after %v: %+v", pause, st)
			}
		}
		time.Sleep(time.Minute)
		machine.end(0)
		synctest.Wait()
		if st := s.Status(); st.Fails != 1 {
			t.Fatalf("a run of a minute does not reset the count: %+v", st)
		}
		if err := s.Stop(t.Context(), syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		<-s.done
		if n := len(machine.started); n != 4 {
			t.Fatalf("%d starts, want 4", n)
		}
	})
}

func TestSupervisorKeepsTryingWhatCannotStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		machine := &fake{fail: errors.New("no memory")}
		s := New(Spec{Name: "x", Command: func() (Command, error) { return Command{}, nil }}, machine, quiet{t})
		go s.Run(t.Context())
		time.Sleep(time.Second)
		synctest.Wait()
		if st := s.Status(); st.Starts != 3 || st.LastExit != "no memory" {
			t.Fatalf("got %+v", st)
		}
		if err := s.Stop(t.Context(), syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		<-s.done
	})
}

func TestStopEndsTheProcessForGood(t *testing.T) {
	r := reaper(t)
	ready := make(chan struct{})
	s := New(Spec{
		Name: "x",
		Command: func() (Command, error) {
			return shell(`trap 'exit 5' TERM; echo ready; while :; do sleep 600 & wait; done`), nil
		},
		Output: func(line string) {
			if line == "ready" {
				close(ready)
			}
		},
	}, r, quiet{t})
	go s.Run(t.Context())
	<-ready
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.Stop(ctx, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-s.done
	if st := s.Status(); st.LastExit != "exit 5" || st.Starts != 1 || st.PID != 0 {
		t.Fatalf("got %+v", st)
	}
}

func TestStopGivesUpWhenItsContextEnds(t *testing.T) {
	r := reaper(t)
	ready := make(chan struct{})
	s := New(Spec{
		Name:    "deaf",
		Command: func() (Command, error) { return shell(`trap '' TERM; echo ready; sleep 600`), nil },
		Output:  func(string) { close(ready) },
	}, r, quiet{t})
	go s.Run(t.Context())
	<-ready
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if err := s.Stop(ctx, syscall.SIGTERM); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	if err := s.Stop(t.Context(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-s.done
	if st := s.Status(); st.LastExit != "killed by SIGKILL" {
		t.Fatalf("got %+v", st)
	}
}

func TestLines(t *testing.T) {
	var got []string
	Lines(strings.NewReader("a\r\n\n"+strings.Repeat("x", maxLine+1)+"\nend"), func(l string) { got = append(got, l) })
	if len(got) != 5 || got[0] != "a" || got[1] != "" || len(got[2]) != maxLine || got[3] != "x" || got[4] != "end" {
		t.Fatalf("got %d lines: %.20q", len(got), got)
	}
}

func TestLogFileStaysBounded(t *testing.T) {
	name := filepath.Join(t.TempDir(), "sub", "x.log")
	log := NewLogFile(name, 100)
	for i := range 100 {
		if err := log.Line(fmt.Sprintf("line %03d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{name, name + ".1"} {
		b, err := os.ReadFile(file)
		if err != nil || len(b) > 100 || len(b) == 0 {
			t.Fatalf("%s: %d bytes, %v", file, len(b), err)
		}
	}
	b, err := os.ReadFile(name)
	if err != nil || !strings.HasSuffix(string(b), "line 099\n") {
		t.Fatalf("the newest line is not there: %q, %v", b, err)
	}
}
