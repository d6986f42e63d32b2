// Command containerd is stock containerd with only the plugins Testudo uses:
// the same binary serves the OS (EROFS snapshotter over the layers in the
// system image) and, inside the docker service, the user's containers
// (overlayfs). plugins.go is the list. There is no CRI, NRI, tracing or
// metrics endpoint in it.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/containerd/containerd/v2/cmd/containerd/command"
)

// gcPercent trades processor time for memory: containerd's live heap is a few
// MiB, so collecting twice as often costs little and halves the slack.
const gcPercent = 50

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if err := command.App().Run(context.Background(), os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "containerd:", err)
		os.Exit(1)
	}
}
