// Command probe is the guest's side of the benchmark. The kernel starts it
// with rdinit=/probe; it leaves a copy of itself behind and becomes the
// system's own /init. The copy tells through the kernel log when ssh and the
// user runtime answer, how much memory is in use once the machine is idle and
// which sockets listen, and then asks PID 1 to power off. One program measures
// every system, so that none is asked in a way that suits it.
//
// Without an /init it is the do-nothing init of the bare kernel.
//
// It is never part of an image: pkg/bench appends it to the initrd of the
// machine it measures. It imports the standard library and x/sys only, for what
// it costs is part of every figure.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

const (
	realInit  = "/init"
	childFlag = "BENCH_PROBE" // in the environment of the copy
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

func run() error {
	if os.Getenv(childFlag) != "" {
		return watch(&kernelLog{os.NewFile(kernelLogFD, "kmsg")}, otherInit{})
	}
	log, err := openKernelLog()
	if err != nil {
		return err
	}
	log.mark("init")
	if _, err := os.Stat(realInit); errors.Is(err, fs.ErrNotExist) {
		return watch(log, ownInit{})
	}
	if err := leaveCopy(log); err != nil {
		return err
	}
	args := append([]string{realInit}, os.Args[1:]...)
	if err := unix.Exec(realInit, args, os.Environ()); err != nil {
		return fmt.Errorf("become %s: %w", realInit, err)
	}
	return nil
}
