package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/imagestore"
	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/manager"
	"github.com/testudo-os/testudo/pkg/registry"
	"github.com/testudo-os/testudo/pkg/service"
	"github.com/testudo-os/testudo/pkg/upgrade"
)

// images are the images that did not come with the release, and what services
// do with them.
type images struct {
	store    *imagestore.Store
	registry atomic.Pointer[registry.Client]
	upgrades *upgrade.Upgrader
	log      *slog.Logger
}

// openImages makes them ready; files reads the service files, m is there once
// services are to be changed.
func openImages(resolved *config.Resolved, files func() *service.Set, m func() *manager.Manager, log *slog.Logger) (*images, error) {
	client, err := registry.New(hosts(resolved.Config.Testudo.Registries))
	if err != nil {
		return nil, err
	}
	bootID, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, fmt.Errorf("boot id: %w", err)
	}
	i := &images{store: imagestore.New(layout.ImageStore), log: log}
	i.registry.Store(client)
	i.upgrades = upgrade.New(upgrade.Options{
		Dir: layout.Pins, BootID: strings.TrimSpace(string(bootID)), Now: time.Now, Files: files,
		Fetch: i.fetchPinned, Drop: i.store.Remove,
		Apply: func(ctx context.Context, set *service.Set, name string) ([]api.Change, error) {
			return m().Up(ctx, set, api.Up{Services: []string{name}})
		},
	})
	for _, recover := range []func() error{mountLayers, i.store.Recover, i.upgrades.Recover} {
		if err := recover(); err != nil {
			log.Error("images", "problem", err)
		}
	}
	return i, nil
}

func hosts(list []config.Registry) (hosts []registry.Host) {
	for _, r := range list {
		hosts = append(hosts, registry.Host{
			Name: r.Host, Mirrors: r.Mirrors, PlainHTTP: r.PlainHTTP, CA: r.CA, Username: r.Username, Password: string(r.Password),
		})
	}
	return hosts
}

// mountLayers gives layers a file system from which they can be mounted, where
// there is no state disk to write to: the kernel mounts no EROFS from a file on
// a tmpfs or an overlay.
func mountLayers() error {
	var on unix.Statfs_t
	if err := unix.Statfs(layout.VarTestudo, &on); err != nil {
		return fmt.Errorf("look at %s: %w", layout.VarTestudo, err)
	}
	if on.Type != unix.TMPFS_MAGIC && on.Type != unix.OVERLAYFS_SUPER_MAGIC {
		return nil
	}
	layers := imagestore.New(layout.ImageStore).Layers()
	if err := os.MkdirAll(layers, 0o755); err != nil {
		return err
	}
	if err := unix.Statfs(layers, &on); err == nil && on.Type == unix.RAMFS_MAGIC {
		return nil // an earlier rosd did it
	}
	if err := unix.Mount("ramfs", layers, "ramfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
		return fmt.Errorf("mount a ramfs on %s: %w", layers, err)
	}
	return nil
}

// stored is runtime.Options.Stored.
func stored(name string) (manifest, config []byte, err error) {
	store := imagestore.New(layout.ImageStore)
	image, err := store.Find(name)
	if err != nil {
		return nil, nil, err
	}
	return store.Read(image)
}

// pull brings the image of a registry into the store under its own name.
func (i *images) pull(ctx context.Context, ref string, progress func(api.Progress)) (imagestore.Image, error) {
	defer debug.FreeOSMemory() // a pull takes more than all the rest
	from, err := i.registry.Load().Image(ref)
	if err != nil {
		return imagestore.Image{}, fmt.Errorf("%w: %w", api.ErrInvalid, err)
	}
	return i.store.Add(ctx, ref, from, "", tell("pull", progress))
}

// pullStall ends the look for a newer image when nothing comes for so long: the
// one that is here runs then.
const pullStall = 20 * time.Second

// bring is manager.Options.Bring.
func (i *images) bring(ctx context.Context, svc *service.Service, again bool, progress func(done, total int64)) error {
	fetched, due, err := i.due(*svc)
	here := !fetched.IsZero()
	if err != nil || !due || here && again {
		return err
	}
	progress(0, 0)
	if !here {
		_, err := i.pull(ctx, svc.Image, func(p api.Progress) { progress(p.Done, p.Total) })
		return err
	}
	pulling, cancel := context.WithCancel(ctx)
	defer cancel()
	stall := time.AfterFunc(pullStall, cancel)
	defer stall.Stop()
	_, err = i.pull(pulling, svc.Image, func(p api.Progress) {
		stall.Reset(pullStall)
		progress(p.Done, p.Total)
	})
	if err != nil && ctx.Err() == nil {
		i.log.Warn("service "+svc.Name+": it runs the image that is here: a newer one could not be looked for", "error", err)
		return nil
	}
	return err
}

// due says whether a service's policy asks the registry for its image now, and
// when it was last fetched: zero when it is not here.
func (i *images) due(svc service.Service) (fetched time.Time, due bool, err error) {
	if strings.HasPrefix(svc.Image, service.SystemImages) {
		return fetched, false, nil
	}
	image, err := i.store.Find(svc.Image)
	switch {
	case err == nil:
		fetched = image.Added
	case !errors.Is(err, fs.ErrNotExist):
		return fetched, false, err
	}
	if _, err := registry.Parse(svc.Image); err != nil {
		return fetched, false, nil // it was imported, or the start says that it was not
	}
	if strings.Contains(svc.Image, "@") && !fetched.IsZero() {
		return fetched, false, nil // that one, whatever its name means by now
	}
	return fetched, svc.Pull.Due(fetched, time.Now()), nil
}

// fetchPinned is upgrade.Options.Fetch. The name without digest goes on to mean
// what it meant: the version that runs may go by it. What was imported is taken
// as it is here.
func (i *images) fetchPinned(ctx context.Context, ref, want string, progress func(api.Progress)) (string, error) {
	image, err := i.store.Find(ref)
	if _, elsewhere := registry.Parse(ref); elsewhere != nil && err == nil {
		if want != "" && want != image.Digest.String() && want != image.Index.String() {
			return "", fmt.Errorf("image %s: %w: it is %s", ref, imagestore.ErrDigest, image.Digest)
		}
		pinned := ref + "@" + image.Digest.String()
		return pinned, i.store.Name(image, pinned)
	}
	from, err := i.registry.Load().Image(ref)
	if err != nil {
		return "", fmt.Errorf("%w: %w", api.ErrInvalid, err)
	}
	defer debug.FreeOSMemory()
	pin := func(d digest.Digest) (string, error) { return registry.Pinned(ref, d) }
	image, err = i.store.AddPinned(ctx, ref, pin, from, digest.Digest(want), tell("pull", progress))
	return image.Ref, err
}

func tell(step string, progress func(api.Progress)) func(imagestore.Progress) {
	return func(p imagestore.Progress) { progress(api.Progress{Step: step, Done: p.Done, Total: p.Total}) }
}

func (b *backend) Pull(ctx context.Context, name string, progress func(api.Progress)) (api.Image, error) {
	for _, s := range b.files().Services {
		if s.Name == name {
			image, err := b.images.pull(ctx, s.Image, progress)
			return imageRow(image, nil), err
		}
	}
	return api.Image{}, fmt.Errorf("%w: no service %s is declared and enabled", api.ErrNotFound, name)
}

func (b *backend) Upgrade(ctx context.Context, name string, o api.Upgrade, progress func(api.Progress)) (api.Upgraded, error) {
	return b.images.upgrades.Upgrade(ctx, name, o, progress)
}

func (b *backend) Rollback(ctx context.Context, name string) (api.Upgraded, error) {
	return b.images.upgrades.Rollback(ctx, name)
}

func (b *backend) Images(context.Context) ([]api.Image, error) {
	list, err := b.images.store.List()
	var rows []api.Image
	for _, image := range list {
		rows = append(rows, imageRow(image, b.images.upgrades.Needs(image.Ref)))
	}
	return rows, err
}

func imageRow(i imagestore.Image, used []string) api.Image {
	return api.Image{Ref: i.Ref, Digest: i.Digest.String(), Size: i.Size, Added: i.Added, Used: used}
}

func (b *backend) Import(ctx context.Context, o api.Import, progress func(api.Progress)) (api.Image, error) {
	if !filepath.IsAbs(o.Path) {
		return api.Image{}, fmt.Errorf("%w: path: want one that begins with /", api.ErrInvalid)
	}
	from, err := imagestore.OpenLayout(o.Path, o.Name)
	if err != nil {
		return api.Image{}, fmt.Errorf("%w: import %w", api.ErrInvalid, err)
	}
	defer from.Close()
	ref := o.Ref
	if ref == "" {
		ref = from.Name()
	}
	if ref == "" || strings.ContainsAny(ref, " @") {
		return api.Image{}, fmt.Errorf("%w: import %s: it has no usable name: say which to give it (--as NAME)", api.ErrInvalid, o.Path)
	}
	defer debug.FreeOSMemory()
	image, err := b.images.store.Add(ctx, ref, from, "", tell("import", progress))
	return imageRow(image, nil), err
}

func (b *backend) RemoveImage(_ context.Context, o api.RemoveImage) error {
	if _, err := b.images.store.Find(o.Ref); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: no image %s is stored", api.ErrNotFound, o.Ref)
	}
	if used := b.images.upgrades.Needs(o.Ref); len(used) > 0 {
		return fmt.Errorf("%w: image %s is used by %s", api.ErrConflict, o.Ref, strings.Join(used, ", "))
	}
	return b.images.store.Remove(o.Ref)
}

// Kill sends a signal to a service's first process.
func (b *backend) Kill(ctx context.Context, name string, o api.Kill) (api.Service, error) {
	return b.manager.Kill(ctx, name, o.Signal)
}

// Exec runs a program in a service.
func (b *backend) Exec(ctx context.Context, name string, o api.Exec) (api.Process, error) {
	return b.manager.Exec(ctx, name, o)
}

// failedUpgrade adds to a row what the supervisor knows no more: an upgrade
// that failed before the machine restarted.
func (b *backend) failedUpgrade(row *api.Service) {
	if row.Refused != nil {
		return
	}
	if f := b.images.upgrades.Failed(row.Name); f != nil {
		row.Refused = &api.Refused{Time: f.At, Image: f.Image, Reason: f.Reason}
		if row.State == api.StateRunning && row.Reason == "" {
			row.Reason = "runs as before an upgrade that failed: " + f.Reason
		}
	}
}
