package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/errdefs"
	"github.com/containerd/typeurl/v2"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// outputLimit is how much of a probe's output is kept: its last words.
const outputLimit = 4096

// execCount makes the names of probes unique within this process; those of an
// earlier one went with it or are deleted by name clash.
var execCount atomic.Uint64

// Exec runs a program inside a running service, as its user, and returns its
// exit code and the end of its output. When ctx ends it is killed.
func (r *Runtime) Exec(ctx context.Context, name string, args []string) (code int, output string, err error) {
	callCtx := r.context(context.WithoutCancel(ctx))
	container, err := r.client.ContainerService().Get(callCtx, name)
	if err != nil {
		return 0, "", fmt.Errorf("run %q in it: %w", args[0], taskError(err))
	}
	var spec specs.Spec
	if err := json.Unmarshal(container.Spec.GetValue(), &spec); err != nil {
		return 0, "", fmt.Errorf("run %q in it: read its spec: %w", args[0], err)
	}
	process := spec.Process
	process.Args, process.Terminal = args, false
	processAny, err := typeurl.MarshalAny(process)
	if err != nil {
		return 0, "", fmt.Errorf("run %q in it: %w", args[0], err)
	}
	id := fmt.Sprintf("probe-%d-%d", os.Getpid(), execCount.Add(1))
	out, err := openOutput(r.fifo(name, id))
	if err != nil {
		return 0, "", fmt.Errorf("run %q in it: %w", args[0], err)
	}
	defer out.close()

	client := r.client.TaskService()
	if _, err := client.Exec(callCtx, &tasks.ExecProcessRequest{
		ContainerID: name, ExecID: id, Stdout: out.path, Stderr: out.path, Spec: typeurl.MarshalProto(processAny),
	}); err != nil {
		return 0, "", fmt.Errorf("run %q in it: %w", args[0], taskError(err))
	}
	// Deleting waits until all output is in the FIFO.
	defer func() {
		_, deleteErr := client.DeleteProcess(callCtx, &tasks.DeleteProcessRequest{ContainerID: name, ExecID: id})
		if err == nil && deleteErr != nil && !errdefs.IsNotFound(native(deleteErr)) {
			err = fmt.Errorf("after %q in it: %w", args[0], native(deleteErr))
		}
		output = out.read()
	}()
	if _, err := client.Start(callCtx, &tasks.StartRequest{ContainerID: name, ExecID: id}); err != nil {
		return 0, "", explain(taskError(err))
	}
	killed := context.AfterFunc(ctx, func() {
		client.Kill(callCtx, &tasks.KillRequest{ContainerID: name, ExecID: id, Signal: uint32(unix.SIGKILL), All: true})
	})
	defer killed()
	exit, err := client.Wait(callCtx, &tasks.WaitRequest{ContainerID: name, ExecID: id})
	if err != nil {
		return 0, "", fmt.Errorf("run %q in it: %w", args[0], taskError(err))
	}
	if ctx.Err() != nil {
		return int(exit.ExitStatus), "", context.Cause(ctx)
	}
	return int(exit.ExitStatus), "", nil
}

// output collects what comes through a FIFO of its own.
type output struct {
	path string
	file *os.File
	done chan struct{}
	tail []byte
}

func openOutput(path string) (*output, error) {
	if err := unix.Mkfifo(path, 0o600); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, &os.PathError{Op: "mkfifo", Path: path, Err: err}
	}
	// Open for writing too, so that there is no end of file before there
	// is a writer.
	file, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	o := &output{path: path, file: file, done: make(chan struct{})}
	go func() {
		defer close(o.done)
		buffer := make([]byte, outputLimit)
		for {
			n, err := file.Read(buffer)
			o.tail = append(o.tail, buffer[:n]...)
			o.tail = o.tail[max(0, len(o.tail)-outputLimit):]
			if err != nil {
				return
			}
		}
	}()
	return o, nil
}

// read ends the collecting. The deadline stops the reader at once, so what is
// still in the FIFO is then taken here, without waiting.
func (o *output) read() string {
	o.file.SetReadDeadline(time.Now())
	<-o.done
	buffer := make([]byte, outputLimit)
	raw, err := o.file.SyscallConn()
	if err == nil {
		raw.Control(func(fd uintptr) {
			for {
				n, err := unix.Read(int(fd), buffer)
				if n <= 0 || err != nil {
					return
				}
				o.tail = append(o.tail, buffer[:n]...)
			}
		})
	}
	o.tail = o.tail[max(0, len(o.tail)-outputLimit):]
	return strings.TrimSpace(string(o.tail))
}

func (o *output) close() {
	o.file.Close()
	<-o.done
	os.Remove(o.path)
}
