// Command containerd-shim-runc-v2 is containerd's shim for runc with only the
// task service in it (build it with the tag no_grpc). One process of it stays
// beside each container, so it is tuned for memory: one processor, a small
// heap.
//
// With TESTUDO_SHIM_CGROUP=/sys/fs/cgroup/PATH in its environment the shim
// moves itself to that cgroup when it starts. The user runtime's containerd
// sets it (shim manager's `env`): its shims are then outside the cgroup of the
// docker service and live on, with their containers, when that is killed.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2/manager"
	_ "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2/task/plugin"
	"github.com/containerd/containerd/v2/pkg/shim"
)

const (
	cgroupVariable = "TESTUDO_SHIM_CGROUP"

	// memoryLimit is soft: above it Go collects more eagerly. A quiet shim's
	// heap is below 2 MiB.
	memoryLimit = 8 << 20
)

func main() {
	if path := os.Getenv(cgroupVariable); path != "" {
		if err := moveToCgroup(path); err != nil {
			// Not fatal: the container works, it only shares the engine's fate.
			fmt.Fprintln(os.Stderr, "containerd-shim-runc-v2:", err)
		}
	}
	// shim.RunShim takes two processors unless this variable is set; runc,
	// its child, inherits it and starts fewer threads too.
	os.Setenv("GOMAXPROCS", "1")
	runtime.GOMAXPROCS(1)
	debug.SetMemoryLimit(memoryLimit)
	shim.RunShim(context.Background(), manager.NewShimManager("io.containerd.runc.v2"))
}
