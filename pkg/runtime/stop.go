package runtime

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/errdefs"

	"github.com/testudo-os/testudo/pkg/service"
)

// Signal sends the service's stop signal to its first process.
func (r *Runtime) Signal(ctx context.Context, svc *service.Service) error {
	name := svc.StopSignal
	if name == "" {
		// An image that is gone gives no signal of its own: not an error here.
		if image, err := r.Image(ctx, svc.Image); err == nil {
			name = image.Config.StopSignal
		}
	}
	signal, err := parseSignal(name)
	if err != nil {
		return err
	}
	return r.kill(ctx, svc.Name, signal, false)
}

// SignalAs sends a signal of the caller's choice to a service's first process.
// ErrPermanent: there is none of that name.
func (r *Runtime) SignalAs(ctx context.Context, service, signal string) error {
	number, err := parseSignal(signal)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPermanent, err)
	}
	return r.kill(ctx, service, number, false)
}

// Kill kills every process of the container.
func (r *Runtime) Kill(ctx context.Context, name string) error {
	return r.kill(ctx, name, unix.SIGKILL, true)
}

func (r *Runtime) kill(ctx context.Context, name string, signal syscall.Signal, all bool) error {
	_, err := r.client.TaskService().Kill(r.context(ctx), &tasks.KillRequest{ContainerID: name, Signal: uint32(signal), All: all})
	if err != nil {
		return fmt.Errorf("send %s: %w", unix.SignalName(signal), taskError(err))
	}
	return nil
}

// Remove deletes what there is of a container: its process (killed if it
// runs), its record and, unless keepLayer, its writable layer. Nothing there
// is success.
func (r *Runtime) Remove(ctx context.Context, name string, keepLayer bool) error {
	ctx = r.context(ctx)
	container, err := r.client.ContainerService().Get(ctx, name)
	if errdefs.IsNotFound(err) {
		return nil
	} else if err != nil {
		return fmt.Errorf("remove its old container: %w", native(err))
	}
	if err := r.removeTask(ctx, name); err != nil {
		return fmt.Errorf("remove its old process: %w", err)
	}
	if !keepLayer && container.SnapshotKey != "" {
		err := r.client.SnapshotService(container.Snapshotter).Remove(ctx, container.SnapshotKey)
		if err != nil && !errdefs.IsNotFound(err) {
			return fmt.Errorf("remove its old file system: %w", native(err))
		}
	}
	if err := r.client.ContainerService().Delete(ctx, name); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("remove its old container: %w", native(err))
	}
	return nil
}

func (r *Runtime) removeTask(ctx context.Context, name string) error {
	done, err := r.deleteTask(ctx, name)
	if done || errors.Is(err, ErrUnavailable) {
		return err
	}
	// It runs, or was created and never started: the shim's refusal has no
	// class to tell it by.
	switch err := r.Kill(ctx, name); {
	case err == nil:
		if _, err := r.client.TaskService().Wait(ctx, &tasks.WaitRequest{ContainerID: name}); err != nil && !errdefs.IsNotFound(native(err)) {
			return native(err)
		}
	case !errors.Is(err, ErrNotRunning):
		return err
	}
	_, err = r.deleteTask(ctx, name)
	return err
}

// deleteTask says whether there is no task any more.
func (r *Runtime) deleteTask(ctx context.Context, name string) (done bool, err error) {
	_, err = r.client.TaskService().Delete(ctx, &tasks.DeleteTaskRequest{ContainerID: name})
	if err = native(err); err == nil || errdefs.IsNotFound(err) {
		return true, nil
	}
	return false, err
}

// Linux's real-time signals as glibc counts them: 32 and 33 are its own.
const (
	sigRTMin = 34
	sigRTMax = 64
)

// parseSignal reads "SIGTERM", "TERM", "15", "SIGRTMIN+3" or "" (SIGTERM).
func parseSignal(name string) (syscall.Signal, error) {
	if name == "" {
		return unix.SIGTERM, nil
	}
	if n, err := strconv.Atoi(name); err == nil {
		if n < 1 || n > sigRTMax {
			return 0, fmt.Errorf("stop signal %q: there is no such signal", name)
		}
		return syscall.Signal(n), nil
	}
	full := strings.ToUpper(name)
	if !strings.HasPrefix(full, "SIG") {
		full = "SIG" + full
	}
	if rest, ok := strings.CutPrefix(full, "SIGRTMIN"); ok {
		return realTimeSignal(name, sigRTMin, rest)
	}
	if rest, ok := strings.CutPrefix(full, "SIGRTMAX"); ok {
		return realTimeSignal(name, sigRTMax, rest)
	}
	if signal := unix.SignalNum(full); signal != 0 {
		return signal, nil
	}
	return 0, fmt.Errorf("stop signal %q: there is no such signal", name)
}

func realTimeSignal(name string, base int, offset string) (syscall.Signal, error) {
	n := 0
	if offset != "" {
		var err error
		if n, err = strconv.Atoi(offset); err != nil {
			return 0, fmt.Errorf("stop signal %q: there is no such signal", name)
		}
	}
	if base+n < sigRTMin || base+n > sigRTMax {
		return 0, fmt.Errorf("stop signal %q: there is no such signal", name)
	}
	return syscall.Signal(base + n), nil
}
