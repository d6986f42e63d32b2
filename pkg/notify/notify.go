// Package notify is the receiving end of sd_notify(3): one datagram socket for
// each service, in a folder that only that service's container sees, so that
// nobody can speak for another. It tells what was said and decides nothing.
// rosd imports it; pkg/sdnotify is the sending end.
package notify

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Message is what one datagram said; more than one field may be set.
type Message struct {
	Service   string
	Ready     bool
	Reloading bool
	Stopping  bool
	Watchdog  bool          // it is alive
	Status    string        // a line for people
	Extend    time.Duration // EXTEND_TIMEOUT_USEC: it needs at least so long from now
}

// maxExtend bounds what a service may ask for at once.
const maxExtend = time.Hour

// maxDatagram bounds a message; the protocol's own are far smaller.
const maxDatagram = 4096

// Listener has the sockets of all services below one folder. It is safe for
// concurrent use.
type Listener struct {
	dir  string
	told func(Message)

	mu      sync.Mutex
	sockets map[string]*net.UnixConn
	readers sync.WaitGroup
	closed  bool
}

// New makes a Listener that calls told for each message, from several
// goroutines.
func New(dir string, told func(Message)) *Listener {
	return &Listener{dir: dir, told: told, sockets: map[string]*net.UnixConn{}}
}

// Listen opens DIR/SERVICE/notify.sock. Doing it again does nothing. One that
// an earlier rosd left is replaced; running services see the new one, because
// it is the folder that they have mounted.
func (l *Listener) Listen(service string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errors.New("notify: closed")
	}
	if l.sockets[service] != nil {
		return nil
	}
	dir := filepath.Join(l.dir, service)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("notify socket of %s: %w", service, err)
	}
	path := filepath.Join(dir, "notify.sock")
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("notify socket of %s: %w", service, err)
	}
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify socket of %s: %w", service, err)
	}
	// The service may run as any user; the folder is what keeps others out.
	if err := os.Chmod(path, 0o666); err != nil {
		return errors.Join(fmt.Errorf("notify socket of %s: %w", service, err), socket.Close())
	}
	l.sockets[service] = socket
	l.readers.Go(func() { l.read(service, socket) })
	return nil
}

func (l *Listener) read(service string, socket *net.UnixConn) {
	buffer := make([]byte, maxDatagram)
	for {
		n, err := socket.Read(buffer)
		if err != nil {
			return // closed
		}
		if m := Parse(buffer[:n]); m != (Message{}) {
			m.Service = service
			l.told(m)
		}
	}
}

// Close closes all sockets; their files stay for services that start before
// the next rosd listens.
func (l *Listener) Close() error {
	l.mu.Lock()
	l.closed = true
	var errs []error
	for _, socket := range l.sockets {
		errs = append(errs, socket.Close())
	}
	l.mu.Unlock()
	l.readers.Wait()
	return errors.Join(errs...)
}

// Parse reads a datagram. Unknown keys are for other service managers.
func Parse(data []byte) Message {
	var m Message
	for line := range strings.SplitSeq(string(data), "\n") {
		key, value, _ := strings.Cut(line, "=")
		switch {
		case key == "STATUS":
			m.Status = clean(value)
		case key == "EXTEND_TIMEOUT_USEC":
			if usec, err := strconv.ParseUint(value, 10, 63); err == nil {
				m.Extend = min(time.Duration(usec), maxExtend/time.Microsecond) * time.Microsecond
			}
		case value != "1":
		case key == "READY":
			m.Ready = true
		case key == "RELOADING":
			m.Reloading = true
		case key == "STOPPING":
			m.Stopping = true
		case key == "WATCHDOG":
			m.Watchdog = true
		}
	}
	return m
}

// maxStatus keeps one service's words from filling the listing.
const maxStatus = 256

// clean makes a status one line of printable text.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	if len(text) > maxStatus {
		text = strings.ToValidUTF8(text[:maxStatus], "") + "..."
	}
	return strings.TrimSpace(text)
}
