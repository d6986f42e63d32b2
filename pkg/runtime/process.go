package runtime

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/errdefs"
	"github.com/containerd/typeurl/v2"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/ocispec"
)

const (
	// How long a program may take to end after SIGHUP when nobody is there
	// any more to see what it does.
	hangUpGrace = 10 * time.Second
	// A program that has ended may have left others that hold its output
	// open: after so long without a word from them they are not waited for.
	lingering = 500 * time.Millisecond
)

// Begin runs a program in a running service, with the service's limits, seccomp
// profile and, unless another user is named, rights. To be run is what
// Process.Run waits for; it has to be called. ErrPermanent: it cannot be run
// as asked. ErrNotRunning: the service does not run.
func (r *Runtime) Begin(ctx context.Context, service string, o api.Exec) (api.Process, error) {
	return r.begin(ctx, service, o, false)
}

// process is a program that runs beside a service's own.
type process struct {
	tasks       tasks.TasksClient
	ctx         context.Context // of calls, without an end
	service, id string

	stdin    *os.File // nil: none
	out, err *outlet  // err is nil where both are one stream
	done     chan struct{}
}

// begin is Begin; joined has stdout and stderr in one stream.
func (r *Runtime) begin(ctx context.Context, service string, o api.Exec, joined bool) (_ *process, err error) {
	ctx = r.context(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			err = fmt.Errorf("run %q in %s: %w", o.Command[0], service, err)
		}
	}()
	spec, err := r.processSpec(ctx, service, o)
	if err != nil {
		return nil, err
	}
	p := &process{
		tasks: r.client.TaskService(), ctx: ctx, service: service, done: make(chan struct{}),
		id: fmt.Sprintf("%s%s-%d", execPrefix, r.run, execCount.Add(1)),
	}
	request := &tasks.ExecProcessRequest{ContainerID: service, ExecID: p.id, Terminal: o.Terminal, Spec: typeurl.MarshalProto(spec)}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if err := p.open(r.fifo(service, p.id), o, joined, request); err != nil {
		return nil, err
	}
	if _, err := p.tasks.Exec(ctx, request); err != nil {
		return nil, taskError(err)
	}
	if _, err := p.tasks.Start(ctx, &tasks.StartRequest{ContainerID: service, ExecID: p.id}); err != nil {
		return nil, errors.Join(explain(taskError(err)), p.delete())
	}
	// The shim has opened its ends, so their end is now the program's.
	p.out.begun()
	p.err.begun()
	return p, nil
}

// processSpec is the service's own process, running something else.
func (r *Runtime) processSpec(ctx context.Context, service string, o api.Exec) (typeurl.Any, error) {
	container, err := r.client.ContainerService().Get(ctx, service)
	if err != nil {
		return nil, taskError(err)
	}
	var spec specs.Spec
	if err := json.Unmarshal(container.Spec.GetValue(), &spec); err != nil {
		return nil, fmt.Errorf("read its spec: %w", err)
	}
	own := spec.Process
	own.Args, own.Terminal = o.Command, o.Terminal
	own.Cwd = cmp.Or(o.WorkingDir, own.Cwd)
	if o.Terminal && o.Size != (api.Size{}) {
		own.ConsoleSize = &specs.Box{Height: uint(o.Size.Rows), Width: uint(o.Size.Columns)}
	}
	if o.User != "" {
		task, err := r.client.TaskService().Get(ctx, &tasks.GetRequest{ContainerID: service})
		if err != nil {
			return nil, taskError(err)
		}
		// As the service sees it now, with what was added to the image's.
		user, err := lookUp(fmt.Sprintf("/proc/%d/root", task.Process.Pid), o.User)
		if err != nil {
			return nil, err
		}
		own.User = specs.User{UID: user.UID, GID: user.GID, AdditionalGids: user.Groups}
		own.Env = ocispec.Environment(own.Env, []string{"HOME=" + user.Home})
	}
	own.Env = ocispec.Environment(own.Env, o.Environment)
	return typeurl.MarshalAny(own)
}

// open makes the FIFOs and names them in the request.
func (p *process) open(path string, o api.Exec, joined bool, request *tasks.ExecProcessRequest) (err error) {
	if o.Stdin {
		request.Stdin = path + "-in"
		if err := makeFIFO(request.Stdin); err != nil {
			return err
		}
		// For reading too, so that opening waits for nobody.
		if p.stdin, err = os.OpenFile(request.Stdin, os.O_RDWR|unix.O_NONBLOCK, 0); err != nil {
			return err
		}
	}
	request.Stdout = path + "-out"
	if p.out, err = openOutlet(request.Stdout); err != nil {
		return err
	}
	switch {
	case o.Terminal: // which has one stream
	case joined:
		request.Stderr = request.Stdout
	default:
		request.Stderr = path + "-err"
		p.err, err = openOutlet(request.Stderr)
	}
	return err
}

func makeFIFO(path string) error {
	if err := unix.Mkfifo(path, 0o600); err != nil && !errors.Is(err, os.ErrExist) {
		return &os.PathError{Op: "mkfifo", Path: path, Err: err}
	}
	return nil
}

// Run implements api.Process.
func (p *process) Run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) (code int, err error) {
	defer context.AfterFunc(ctx, p.hangUp)()
	if p.stdin != nil && stdin != nil {
		go p.feed(stdin)
	}
	var copying sync.WaitGroup
	copying.Go(func() { p.out.copy(stdout) })
	if p.err != nil {
		copying.Go(func() { p.err.copy(stderr) })
	}
	code, err = p.wait()
	p.out.ended()
	p.err.ended()
	copying.Wait()
	close(p.done)
	p.close()
	if !p.out.whole() || !p.err.whole() {
		// Others hold its output open. The shim waits for them before it
		// forgets it; nobody else needs to.
		go func() { _ = p.delete() }()
		return code, err
	}
	if deleteErr := p.delete(); err == nil {
		err = deleteErr
	}
	return code, err
}

// wait outlasts a containerd that goes away meanwhile.
func (p *process) wait() (code int, err error) {
	for {
		exit, err := p.tasks.Wait(p.ctx, &tasks.WaitRequest{ContainerID: p.service, ExecID: p.id})
		if err == nil {
			return int(exit.ExitStatus), nil
		}
		if err = taskError(err); !errors.Is(err, ErrUnavailable) {
			return 0, fmt.Errorf("wait for it: %w", err)
		}
	}
}

// feed gives the program its input and, at the end of that, tells it so.
func (p *process) feed(stdin io.Reader) {
	// What fails here the program's end tells, or it does not concern it.
	_, err := io.Copy(p.stdin, stdin)
	if err == nil {
		_ = p.stdin.Close()
		_, _ = p.tasks.CloseIO(p.ctx, &tasks.CloseIORequest{ContainerID: p.service, ExecID: p.id, Stdin: true})
	}
}

// hangUp ends a program nobody waits for.
func (p *process) hangUp() {
	_ = p.kill(unix.SIGHUP)
	timer := time.NewTimer(hangUpGrace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		_ = p.kill(unix.SIGKILL)
	}
}

// Signal implements api.Process.
func (p *process) Signal(_ context.Context, name string) error {
	signal, err := parseSignal(name)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPermanent, err)
	}
	return p.kill(signal)
}

func (p *process) kill(signal syscall.Signal) error {
	_, err := p.tasks.Kill(p.ctx, &tasks.KillRequest{ContainerID: p.service, ExecID: p.id, Signal: uint32(signal), All: signal == unix.SIGKILL})
	return taskError(err)
}

// Resize implements api.Process.
func (p *process) Resize(_ context.Context, size api.Size) error {
	_, err := p.tasks.ResizePty(p.ctx, &tasks.ResizePtyRequest{
		ContainerID: p.service, ExecID: p.id, Width: uint32(size.Columns), Height: uint32(size.Rows),
	})
	return taskError(err)
}

// delete removes the shim's record of it.
func (p *process) delete() error {
	_, err := p.tasks.DeleteProcess(p.ctx, &tasks.DeleteProcessRequest{ContainerID: p.service, ExecID: p.id})
	if err = native(err); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("after %s: %w", p.id, err)
	}
	return nil
}

// close removes its FIFOs; one that cannot be removed is in nobody's way.
func (p *process) close() {
	if p.stdin != nil {
		p.stdin.Close()
		os.Remove(p.stdin.Name())
	}
	p.out.close()
	p.err.close()
}

// outlet is the FIFO of one stream.
type outlet struct {
	file   *os.File
	keeper *os.File // a writer of ours, so that there is no end before the shim has opened its own
	over   atomic.Bool
	atEnd  bool // once copy has returned: the stream has ended by itself
}

func openOutlet(path string) (*outlet, error) {
	if err := makeFIFO(path); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	keeper, err := os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(path))
	}
	return &outlet{file: file, keeper: keeper}, nil
}

// begun leaves the writing end to the shim.
func (o *outlet) begun() {
	if o != nil {
		o.keeper.Close()
	}
}

// copy writes what comes until the stream ends. Once it cannot be written it
// is thrown away: the program is not to be stopped by that.
func (o *outlet) copy(to io.Writer) {
	buffer := make([]byte, 32<<10)
	for {
		if o.over.Load() {
			o.file.SetReadDeadline(time.Now().Add(lingering))
		}
		n, err := o.file.Read(buffer)
		if n > 0 && to != nil {
			if _, err := to.Write(buffer[:n]); err != nil {
				to = nil
			}
		}
		if err != nil {
			o.atEnd = errors.Is(err, io.EOF)
			return
		}
	}
}

// whole says whether all that could ever come through it has.
func (o *outlet) whole() bool { return o == nil || o.atEnd }

// ended says that the program is: what it left is still read, and no more than
// a moment is waited for more.
func (o *outlet) ended() {
	if o != nil {
		o.over.Store(true)
		o.file.SetReadDeadline(time.Now().Add(lingering))
	}
}

func (o *outlet) close() {
	if o != nil {
		o.keeper.Close()
		o.file.Close()
		os.Remove(o.file.Name())
	}
}

// execPrefix begins the names of programs that run beside a service's own.
const execPrefix = "exec-"

// execCount makes their names unique within this process.
var execCount atomic.Uint64

// dropStrays ends what an earlier rosd ran in services: nobody reads it any
// more, so it would hang when its pipes are full.
func (r *Runtime) dropStrays(ctx context.Context) error {
	ctx = r.context(ctx)
	found, err := r.List(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, f := range found {
		if f.PID == 0 {
			continue
		}
		errs = append(errs, r.dropStraysOf(ctx, f.Name))
	}
	return errors.Join(errs...)
}

func (r *Runtime) dropStraysOf(ctx context.Context, service string) error {
	client := r.client.TaskService()
	pids, err := client.ListPids(ctx, &tasks.ListPidsRequest{ContainerID: service})
	if err != nil {
		if err = taskError(err); errors.Is(err, ErrNotRunning) {
			return nil
		}
		return fmt.Errorf("look for strays in %s: %w", service, err)
	}
	var errs []error
	for _, info := range pids.Processes {
		id := execID(info.Info)
		if !strings.HasPrefix(id, execPrefix) || strings.HasPrefix(id, execPrefix+r.run+"-") {
			continue
		}
		stray := &process{tasks: client, ctx: ctx, service: service, id: id}
		if err := stray.kill(unix.SIGKILL); err != nil && !errors.Is(err, ErrNotRunning) {
			errs = append(errs, fmt.Errorf("end %s in %s: %w", id, service, err))
			continue
		}
		if _, err := stray.wait(); err != nil && !errors.Is(err, ErrNotRunning) {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, stray.delete())
		for _, end := range []string{"-in", "-out", "-err"} {
			os.Remove(r.fifo(service, id) + end)
		}
	}
	return errors.Join(errs...)
}

// execID is the name of a process in a list of a container's; "" of the first
// one, and of what no one named.
func execID(info *anypb.Any) string {
	if info == nil {
		return ""
	}
	value, err := typeurl.UnmarshalAny(info)
	if err != nil {
		return ""
	}
	details, ok := value.(*options.ProcessDetails)
	if !ok {
		return ""
	}
	return details.ExecID
}
