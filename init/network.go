package main

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"
)

// raiseLoopback brings lo up, which gives it 127.0.0.1 and ::1. All other
// interfaces are the network service's.
func (m *machine) raiseLoopback(context.Context) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("raise lo: %w", err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return fmt.Errorf("raise lo: %w", err)
	}
	err = unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, request)
	if err == nil {
		request.SetUint16(request.Uint16() | unix.IFF_UP)
		err = unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
	}
	if err != nil {
		return fmt.Errorf("raise lo: %w", err)
	}
	return nil
}

// defaultHostname is the name until rosd has read the configuration.
const defaultHostname = "testudo"

func (m *machine) setHostname(context.Context) error {
	if err := unix.Sethostname([]byte(defaultHostname)); err != nil {
		return fmt.Errorf("set the host name to %s: %w", defaultHostname, err)
	}
	return nil
}
