package main

import (
	"context"
	"net"
	"time"
)

// sshAddress is asked whether ssh answers; sshGreetTime is how long for.
const (
	sshAddress   = "127.0.0.1:22"
	sshGreetTime = 5 * time.Second
)

// awaitGreeting waits for the first bytes of a server's greeting. A server that
// listens has yet to start the program that greets; services that start in
// the meantime would make the first one to log in wait.
func awaitGreeting(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, sshGreetTime)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 4))
	return err
}
