package qemu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// QMP is a connection to QEMU's machine protocol. Calls may come from several
// goroutines; QEMU answers them in order.
type QMP struct {
	conn    io.ReadWriteCloser
	mu      sync.Mutex    // one call at a time
	replies chan qmpReply // closed at the end of the connection
	id      int           // of the last call
	err     error         // why replies ended; read after replies is closed

	eventMu sync.Mutex
	events  map[string]chan struct{} // closed when the event has come
	ending  string                   // why QEMU ends, see VM.Ending
}

type qmpReply struct {
	Return json.RawMessage `json:"return"`
	Error  *QMPError       `json:"error"`
	ID     int             `json:"id"`
	Event  string          `json:"event"`
	Data   json.RawMessage `json:"data"` // of an event
	QMP    json.RawMessage `json:"QMP"`
}

// QMPError is a refusal by QEMU.
type QMPError struct {
	Class string `json:"class"`
	Desc  string `json:"desc"`
}

func (e *QMPError) Error() string { return e.Desc }

// newQMP reads the greeting and negotiates capabilities.
func newQMP(ctx context.Context, conn io.ReadWriteCloser) (*QMP, error) {
	q := &QMP{conn: conn, replies: make(chan qmpReply, 16), events: map[string]chan struct{}{}}
	go q.read()
	if _, err := q.next(ctx); err != nil {
		return nil, fmt.Errorf("QMP greeting: %w", err)
	}
	if _, err := q.Call(ctx, "qmp_capabilities", nil); err != nil {
		return nil, err
	}
	return q, nil
}

func (q *QMP) read() {
	defer close(q.replies)
	dec := json.NewDecoder(q.conn)
	for {
		var r qmpReply
		if err := dec.Decode(&r); err != nil {
			q.err = err
			return
		}
		if r.Event != "" {
			q.signal(r.Event, r.Data)
			continue
		}
		q.replies <- r
	}
}

func (q *QMP) next(ctx context.Context) (qmpReply, error) {
	select {
	case r, more := <-q.replies: // the last replies come before the end
		if more {
			return r, nil
		}
		if errors.Is(q.err, io.EOF) {
			return qmpReply{}, errors.New("QEMU has ended")
		}
		return qmpReply{}, q.err
	case <-ctx.Done():
		return qmpReply{}, context.Cause(ctx)
	}
}

// Call runs one command and returns what it returned.
func (q *QMP) Call(ctx context.Context, command string, arguments any) (json.RawMessage, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	req := struct {
		Execute   string `json:"execute"`
		Arguments any    `json:"arguments,omitempty"`
		ID        int    `json:"id"`
	}{command, arguments, q.id + 1}
	q.id++
	if err := json.NewEncoder(q.conn).Encode(req); err != nil {
		return nil, fmt.Errorf("QMP %s: %w", command, err)
	}
	r, err := q.next(ctx)
	for err == nil && r.ID != q.id { // the late answer to a call that was given up
		r, err = q.next(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("QMP %s: %w", command, err)
	}
	if r.Error != nil {
		return nil, fmt.Errorf("QMP %s: %w", command, r.Error)
	}
	return r.Return, nil
}

// Monitor runs a command of QEMU's human monitor and returns what it printed.
func (q *QMP) Monitor(ctx context.Context, line string) (string, error) {
	raw, err := q.Call(ctx, "human-monitor-command", map[string]string{"command-line": line})
	if err != nil {
		return "", err
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", fmt.Errorf("monitor %q: %w", line, err)
	}
	return text, nil
}

// Event is closed when the named event has come at least once.
func (q *QMP) Event(name string) <-chan struct{} {
	q.eventMu.Lock()
	defer q.eventMu.Unlock()
	return q.event(name)
}

func (q *QMP) event(name string) chan struct{} {
	ch, ok := q.events[name]
	if !ok {
		ch = make(chan struct{})
		q.events[name] = ch
	}
	return ch
}

// shutdown is the event that QEMU sends when the machine ends.
const shutdown = "SHUTDOWN"

func (q *QMP) signal(name string, data json.RawMessage) {
	q.eventMu.Lock()
	defer q.eventMu.Unlock()
	if name == shutdown {
		var why struct {
			Reason string `json:"reason"`
		}
		if err := json.Unmarshal(data, &why); err == nil {
			q.ending = why.Reason
		}
	}
	ch := q.event(name)
	select {
	case <-ch:
	default:
		close(ch)
	}
}
