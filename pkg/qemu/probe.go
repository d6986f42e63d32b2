package qemu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// probeTime is ample for a kernel that KVM really runs: it needs a second.
const probeTime = 10 * time.Second

// ProbeAccel says whether guests run on KVM here. /dev/kvm may be there and
// its guests hang all the same (nested virtualisation), so a kernel is booted
// for a moment. The answer is kept in cacheDir until the host reboots.
func ProbeAccel(ctx context.Context, tb Toolbox, kernel, cacheDir string) (Accel, error) {
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return TCG, nil // no KVM, or none for us: not a fault
	}
	f.Close()
	bootID, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return TCG, fmt.Errorf("probe KVM: %w", err)
	}
	stamp := filepath.Join(cacheDir, "accel-"+strings.TrimSpace(string(bootID)))
	if b, err := os.ReadFile(stamp); err == nil {
		return Accel(strings.TrimSpace(string(b))), nil
	}
	accel := TCG
	if kernelRunsOnKVM(ctx, tb, kernel) {
		accel = KVM
	}
	if err := ctx.Err(); err != nil {
		return TCG, err // an interrupted probe says nothing
	}
	err = errors.Join(os.MkdirAll(cacheDir, 0o755), os.WriteFile(stamp, []byte(accel), 0o644))
	return accel, err
}

// kernelRunsOnKVM boots the kernel without a root. It comes as far as saying
// so when its instructions are really executed.
func kernelRunsOnKVM(ctx context.Context, tb Toolbox, kernel string) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	vm, err := Start(ctx, tb, Config{
		Name: "kvm-probe", Accel: KVM, CPUs: 1, Memory: 256, Network: NoNet,
		Kernel: kernel, Append: "console=ttyS0 panic=-1",
	})
	if err != nil {
		return false
	}
	_, err = vm.WaitLine(ctx, regexp.MustCompile(`VFS: Unable to mount root fs|No filesystem could mount root`))
	return errors.Join(err, vm.Kill()) == nil
}
