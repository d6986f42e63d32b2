// Package sdnotify tells the service manager how a service stands, in the
// datagram protocol of sd_notify(3). It does nothing outside a service: when
// NOTIFY_SOCKET is not set, messages are dropped. Any service may import it.
package sdnotify

import (
	"fmt"
	"net"
	"os"
	"strings"
)

// Ready is the message that a service with `ready: notify` owes.
const Ready = "READY=1"

// Status is the message that carries a line for people.
func Status(text string) string {
	return "STATUS=" + strings.ReplaceAll(text, "\n", " ")
}

// Send sends messages in one datagram to the socket named in the environment.
func Send(messages ...string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	return SendTo(path, messages...)
}

// SendTo sends messages in one datagram to the socket at path; a leading @ is
// an abstract name.
func SendTo(path string, messages ...string) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(strings.Join(messages, "\n"))); err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	return nil
}
