package runtime

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
	"github.com/containerd/typeurl/v2"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/ocispec"
	"github.com/testudo-os/testudo/pkg/service"
)

const shimName = "io.containerd.runc.v2"

// Start makes a container for svc and starts it; what was left of an earlier
// one goes first. It returns the process id. The error says in a person's
// words what is wrong; ErrPermanent and ErrUnavailable are its classes.
func (r *Runtime) Start(ctx context.Context, svc *service.Service) (pid int, err error) {
	ctx = r.context(ctx)
	if svc.Init {
		if _, err := os.Stat(r.opt.InitBinary); err != nil {
			return 0, fmt.Errorf("%w: init: true: %w", ErrPermanent, err)
		}
	}
	image, err := r.Image(ctx, svc.Image)
	if err != nil {
		return 0, err
	}
	if err := r.Remove(ctx, svc.Name, svc.Persistent); err != nil {
		return 0, err
	}
	if err := makeVolumeSources(svc); err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			// Under a context of its own: a cancelled start leaves nothing either.
			if removeErr := r.Remove(context.WithoutCancel(ctx), svc.Name, svc.Persistent); removeErr != nil {
				err = fmt.Errorf("%w (and its container cannot be removed: %w)", err, removeErr)
			}
		}
	}()
	return r.start(ctx, svc, image)
}

func (r *Runtime) start(ctx context.Context, svc *service.Service, image *Image) (pid int, err error) {
	resolved := *svc
	if resolved.Environment, err = svc.Env(os.ReadFile); err != nil {
		return 0, err
	}
	if svc.Watchdog > 0 {
		resolved.Environment = append(resolved.Environment, fmt.Sprintf("WATCHDOG_USEC=%d", svc.Watchdog.Microseconds()))
	}
	specOptions, err := r.specOptions(svc)
	if err != nil {
		return 0, err
	}
	spec, err := ocispec.Build(&resolved, image.Config, r.host(ctx, image), specOptions)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrPermanent, err)
	}
	specAny, err := typeurl.MarshalAny(spec)
	if err != nil {
		return 0, fmt.Errorf("encode the runtime spec: %w", err)
	}
	runcOptions, err := typeurl.MarshalAny(&options.Options{BinaryName: r.opt.Runc, Root: r.opt.RuncRoot})
	if err != nil {
		return 0, fmt.Errorf("encode runc's options: %w", err)
	}
	if _, err := r.client.ContainerService().Create(ctx, containers.Container{
		ID:          svc.Name,
		Labels:      map[string]string{labelService: svc.Name, labelHash: svc.Hash()},
		Image:       image.Ref,
		Runtime:     containers.RuntimeInfo{Name: shimName, Options: runcOptions},
		Spec:        specAny,
		Snapshotter: r.opt.Snapshotter,
		SnapshotKey: svc.Name,
	}); err != nil {
		return 0, fmt.Errorf("create its container: %w", native(err))
	}
	// After the container's record: that is what keeps the snapshot from the
	// garbage collector.
	mounts, err := r.prepare(ctx, svc.Name, image.chain, idLabels(svc, specOptions))
	if err != nil {
		return 0, err
	}
	request := &tasks.CreateTaskRequest{
		ContainerID: svc.Name,
		Terminal:    svc.TTY,
		Stdout:      r.fifo(svc.Name, "stdout"),
		Stderr:      r.fifo(svc.Name, "stderr"),
		Rootfs:      mountsToProto(mounts),
	}
	if svc.TTY {
		request.Stderr = "" // a terminal has one stream
	}
	created, err := r.client.TaskService().Create(ctx, request)
	if err != nil {
		return 0, explain(native(err))
	}
	if _, err := r.client.TaskService().Start(ctx, &tasks.StartRequest{ContainerID: svc.Name}); err != nil {
		return 0, explain(native(err))
	}
	return int(created.Pid), nil
}

// prepare gives the writable snapshot of a service: a new one, or the kept one
// of a persistent service. It is writable also for read_only services (runc
// then mounts it read-only), so that mount points missing in the image can be
// made.
func (r *Runtime) prepare(ctx context.Context, key, parent string, ids map[string]string) ([]mount.Mount, error) {
	snapshotter := r.client.SnapshotService(r.opt.Snapshotter)
	mounts, err := snapshotter.Prepare(ctx, key, parent, snapshots.WithLabels(ids))
	if !errdefs.IsAlreadyExists(err) {
		if err != nil {
			return nil, fmt.Errorf("prepare its file system: %w", native(err))
		}
		return mounts, nil
	}
	info, err := snapshotter.Stat(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("look at its kept file system: %w", native(err))
	}
	if info.Kind == snapshots.KindActive && info.Parent == parent && sameIDs(info.Labels, ids) {
		mounts, err := snapshotter.Mounts(ctx, key)
		if err != nil {
			return nil, fmt.Errorf("mount its kept file system: %w", native(err))
		}
		return mounts, nil
	}
	// The image or its ids are others: what was written over the old does not fit.
	if err := snapshotter.Remove(ctx, key); err != nil {
		return nil, fmt.Errorf("drop its old file system: %w", native(err))
	}
	if mounts, err = snapshotter.Prepare(ctx, key, parent, snapshots.WithLabels(ids)); err != nil {
		return nil, fmt.Errorf("prepare its file system: %w", native(err))
	}
	return mounts, nil
}

// idLabels tells the snapshotter whose the files of a service are: its layers
// are mounted with their owners moved, and nothing is copied.
func idLabels(svc *service.Service, opt ocispec.Options) map[string]string {
	if !svc.Userns {
		return nil
	}
	mapping := fmt.Sprintf("0:%d:%d", opt.FirstID, ocispec.IDs)
	return map[string]string{snapshots.LabelSnapshotUIDMapping: mapping, snapshots.LabelSnapshotGIDMapping: mapping}
}

func sameIDs(a, b map[string]string) bool {
	return a[snapshots.LabelSnapshotUIDMapping] == b[snapshots.LabelSnapshotUIDMapping] &&
		a[snapshots.LabelSnapshotGIDMapping] == b[snapshots.LabelSnapshotGIDMapping]
}

func (r *Runtime) specOptions(svc *service.Service) (ocispec.Options, error) {
	opt := ocispec.Options{
		CgroupsPath: cgroupsPath(r.opt.Namespace, svc.Name),
		InitBinary:  r.opt.InitBinary,
	}
	if svc.Notifies() {
		opt.NotifyDir = filepath.Join(r.opt.NotifyDir, svc.Name)
	}
	if !svc.Userns {
		return opt, nil
	}
	if r.opt.FirstID == nil {
		return opt, fmt.Errorf("%w: userns_mode: auto: there are no user ids for it", ErrPermanent)
	}
	first, err := r.opt.FirstID(svc.Name)
	if err != nil {
		return opt, fmt.Errorf("userns_mode: auto: %w", err)
	}
	opt.FirstID = first
	return opt, nil
}

func cgroupsPath(namespace, name string) string { return path.Join("/", namespace, name) }

// makeVolumeSources makes the folders that volumes may have made, and says
// plainly which one is missing.
func makeVolumeSources(svc *service.Service) error {
	for _, v := range svc.Volumes {
		_, err := os.Stat(v.Source)
		switch {
		case err == nil:
		case os.IsNotExist(err) && v.CreateHostPath:
			if err := os.MkdirAll(v.Source, 0o755); err != nil {
				return fmt.Errorf("volume %s: make its source: %w", v.Target, err)
			}
		case os.IsNotExist(err):
			// Not permanent: another service or a disk may bring it.
			return fmt.Errorf("volume %s: its source %s does not exist", v.Target, v.Source)
		default:
			return fmt.Errorf("volume %s: %w", v.Target, err)
		}
	}
	return nil
}

func mountsToProto(mounts []mount.Mount) []*types.Mount {
	list := make([]*types.Mount, len(mounts))
	for i, m := range mounts {
		list[i] = &types.Mount{Type: m.Type, Source: m.Source, Target: m.Target, Options: m.Options}
	}
	return list
}

// host is what ocispec asks of this machine.
func (r *Runtime) host(ctx context.Context, image *Image) ocispec.Host {
	return ocispec.Host{
		User:    func(name string) (ocispec.User, error) { return r.user(ctx, image, name) },
		Device:  statDevice,
		Devices: func() ([]specs.LinuxDevice, error) { return listDevices("/dev") },

		Mappable: mappable,
	}
}

// mappable says whether a mount of path can have other owners. The file systems
// that cannot are those of Linux 6.12 without FS_ALLOW_IDMAP on which the OS
// has files; /dev says that it is a tmpfs, and is not that type.
func mappable(path string) bool {
	if path == "/dev" || strings.HasPrefix(path, "/dev/") {
		return false
	}
	var on unix.Statfs_t
	if err := unix.Statfs(path, &on); err != nil {
		return true // runc will say what is wrong with it
	}
	switch on.Type {
	case unix.OVERLAYFS_SUPER_MAGIC, unix.RAMFS_MAGIC, unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.CGROUP2_SUPER_MAGIC,
		unix.DEVPTS_SUPER_MAGIC, unix.NSFS_MAGIC, unix.EFIVARFS_MAGIC:
		return false
	}
	return true
}
