package main

import (
	"bytes"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// patience is how long one connection may wait for its answer, in seconds. It
// is long: a server that accepts is there, and asking again costs it time.
const patience = 60

// target is something that answers when a system is up.
type target struct {
	name   string
	family int
	places []string // for AF_UNIX, below the root of PID 1; the first that connects
	say    string
	expect string
}

func targets() map[string]target {
	return map[string]target{
		"ssh":    {"ssh", unix.AF_INET, nil, "", "SSH-2.0-"},
		"docker": {"docker", unix.AF_UNIX, []string{"/run/docker.sock", "/run/docker/docker.sock"}, "GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n", "200 OK"},
		// A gRPC server greets a client's preface and empty SETTINGS with its own
		// SETTINGS frame, once it serves.
		"containerd": {"containerd", unix.AF_UNIX, []string{"/run/containerd/containerd.sock", "/run/testudo/containerd/containerd.sock"},
			"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", "\x04\x00\x00\x00\x00\x00"},
	}
}

// answers connects once and says whether the right answer came.
func (t target) answers(root string) bool {
	if t.family == unix.AF_INET {
		return t.ask(&unix.SockaddrInet4{Port: 22, Addr: [4]byte{127, 0, 0, 1}})
	}
	for _, p := range t.places {
		if t.ask(&unix.SockaddrUnix{Name: filepath.Join(root, p)}) {
			return true
		}
	}
	return false
}

// ask uses plain system calls: package net costs a poller and its goroutines.
func (t target) ask(addr unix.Sockaddr) bool {
	fd, err := unix.Socket(t.family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: patience}); err != nil {
		return false
	}
	if err := unix.Connect(fd, addr); err != nil {
		return false
	}
	if t.say != "" {
		if _, err := unix.Write(fd, []byte(t.say)); err != nil {
			return false
		}
	}
	var got []byte
	buf := make([]byte, 512)
	for len(got) < 4096 {
		n, err := unix.Read(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return false
		}
		got = append(got, buf[:n]...)
		if bytes.Contains(got, []byte(t.expect)) {
			return true
		}
	}
	return false
}
