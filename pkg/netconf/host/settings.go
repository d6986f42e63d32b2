package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/testudo-os/testudo/pkg/await"
	"github.com/testudo-os/testudo/pkg/netconf"
	"github.com/testudo-os/testudo/pkg/netplan"
)

// ReadSettings reads the file that rosd renders. None is no configuration:
// DHCP on every card.
func ReadSettings(path string) (netplan.Settings, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return netplan.Settings{}, nil
	}
	if err != nil {
		return netplan.Settings{}, fmt.Errorf("read network settings: %w", err)
	}
	return netplan.ParseSettings(data)
}

// WatchSettings tells of the settings at path, now and whenever the file is
// replaced or removed, until ctx ends.
func (h *Host) WatchSettings(ctx context.Context, path string) error {
	return await.Changes(ctx, path, func() error { h.Reload(path); return nil })
}

// Reload reads the settings and tells of them. Bad ones change nothing.
func (h *Host) Reload(path string) {
	s, err := ReadSettings(path)
	if err != nil {
		h.Log("%v; the settings in force stay", err)
		return
	}
	h.events <- netconf.Configured{Settings: s}
}
