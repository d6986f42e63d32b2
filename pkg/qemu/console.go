package qemu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sync"
	"syscall"
)

// Console holds what the serial console has said so far and wakes those who
// wait for it to say something.
type Console struct {
	mu      sync.Mutex
	text    []byte
	closed  bool
	changed chan struct{} // closed and replaced at every change
}

// ErrConsoleClosed says that the machine ended before it said what was awaited.
var ErrConsoleClosed = errors.New("the machine ended")

func newConsole() *Console { return &Console{changed: make(chan struct{})} }

// copyFrom reads the console until its end, keeping every byte in log too.
func (c *Console) copyFrom(r io.Reader, log io.Writer) error {
	defer c.close()
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			c.append(buf[:n])
			if _, werr := log.Write(buf[:n]); werr != nil {
				return fmt.Errorf("keep the serial log: %w", werr)
			}
		}
		// QEMU resets the socket when it ends with input of ours unread.
		if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the serial console: %w", err)
		}
	}
}

func (c *Console) append(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text = append(c.text, b...)
	c.wake()
}

func (c *Console) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.wake()
}

func (c *Console) wake() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// Mark is a place in the console's output: what has been said until now.
func (c *Console) Mark() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.text)
}

// Text is everything said so far.
func (c *Console) Text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.text)
}

// Tail is the last n lines.
func (c *Console) Tail(n int) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	start := len(c.text)
	for ; n > 0 && start > 0; n-- {
		start = bytes.LastIndexByte(c.text[:start-1], '\n') + 1
	}
	return string(c.text[start:])
}

// WaitLine waits until a line matches, and returns that line. Lines said
// before the call count. A line counts before its end has come, so that
// prompts can be awaited.
func (c *Console) WaitLine(ctx context.Context, re *regexp.Regexp) (string, error) {
	return c.WaitLineAfter(ctx, 0, re)
}

// WaitLineAfter is WaitLine for what was said after mark.
func (c *Console) WaitLineAfter(ctx context.Context, mark int, re *regexp.Regexp) (string, error) {
	pos := mark
	for {
		line, next, found, closed, changed := c.search(pos, re)
		if found {
			return line, nil
		}
		if closed {
			return "", fmt.Errorf("%w while waiting for %q; its last words:\n%s", ErrConsoleClosed, re, c.Tail(40))
		}
		pos = next
		select {
		case <-changed:
		case <-ctx.Done():
			return "", fmt.Errorf("wait for %q on the serial console: %w; its last words:\n%s", re, context.Cause(ctx), c.Tail(40))
		}
	}
}

// search looks at the lines from pos on. next is where the last, unfinished
// line starts: all before it need not be looked at again.
func (c *Console) search(pos int, re *regexp.Regexp) (line string, next int, found, closed bool, changed <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		rest := c.text[pos:]
		end := bytes.IndexByte(rest, '\n')
		text := rest
		if end >= 0 {
			text = rest[:end]
		}
		text = bytes.TrimRight(text, "\r")
		if re.Match(text) {
			return string(text), pos, true, c.closed, c.changed
		}
		if end < 0 {
			return "", pos, false, c.closed, c.changed
		}
		pos += end + 1
	}
}
