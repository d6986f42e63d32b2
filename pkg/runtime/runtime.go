package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/grpc"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"

	"github.com/testudo-os/testudo/pkg/ocispec"
)

// Labels on a service's container, by which the next rosd knows it.
const (
	labelService = "testudo.service"
	labelHash    = "testudo.spec-hash"
)

// Options say where things are; all are required unless said otherwise.
type Options struct {
	Socket      string // of containerd
	Namespace   string // containerd's
	Images      string // folder of system images: NAME/{manifest.json,config.json,ref}
	IODir       string // NAME/{stdout,stderr}
	NotifyDir   string // NAME/notify.sock
	Runc        string // path of runc
	RuncRoot    string // runc's own records
	InitBinary  string // for `init: true`
	Snapshotter string // "" = "erofs"
	// FirstID gives the first of the ocispec.IDs user and group ids that a
	// service with Userns has on the machine. nil: there are none to be had.
	FirstID func(service string) (uint32, error)
	// Stored finds an image that did not come with the release; nil: there
	// are none. fs.ErrNotExist: not that one. Its layers are in one of the
	// snapshotter's caches.
	Stored func(name string) (manifest, config []byte, err error)
}

// Runtime speaks to one containerd. It is safe for concurrent use.
type Runtime struct {
	opt    Options
	client *containerd.Client
	run    string // tells the programs that this Runtime began from others'

	mu     sync.Mutex // guards what follows and serialises registration
	images map[string]*Image
	users  map[string]ocispec.User
}

// Classes of errors that a caller treats differently.
var (
	// ErrUnavailable: containerd was not there or went away during the call.
	ErrUnavailable = errors.New("containerd is not available")
	// ErrPermanent: trying again cannot help until a file or image changes.
	ErrPermanent = errors.New("cannot work as declared")
	// ErrNotRunning: there is no such process.
	ErrNotRunning = errors.New("it does not run")
)

// Connect waits until containerd listens on its socket.
func Connect(ctx context.Context, opt Options) (*Runtime, error) {
	if opt.Snapshotter == "" {
		opt.Snapshotter = "erofs"
	}
	if err := waitForSocket(ctx, opt.Socket); err != nil {
		return nil, err
	}
	client, err := containerd.New(opt.Socket,
		containerd.WithDefaultNamespace(opt.Namespace),
		// A call made while containerd restarts waits for it.
		containerd.WithCallOpts([]grpc.CallOption{grpc.WaitForReady(true)}),
	)
	if err != nil {
		return nil, fmt.Errorf("containerd at %s: %w", opt.Socket, err)
	}
	run := fmt.Sprintf("%d.%d", os.Getpid(), time.Now().UnixNano())
	return &Runtime{opt: opt, client: client, run: run, images: map[string]*Image{}, users: map[string]ocispec.User{}}, nil
}

// Close ends the connection. What runs goes on running.
func (r *Runtime) Close() error { return r.client.Close() }

func (r *Runtime) context(ctx context.Context) context.Context {
	return namespaces.WithNamespace(ctx, r.opt.Namespace)
}

// FIFOs are where the service's output goes; pkg/logs reads them.
func (r *Runtime) fifo(name, stream string) string { return filepath.Join(r.opt.IODir, name, stream) }

// native makes an error of a call into one of this package's classes.
func native(err error) error {
	if err == nil {
		return nil
	}
	err = errgrpc.ToNative(err)
	if errdefs.IsUnavailable(err) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// taskError is native for calls about a process: none is ErrNotRunning.
func taskError(err error) error {
	// The client has made some errors native already, and lost their class to native.
	none := errdefs.IsNotFound(err)
	err = native(err)
	if none || errdefs.IsNotFound(err) || errdefs.IsFailedPrecondition(err) {
		return fmt.Errorf("%w: %w", ErrNotRunning, err)
	}
	return err
}
