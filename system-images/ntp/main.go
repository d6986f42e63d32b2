// Command ntp runs chronyd and tells it at once what chronyd would not notice:
// that a file of time servers changed (DHCP named others, or the configuration
// did), and that names can be resolved now (the network came after it started).
// It has no rights but chronyd's own.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime/debug"
	"syscall"
)

const (
	chronyd = "/usr/sbin/chronyd"
	chronyc = "/usr/bin/chronyc"
	config  = "/etc/chrony/chrony.conf"
	runDir  = "/run/chrony" // chronyd's command socket
)

func main() {
	debug.SetGCPercent(25) // a few kilobytes live here, for as long as the machine runs
	debug.SetMemoryLimit(8 << 20)
	code, err := run(os.Args[1:])
	if err != nil {
		say("%v", err)
		code = 1
	}
	os.Exit(code)
}

// run runs chronyd to its end and returns its exit code.
func run(args []string) (int, error) {
	// chronyd makes the folder too, but it must be watched before it starts.
	if err := os.MkdirAll(runDir, 0o750); err != nil {
		return 0, err
	}
	changed, err := watch(watched())
	if err != nil {
		return 0, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	// In the foreground, messages to standard error.
	daemon := exec.CommandContext(ctx, chronyd, append([]string{"-d", "-f", config}, args...)...)
	daemon.Stdout, daemon.Stderr = os.Stdout, os.Stderr
	daemon.Cancel = func() error { return daemon.Process.Signal(syscall.SIGTERM) }
	if err := daemon.Start(); err != nil {
		return 0, err
	}
	go func() {
		for command := range changed {
			tell(ctx, command)
		}
	}()
	err = daemon.Wait()
	if ctx.Err() != nil {
		return 0, nil // it was asked to end
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	return daemon.ProcessState.ExitCode(), nil
}

// watched says which file in which folder leads to which command. Folders are
// watched and not files, because files are replaced by new ones.
func watched() []rule {
	reload := []string{"reload", "sources"}
	return []rule{
		// What changed while chronyd started and could not be told yet.
		{dir: runDir, file: "chronyd.sock", command: reload},
		{dir: "/run/testudo/network/ntp", file: "*.sources", command: reload},
		{dir: "/run/testudo/rendered/ntp", file: "*.sources", command: reload},
		// Asks for names at once that could not be resolved before.
		{dir: "/run/testudo/resolv", file: "resolv.conf", command: []string{"online"}},
	}
}

// tell gives chronyd a command. Before it listens nobody needs to be told.
func tell(ctx context.Context, command []string) {
	socket := runDir + "/chronyd.sock"
	if _, err := os.Stat(socket); err != nil {
		return
	}
	out, err := exec.CommandContext(ctx, chronyc, append([]string{"-h", socket}, command...)...).CombinedOutput()
	if err != nil && ctx.Err() == nil {
		say("chronyc %s: %v: %s", command, err, out)
	}
}

// say writes one line for the service's log, which adds the time.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}
