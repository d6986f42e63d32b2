package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/containerd/api/types/runc/options"
	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/oci"
	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/layout"
)

const (
	snapshotter = "erofs"
	runtimeName = "io.containerd.runc.v2"
	containerID = "bench-ctr"
)

// containers starts containers as `ctr run` does.
type containers struct {
	client *containerd.Client
	image  string // name of the image of a service that runs
}

func connect(ctx context.Context, service string) (*containers, error) {
	client, err := containerd.New(layout.ContainerdSocket, containerd.WithDefaultNamespace(layout.Namespace))
	if err != nil {
		return nil, fmt.Errorf("connect to containerd: %w", err)
	}
	running, err := client.LoadContainer(ctx, service)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("container of service %s: %w", service, err), client.Close())
	}
	info, err := running.Info(ctx, containerd.WithoutRefreshedMetadata)
	return &containers{client, info.Image}, err
}

func (c *containers) close() { c.client.Close() }

// start runs the service's image with the service's command, and removes it
// again; only the start is measured.
func (c *containers) start(ctx context.Context) (took time.Duration, err error) {
	ctx = namespaces.WithNamespace(ctx, layout.Namespace)
	begin := time.Now()
	image, err := c.client.GetImage(ctx, c.image)
	if err != nil {
		return 0, err
	}
	container, err := c.client.NewContainer(ctx, containerID,
		containerd.WithImage(image),
		containerd.WithSnapshotter(snapshotter),
		containerd.WithNewSnapshot(containerID, image),
		containerd.WithRuntime(runtimeName, &options.Options{BinaryName: layout.Runc}),
		containerd.WithNewSpec(oci.WithDefaultUnixDevices, oci.WithProcessArgs("/usr/bin/busybox", "sleep", "infinity")),
	)
	if err != nil {
		return 0, fmt.Errorf("new container: %w", err)
	}
	defer func() { err = errors.Join(err, container.Delete(ctx, containerd.WithSnapshotCleanup)) }()
	task, err := container.NewTask(ctx, cio.NullIO)
	if err != nil {
		return 0, fmt.Errorf("new task: %w", err)
	}
	ended, err := task.Wait(ctx)
	if err == nil {
		err = task.Start(ctx)
	}
	took = time.Since(begin)
	err = errors.Join(err, task.Kill(ctx, unix.SIGKILL))
	if err == nil {
		<-ended
	}
	_, deleteErr := task.Delete(ctx, containerd.WithProcessKill)
	return took, errors.Join(err, deleteErr)
}
