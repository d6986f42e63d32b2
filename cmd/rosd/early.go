package main

import (
	"cmp"
	"context"
	"os"
	"slices"

	"github.com/testudo-os/testudo/pkg/idrange"
	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/manager"
	"github.com/testudo-os/testudo/pkg/runtime"
	"github.com/testudo-os/testudo/pkg/service"
)

// earlyRuntime uses the time in which PID 1 waits for disks: it connects to
// containerd and makes the release's images known to it, those of the services
// that start first at first. Nothing of that depends on the state disk.
type earlyRuntime struct {
	stopPreparing context.CancelFunc
	connected     chan struct{} // closed: the rest is set
	rt            *runtime.Runtime
	err           error
}

func connectEarly(ctx context.Context) *earlyRuntime {
	preparing, stop := context.WithCancel(ctx)
	e := &earlyRuntime{stopPreparing: stop, connected: make(chan struct{})}
	go func() {
		e.rt, e.err = runtime.Connect(ctx, runtimeOptions())
		close(e.connected)
		if e.err == nil {
			prepareImages(ctx, e.rt, preparing.Done())
		}
	}()
	return e
}

// runtime is manager.Options.Connect.
func (e *earlyRuntime) runtime(ctx context.Context) (manager.Runtime, error) {
	select {
	case <-e.connected:
		if e.err != nil {
			return nil, e.err
		}
		return e.rt, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func runtimeOptions() runtime.Options {
	return runtime.Options{
		Socket: layout.ContainerdSocket, Namespace: layout.Namespace, Images: layout.Images,
		IODir: layout.IODir, NotifyDir: layout.NotifyDir,
		Stored: stored, FirstID: idrange.New(layout.IDRanges).Range,
		Runc: layout.Runc, RuncRoot: layout.RuncRoot, InitBinary: layout.Tini,
	}
}

// prepareImages goes on until enough is closed. What fails is tried again, and
// told, when the service starts.
func prepareImages(ctx context.Context, rt *runtime.Runtime, enough <-chan struct{}) {
	builtin := service.Dir{Path: layout.Services, FS: os.DirFS(layout.Services)}
	set := service.Load(service.Options{}, service.Source{Dir: builtin})
	slices.SortFunc(set.Services, func(a, b service.Service) int { return cmp.Compare(a.Priority, b.Priority) })
	for _, svc := range set.Services {
		select {
		case <-enough:
			return
		default:
			_, _ = rt.Image(ctx, svc.Image)
		}
	}
}
