package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/testudo-os/testudo/pkg/service"
)

// Check looks once. nil: the service of process pid is well.
func Check(ctx context.Context, pid int, what service.Probe) error {
	switch {
	case what.HTTP != "":
		return checkHTTP(ctx, pid, what.HTTP)
	case what.TCP != "":
		conn, err := dial(ctx, pid, what.TCP)
		if err != nil {
			return fmt.Errorf("tcp %s: %w", what.TCP, plain(err))
		}
		return conn.Close()
	case what.File != "":
		if err := stat(pid, what.File); err != nil {
			return fmt.Errorf("file %s: %w", what.File, err)
		}
		return nil
	}
	return errors.New("there is nothing to look at")
}

func checkHTTP(ctx context.Context, pid int, url string) error {
	client := http.Client{
		Transport: &http.Transport{
			DialContext:       func(ctx context.Context, _, address string) (net.Conn, error) { return dial(ctx, pid, address) },
			DisableKeepAlives: true, // the next look is to find out for itself
		},
		// Where it would send a browser is no concern of ours.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	request.Header.Set("User-Agent", "testudo-healthcheck")
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("http %s: %w", url, plain(err))
	}
	response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode > 399 {
		return fmt.Errorf("http %s: %s", url, response.Status)
	}
	return nil
}

// plain is the cause alone: "connection refused", without addresses that the
// caller names anyway.
func plain(err error) error {
	var op *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("no answer in time")
	case errors.As(err, &op):
		return op.Err
	}
	return err
}

// dialTimeout bounds one address of localhost, so that the other gets a turn.
const dialTimeout = 5 * time.Second

// dial connects from within the network of process pid.
func dial(ctx context.Context, pid int, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	hosts := []string{host}
	if host == "localhost" {
		hosts = []string{"127.0.0.1", "::1"}
	}
	var failed error
	for _, host := range hosts {
		var conn net.Conn
		err := inNetworkOf(pid, func() (err error) {
			// One address: the socket is made on this very thread.
			dialer := net.Dialer{Timeout: dialTimeout}
			conn, err = dialer.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
			return err
		})
		if err == nil {
			return conn, nil
		}
		if failed == nil {
			failed = err
		}
	}
	return nil, failed
}
