package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
)

// ExecStreams are a program's, on this side.
type ExecStreams struct {
	Stdin          io.Reader // nil: none
	Stdout, Stderr io.Writer
	Sizes          <-chan Size   // of the terminal, as it changes; may be nil
	Signals        <-chan string // to be passed on, by name; may be nil
}

// Exec runs a program in a service and gives its exit code. It does not wait
// for Stdin. When ctx ends, or this side goes away, the program is ended.
func (c *Client) Exec(ctx context.Context, name string, o Exec, s ExecStreams) (code int, err error) {
	o.Stdin = s.Stdin != nil
	conn, err := c.upgrade(ctx, servicePath(name)+"/exec", ExecProtocol, o)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	e := &execClient{out: &frames{w: conn}, room: stdinWindow, streams: s}
	e.more.L = &e.mu
	if s.Stdin != nil {
		go e.feed()
		defer e.end()
	}
	go e.control(ctx)
	end, err := e.receive(conn)
	switch {
	case err != nil:
		return 0, c.explain(ctx, err)
	case end.Error != "":
		return end.Code, errors.New(end.Error)
	}
	return end.Code, nil
}

// upgrade sends a request whose answer is the connection itself.
func (c *Client) upgrade(ctx context.Context, path, protocol string, in any) (io.ReadWriteCloser, error) {
	data, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("POST %s: %w", path, err)
	}
	// A context that ends would not end the connection later: Exec sees to it.
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://rosd"+path, bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("POST %s: %w", path, err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", protocol)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if resp.StatusCode == http.StatusSwitchingProtocols && ok {
		return conn, nil
	}
	defer resp.Body.Close()
	return nil, responseError(resp)
}

// execClient is ros's side of one program's connection.
type execClient struct {
	out     *frames
	streams ExecStreams

	mu   sync.Mutex
	more sync.Cond
	room int // bytes of input that may be sent
	over bool
}

// receive writes what comes, to the last frame.
func (e *execClient) receive(from io.Reader) (end ExecEnd, err error) {
	for {
		kind, data, err := readFrame(from)
		if err != nil {
			return end, err
		}
		switch kind {
		case frameStdout:
			_, err = e.streams.Stdout.Write(data)
		case frameStderr:
			_, err = e.streams.Stderr.Write(data)
		case frameTaken:
			err = e.taken(string(data))
		case frameEnd:
			return end, json.Unmarshal(data, &end)
		}
		if err != nil {
			return end, err
		}
	}
}

func (e *execClient) taken(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return fmt.Errorf("rosd says that it took %q bytes", text)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.room += n
	e.more.Broadcast()
	return nil
}

// end has feed end, once it is done with reading.
func (e *execClient) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over = true
	e.more.Broadcast()
}

// feed sends input as there is room for it. Errors need no telling here: who
// receives meets them too.
func (e *execClient) feed() {
	buffer := make([]byte, 16<<10)
	for {
		e.mu.Lock()
		for e.room == 0 && !e.over {
			e.more.Wait()
		}
		size, over := min(e.room, len(buffer)), e.over
		e.mu.Unlock()
		if over {
			return
		}
		n, err := e.streams.Stdin.Read(buffer[:size])
		e.mu.Lock()
		e.room -= n
		e.mu.Unlock()
		if n > 0 && e.out.send(frameStdin, buffer[:n]) != nil {
			return
		}
		if err != nil {
			_ = e.out.send(frameStdin, nil)
			return
		}
	}
}

// control sends sizes and signals until ctx ends.
func (e *execClient) control(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case size := <-e.streams.Sizes:
			if data, err := json.Marshal(size); err == nil {
				_ = e.out.send(frameResize, data)
			}
		case name := <-e.streams.Signals:
			_ = e.out.send(frameSignal, []byte(name))
		}
	}
}
