package manager

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/testudo-os/testudo/pkg/runtime"
	"github.com/testudo-os/testudo/pkg/service"
)

// Compose's defaults.
const (
	defaultInterval      = 30 * time.Second
	defaultTimeout       = 30 * time.Second
	defaultStartInterval = 5 * time.Second
	defaultRetries       = 3
)

// probes says whether a service has a healthcheck.
func probes(s service.Service) bool {
	h := s.Healthcheck
	return h != nil && (h.Probe != service.Probe{} || len(h.Test) > 0 && h.Test[0] != "NONE")
}

// prober looks at a service once. nil: it is well.
type prober func(ctx context.Context) error

// proberOf is a service's healthcheck: a program that is run inside, or what
// rosd looks at by itself.
func (m *Manager) proberOf(svc service.Service, pid int) prober {
	check := svc.Healthcheck
	if check.Probe != (service.Probe{}) {
		look := m.opt.Look
		return func(ctx context.Context) error { return look(ctx, pid, check.Probe) }
	}
	rt, args := m.runtime, command(check.Test)
	return func(ctx context.Context) error { return run(ctx, rt, svc.Name, args) }
}

// probe runs a service's healthcheck until ctx ends. Other than Docker's it
// runs at once, and until it first passes every start_interval, so that what
// waits for the service does not wait for an interval too. Failures within
// start_period do not count before it has first passed.
func probe(ctx context.Context, look prober, check service.Healthcheck, since time.Time, tell func(service.Event)) {
	interval := or(check.Interval, defaultInterval)
	startInterval := min(or(check.StartInterval, defaultStartInterval), interval)
	retries := check.Retries
	if retries <= 0 {
		retries = defaultRetries
	}
	passed, failures := false, 0
	for {
		err := once(ctx, look, or(check.Timeout, defaultTimeout))
		wait := interval
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			passed, failures = true, 0
			tell(service.Event{Kind: service.EventHealthy})
		case errors.Is(err, runtime.ErrUnavailable) || errors.Is(err, runtime.ErrNotRunning):
			// Says nothing about the service.
		case !passed && time.Since(since) < check.StartPeriod:
			wait = startInterval
		default:
			if failures++; failures >= retries {
				tell(service.Event{Kind: service.EventUnhealthy, Reason: err.Error()})
			}
		}
		if !passed {
			wait = startInterval
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

func or(d, fallback time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return fallback
}

func command(test []string) []string {
	switch test[0] {
	case "CMD":
		return test[1:]
	case "CMD-SHELL":
		return []string{"/bin/sh", "-c", strings.Join(test[1:], " ")}
	default:
		return test
	}
}

func once(ctx context.Context, look prober, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := look(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("healthcheck took longer than %v", timeout)
	}
	return err
}

// run runs a healthcheck's program inside the service.
func run(ctx context.Context, rt Runtime, name string, args []string) error {
	code, output, err := rt.Exec(ctx, name, args)
	switch {
	case err != nil:
		return err
	case code != 0:
		return fmt.Errorf("healthcheck: exit %d%s", code, lastLine(output))
	}
	return nil
}

// lastLine is what a failing program mostly says why in.
func lastLine(output string) string {
	const longest = 120
	line := output[strings.LastIndexByte(output, '\n')+1:]
	if line == "" {
		return ""
	}
	if len(line) > longest {
		line = strings.ToValidUTF8(line[:longest], "") + "..."
	}
	return ": " + line
}
