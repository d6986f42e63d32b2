package qemu

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

// fakeQEMU answers each line it reads with the next of answers.
func fakeQEMU(t *testing.T, answers ...string) net.Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	go func() {
		if _, err := io.WriteString(theirs, `{"QMP": {}}`+"\n"); err != nil {
			return
		}
		in := bufio.NewScanner(theirs)
		for _, a := range append([]string{`{"return": {}, "id": 1}`}, answers...) {
			if !in.Scan() {
				return
			}
			if _, err := io.WriteString(theirs, a+"\n"); err != nil {
				return
			}
		}
		theirs.Close()
	}()
	return ours
}

func TestCallReturnsWhatQEMUReturned(t *testing.T) {
	q, err := newQMP(t.Context(), fakeQEMU(t, `{"return": {"status": "running"}, "id": 2}`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := q.Call(t.Context(), "query-status", nil)
	if err != nil || !strings.Contains(string(got), "running") {
		t.Errorf("%s, %v", got, err)
	}
}

func TestEventsAndLateAnswersAreNotTakenForTheAnswer(t *testing.T) {
	q, err := newQMP(t.Context(), fakeQEMU(t,
		`{"event": "SHUTDOWN"}`+"\n"+`{"return": "old", "id": 1}`+"\n"+`{"return": "new", "id": 2}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := q.Call(t.Context(), "x", nil); err != nil || string(got) != `"new"` {
		t.Errorf("%s, %v", got, err)
	}
	<-q.Event("SHUTDOWN")
}

func TestARefusalIsAnErrorOfItsOwn(t *testing.T) {
	q, err := newQMP(t.Context(), fakeQEMU(t, `{"error": {"class": "CommandNotFound", "desc": "no such thing"}, "id": 2}`))
	if err != nil {
		t.Fatal(err)
	}
	var refusal *QMPError
	if _, err := q.Call(t.Context(), "x", nil); !errors.As(err, &refusal) || refusal.Desc != "no such thing" {
		t.Errorf("got %v", err)
	}
}

func TestACallEndsWhenQEMUDoes(t *testing.T) {
	q, err := newQMP(t.Context(), fakeQEMU(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Call(context.Background(), "x", nil); err == nil {
		t.Error("no error")
	}
}

func TestWhyAMachineEndsIsKept(t *testing.T) {
	q, err := newQMP(t.Context(), fakeQEMU(t, `{"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-reset"}}`+"\n"+`{"return": {}, "id": 2}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Call(t.Context(), "x", nil); err != nil {
		t.Fatal(err)
	}
	if got := (&VM{QMP: q, stderr: &syncBuffer{}}).Ending(); got != "guest-reset" {
		t.Errorf("got %q", got)
	}
}
