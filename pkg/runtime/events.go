package runtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	eventtypes "github.com/containerd/containerd/api/events"
	"github.com/containerd/typeurl/v2"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Watch calls exited for each service's process that ends and, once at first
// and again each time containerd came back, connected: what ended in between is
// to be learned from List then. It returns when ctx ends. Calls are made one
// at a time.
func (r *Runtime) Watch(ctx context.Context, connected func(), exited func(Exit), lost func(error)) error {
	tidied := make(chan struct{})
	go func() {
		defer close(tidied)
		// What cannot be ended now is no more than a process too many.
		_ = r.dropStrays(ctx)
	}()
	defer func() { <-tidied }()
	for {
		err := r.watchOnce(ctx, connected, exited)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		lost(err)
		if err := waitForSocket(ctx, r.opt.Socket); err != nil {
			return err
		}
		if conn, ok := r.client.Conn().(*grpc.ClientConn); ok {
			// It is back: do not sit out the back-off of the failed tries.
			conn.ResetConnectBackoff()
		}
	}
}

// watchTopic carries this package's own marks, and markAgain is when to send
// the next if one does not come back.
const (
	watchTopic = "/testudo/watch"
	markAgain  = 50 * time.Millisecond
)

func (r *Runtime) watchOnce(ctx context.Context, connected func(), exited func(Exit)) error {
	ctx, cancel := context.WithCancel(r.context(ctx))
	defer cancel()
	ns := "namespace==" + r.opt.Namespace + ","
	events, errs := r.client.EventService().Subscribe(ctx, ns+`topic=="/tasks/exit"`, ns+`topic=="`+watchTopic+`"`)

	// A subscription does not say when it begins. When a mark sent through
	// containerd comes back it has begun, and a List made from then on
	// misses nothing.
	if err := r.mark(ctx); err != nil {
		return err
	}
	again := time.NewTicker(markAgain)
	defer again.Stop()
	for marked := false; ; {
		select {
		case envelope := <-events:
			switch {
			case envelope == nil:
			case envelope.Topic != watchTopic:
				if exit := r.exitOf(envelope.Event); exit != nil {
					exited(*exit)
				}
			case !marked:
				marked = true
				again.Stop()
				connected()
			}
		case <-again.C:
			if err := r.mark(ctx); err != nil {
				return err
			}
		case err := <-errs:
			if err == nil {
				err = errors.New("the event stream ended")
			}
			return fmt.Errorf("containerd: %w", native(err))
		}
	}
}

func (r *Runtime) mark(ctx context.Context) error {
	if err := r.client.EventService().Publish(ctx, watchTopic, &emptypb.Empty{}); err != nil {
		return fmt.Errorf("containerd: %w", native(err))
	}
	return nil
}

// exitOf reads an exit event; nil when it is not of a service's first process.
func (r *Runtime) exitOf(event typeurl.Any) *Exit {
	value, err := typeurl.UnmarshalAny(event)
	if err != nil {
		return nil
	}
	e, ok := value.(*eventtypes.TaskExit)
	if !ok || e.ID != e.ContainerID { // the end of an Exec
		return nil
	}
	return r.newExit(e.ContainerID, int(e.Pid), e.ExitStatus, e.ExitedAt.AsTime())
}
