package qemu

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// HostPort is the port on 127.0.0.1 that leads to the guest's port.
func (v *VM) HostPort(guest int) (int, error) {
	port, ok := v.ports[guest]
	if !ok {
		return 0, fmt.Errorf("machine %s: guest port %d is not forwarded", v.cfg.Name, guest)
	}
	return port, nil
}

// readPorts asks QEMU which host ports it got. The kernel chose them when QEMU
// bound them, so nobody else can take them in between.
func (v *VM) readPorts(ctx context.Context) (map[int]int, error) {
	if len(v.cfg.Forwards) == 0 {
		return nil, nil
	}
	text, err := v.QMP.Monitor(ctx, "info usernet")
	if err != nil {
		return nil, err
	}
	ports := parseUsernet(text)
	for _, f := range v.cfg.Forwards {
		if ports[f.Guest] == 0 {
			return nil, fmt.Errorf("QEMU does not list the forward to guest port %d:\n%s", f.Guest, text)
		}
	}
	return ports, nil
}

// parseUsernet reads lines such as
//
//	TCP[HOST_FORWARD]  12       127.0.0.1 39541       10.0.2.15    22     0     0
//
// into a map from guest port to host port.
func parseUsernet(text string) map[int]int {
	ports := map[int]int{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 6 || f[0] != "TCP[HOST_FORWARD]" {
			continue
		}
		host, err1 := strconv.Atoi(f[3])
		guest, err2 := strconv.Atoi(f[5])
		if err1 == nil && err2 == nil {
			ports[guest] = host
		}
	}
	return ports
}

// Ports maps forwarded guest ports to host ports.
func (v *VM) Ports() map[int]int { return maps.Clone(v.ports) }

// SerialLog is the file that keeps the serial console.
func (v *VM) SerialLog() string { return v.cfg.SerialLog }
