package main

import (
	"net"
	"testing"
)

func TestAServerThatGreetsIsAwaited(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if conn, err := l.Accept(); err == nil {
			_, _ = conn.Write([]byte("SSH-2.0-x\r\n"))
			conn.Close()
		}
		if conn, err := l.Accept(); err == nil {
			conn.Close()
		}
	}()
	if err := awaitGreeting(t.Context(), l.Addr().String()); err != nil {
		t.Errorf("greeted: %v", err)
	}
	if err := awaitGreeting(t.Context(), l.Addr().String()); err == nil {
		t.Error("closed without a greeting: no error")
	}
}
