package runtime

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/containerd/containerd/api/services/tasks/v1"
	taskapi "github.com/containerd/containerd/api/types/task"
)

// Found is a service's container as containerd knows it.
type Found struct {
	Name    string
	Hash    string // service.Service.Hash it was started with
	PID     int    // 0: no process
	Since   time.Time
	Exit    *Exit // of a process that has ended and was not removed
	Created bool  // a process was made and never started
}

// List finds every container of a service, running or not.
func (r *Runtime) List(ctx context.Context) ([]Found, error) {
	ctx = r.context(ctx)
	containers, err := r.client.ContainerService().List(ctx, "labels."+strconv.Quote(labelService))
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", native(err))
	}
	running, err := r.client.TaskService().List(ctx, &tasks.ListTasksRequest{})
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", native(err))
	}
	byID := map[string]*taskapi.Process{}
	for _, p := range running.Tasks {
		byID[p.ID] = p
	}
	found := make([]Found, 0, len(containers))
	for _, c := range containers {
		f := Found{Name: c.Labels[labelService], Hash: c.Labels[labelHash], Since: c.CreatedAt}
		if p := byID[c.ID]; p != nil {
			switch p.Status {
			case taskapi.Status_STOPPED:
				f.Exit = r.newExit(c.ID, int(p.Pid), p.ExitStatus, p.ExitedAt.AsTime())
			case taskapi.Status_CREATED:
				f.Created = true
			default:
				f.PID = int(p.Pid)
			}
		}
		found = append(found, f)
	}
	return found, nil
}

// Exit says how a service's first process ended.
type Exit struct {
	Name   string
	PID    int
	Code   int
	Signal string // "SIGKILL"; "" when it exited by itself
	OOM    bool
	At     time.Time
}

// runc and the shim report death by signal N as 128+N, as shells do.
const signalBase = 128

func (r *Runtime) newExit(name string, pid int, status uint32, at time.Time) *Exit {
	exit := &Exit{Name: name, PID: pid, Code: int(status), At: at}
	if status > signalBase && status <= signalBase+sigRTMax {
		exit.Signal = unix.SignalName(unix.Signal(status - signalBase))
	}
	// The cgroup is there until the container is removed, and its counter
	// is exact; containerd's OOM event may come after the exit.
	exit.OOM = exit.Signal == "SIGKILL" && oomKills(filepath.Join("/sys/fs/cgroup", cgroupsPath(r.opt.Namespace, name))) > 0
	return exit
}

// oomKills reads how many processes of a cgroup the kernel has killed for want
// of memory.
func oomKills(cgroup string) int {
	data, err := os.ReadFile(filepath.Join(cgroup, "memory.events"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if count, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok {
			n, _ := strconv.Atoi(count)
			return n
		}
	}
	return 0
}
