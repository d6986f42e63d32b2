package manager

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/runtime"
)

// Exec runs a program in a running service. That it was run, by whom, and how
// it ended are events, and stand in rosd's log.
func (m *Manager) Exec(ctx context.Context, name string, o api.Exec) (api.Process, error) {
	row, rt, err := m.runningNow(ctx, name)
	if err != nil {
		return nil, err
	}
	p, err := rt.Begin(ctx, name, o)
	switch {
	case errors.Is(err, runtime.ErrPermanent):
		return nil, fmt.Errorf("%w: %s", api.ErrInvalid, runtime.Reason(err))
	case errors.Is(err, runtime.ErrNotRunning):
		return nil, fmt.Errorf("%w: %s does not run", api.ErrConflict, name)
	case errors.Is(err, runtime.ErrUnavailable):
		return nil, fmt.Errorf("%w: %w", api.ErrUnavailable, err)
	case err != nil:
		return nil, err
	}
	e := &executed{Process: p, m: m, row: row, what: describeExec(ctx, o), began: time.Now()}
	e.tell(e.what, nil)
	return e, nil
}

// runningNow is a service that runs, and what runs it.
func (m *Manager) runningNow(ctx context.Context, name string) (row api.Service, rt Runtime, err error) {
	if row, err = m.Service(ctx, name); err != nil {
		return row, nil, err
	}
	if err = m.ask(ctx, func() { rt = m.runtime }); err != nil {
		return row, nil, err
	}
	if rt == nil || row.PID == 0 {
		return row, nil, fmt.Errorf("%w: %s does not run", api.ErrConflict, name)
	}
	return row, rt, nil
}

// describeExec says in one line what is run, and for whom.
func describeExec(ctx context.Context, o api.Exec) string {
	words := make([]string, len(o.Command))
	for i, word := range o.Command {
		if words[i] = word; word == "" || strings.ContainsFunc(word, func(r rune) bool { return r <= ' ' || r == '"' || r == '\\' || r > '~' }) {
			words[i] = strconv.Quote(word)
		}
	}
	text := strings.Join(words, " ")
	if o.User != "" {
		text += ", as " + o.User
	}
	if uid, ok := api.PeerUID(ctx); ok {
		text += fmt.Sprintf(", for user id %d", uid)
	}
	return text
}

// executed tells of a program's end.
type executed struct {
	api.Process
	m     *Manager
	row   api.Service
	what  string
	began time.Time
}

func (e *executed) Run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	code, err := e.Process.Run(ctx, stdin, stdout, stderr)
	how := fmt.Sprintf("exit %d", code)
	if err != nil {
		how = err.Error()
	}
	e.tell(fmt.Sprintf("%s: %s after %s", e.what, how, time.Since(e.began).Round(time.Millisecond)), &code)
	return code, err
}

func (e *executed) tell(text string, code *int) {
	e.m.opt.Log.Info("exec in service "+e.row.Name, "what", text)
	if e.m.opt.Event != nil {
		e.m.opt.Event(api.SystemEvent{
			Time: time.Now(), Kind: "exec", Name: e.row.Name, State: e.row.State, Reason: text, PID: e.row.PID, ExitCode: code,
		})
	}
}
