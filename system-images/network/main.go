// Command network is Testudo's network service: it brings interfaces,
// addresses, routes and names to what the configuration says and servers
// grant. docs/networking.md says what it does; package netconf does it.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/netconf"
	"github.com/testudo-os/testudo/pkg/netconf/host"
)

func main() {
	// A few kilobytes live here; the default would let the heap grow to 4 MB
	// before it is cleaned for the first time.
	debug.SetGCPercent(25)
	debug.SetMemoryLimit(8 << 20)

	h := &host.Host{Log: say}
	flag.StringVar(&h.Pattern, "interfaces", "", "manage interfaces whose name matches this `pattern`, instead of every physical one")
	flag.StringVar(&h.Sysctl, "sysctl", "/proc/sys/net", "where the kernel's network `settings` can be written")
	flag.StringVar(&h.Sysfs, "sysfs", "/sys/class/net", "where the kernel `lists` network interfaces")
	flag.StringVar(&h.RunDir, "run", layout.NetworkDir, "`folder` for leases")
	flag.StringVar(&h.Resolv, "resolv", layout.ResolvConf, "resolver `file` to write")
	flag.StringVar(&h.Status, "status", layout.NetworkStatus, "`file` that tells of the state of the network")
	settings := flag.String("settings", filepath.Join(layout.Rendered, "network", "network.json"), "`file` with the configuration")
	flag.Parse()

	if err := run(h, *settings); err != nil {
		say("%v", err)
		os.Exit(1)
	}
}

func run(h *host.Host, path string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	events, err := h.Open()
	if err != nil {
		return err
	}
	hostname, err := os.Hostname()
	if err != nil {
		say("host name: %v", err) // DHCP works without
	}
	settings, err := host.ReadSettings(path)
	if err != nil {
		say("%v; DHCP is used on every card", err) // better than no network
	}
	go func() {
		if err := h.WatchSettings(ctx, path); err != nil {
			say("%v; SIGHUP reads it again", err)
		}
	}()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	go func() {
		for range hup {
			h.Reload(path)
		}
	}()
	m := &netconf.Manager{System: h, Settings: settings, Hostname: hostname, Random: rand.Uint32, Log: say}
	return m.Run(ctx, events)
}

// say writes one line for the service's log, which adds the time.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}
