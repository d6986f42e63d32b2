package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/await"
	"github.com/testudo-os/testudo/pkg/layout"
)

// Network reads what the network service tells of itself.
func (b *backend) Network(context.Context) (api.Network, error) {
	return readNetwork(layout.NetworkStatus)
}

// WatchNetwork tells how the network is, now and whenever that changes.
func (b *backend) WatchNetwork(ctx context.Context, state func(api.Network) error) error {
	return watchNetwork(ctx, layout.NetworkStatus, state)
}

func readNetwork(path string) (api.Network, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return api.Network{}, fmt.Errorf("%w: the network service has not told of the network's state yet; see ros service ps network", api.ErrUnavailable)
	}
	if err != nil {
		return api.Network{}, fmt.Errorf("state of the network: %w", err)
	}
	var n api.Network
	if err := json.Unmarshal(data, &n); err != nil {
		return api.Network{}, fmt.Errorf("state of the network: %w", err)
	}
	return n, nil
}

func watchNetwork(ctx context.Context, path string, state func(api.Network) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("state of the network: %w", err)
	}
	return await.Changes(ctx, path, func() error {
		n, err := readNetwork(path)
		if errors.Is(err, api.ErrUnavailable) {
			return nil // it will come
		}
		if err != nil {
			return err
		}
		return state(n)
	})
}
