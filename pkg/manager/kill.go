package manager

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/runtime"
)

// Kill sends a signal, SIGKILL if none is named, to a service's first process.
// What follows from it, its restart policy says.
func (m *Manager) Kill(ctx context.Context, name, signal string) (api.Service, error) {
	row, rt, err := m.runningNow(ctx, name)
	if err != nil {
		return row, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	switch err := rt.SignalAs(ctx, name, cmp.Or(signal, "SIGKILL")); {
	case errors.Is(err, runtime.ErrPermanent):
		return row, fmt.Errorf("%w: %w", api.ErrInvalid, err)
	case errors.Is(err, runtime.ErrNotRunning):
		return row, fmt.Errorf("%w: %s does not run", api.ErrConflict, name)
	case err != nil:
		return row, err
	}
	return m.Service(ctx, name)
}
