package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// deferCryptoTests keeps the self-tests of the kernel's cryptography out of
// the boot's way. The kernel tests every algorithm it has, used or not, in
// threads that compete with us for the processor: on one of them that is half
// of what the boot takes. Those that run are told to use idle time only;
// whoever needs an algorithm before its test is over waits, and the test then
// has the processor. Those of modules to come are called off, as kernels built
// with CONFIG_CRYPTO_MANAGER_DISABLE_TESTS do; FIPS mode does them all the same.
func (m *machine) deferCryptoTests(proc string) {
	// A kernel without the tests has no such file.
	_ = writeFile("/sys/module/cryptomgr/parameters/notests", "Y")
	for _, pid := range threadsNamed(proc, "cryptomgr_test") {
		attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}
		if err := unix.SchedSetAttr(pid, &attr, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			m.log.Infof("defer the test of an algorithm: %v", err)
		}
	}
}

// threadsNamed lists the pids of processes with this name.
func threadsNamed(proc, name string) []int {
	f, err := os.Open(proc)
	if err != nil {
		return nil
	}
	defer f.Close()
	entries, _ := f.Readdirnames(-1)
	var out []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e)
		if err == nil && readLine(fmt.Sprintf("%s/%d/comm", proc, pid)) == name {
			out = append(out, pid)
		}
	}
	return out
}
