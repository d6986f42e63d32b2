package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/testudo-os/testudo/pkg/qemu"
	"github.com/testudo-os/testudo/pkg/tools"
)

// runOptions are the flags of `run`.
type runOptions struct {
	memory, cpus        int
	disk, diskSize      string
	cloudConfig, append string
	forwards            []qemu.Forward
	headless, core      bool
	kernel, initrd      string
	iso, diskImage      string
	network             string
}

// runCommand builds what is missing and boots it for a person to use.
func runCommand(ctx context.Context, args []string) error {
	o, err := parseRunFlags(args)
	if err != nil {
		return err
	}
	if o.kernel == "" && o.iso == "" && o.diskImage == "" {
		if err := build(ctx, buildOptions{variants: []string{o.variant()}, kernel: "cloud"}); err != nil {
			return err
		}
		o.kernel, o.initrd = filepath.Join(distDir, "vmlinuz"), filepath.Join(distDir, initrdName(o.variant()))
	}
	t, err := tools.Ensure(ctx, cacheDir, logf)
	if err != nil {
		return err
	}
	cfg, keyFile, err := o.machine(ctx, t)
	if err != nil {
		return err
	}
	// Not with ctx, which would kill it: at its end the machine is to power off.
	vm, err := qemu.Start(context.WithoutCancel(ctx), t, cfg)
	if err != nil {
		return err
	}
	if err := o.tellHowToUse(vm, keyFile); err != nil {
		return errors.Join(err, vm.Kill())
	}
	return waitOrPowerOff(ctx, vm)
}

func parseRunFlags(args []string) (*runOptions, error) {
	o := &runOptions{}
	f := flag.NewFlagSet("run", flag.ContinueOnError)
	f.IntVar(&o.memory, "memory", 1024, "memory in `MiB`")
	f.IntVar(&o.cpus, "cpus", 2, "number of processors")
	f.StringVar(&o.disk, "disk", "", "disk image for the state, created when missing: `FILE`")
	f.StringVar(&o.diskSize, "disk-size", "8G", "size of a disk image that is created")
	f.StringVar(&o.cloudConfig, "cloud-config", "", "give the machine this #cloud-config: `FILE`")
	f.StringVar(&o.append, "append", "", "more kernel `ARGUMENTS`")
	f.Func("forward", "let `HOST:GUEST` TCP ports through (more than once)", o.addForward)
	f.BoolVar(&o.headless, "headless", false, "no serial console here: ssh only, ctrl-c powers off")
	f.StringVar(&o.network, "network", "user", "user, isolated, silent (no DHCP) or none")
	f.BoolVar(&o.core, "core", false, "boot without the user runtime")
	f.StringVar(&o.kernel, "kernel", "", "boot this kernel `FILE` instead of dist/vmlinuz")
	f.StringVar(&o.initrd, "initrd", "", "with this initial ramfs `FILE`")
	f.StringVar(&o.iso, "iso", "", "boot this ISO `FILE`")
	f.StringVar(&o.diskImage, "disk-image", "", "boot this disk image `FILE` by UEFI; the machine writes to it")
	if err := parseFlags(f, args); err != nil {
		return nil, err
	}
	if o.kernel == "" && o.initrd != "" {
		return nil, usageError("run: --initrd goes with --kernel")
	}
	return o, nil
}

func (o *runOptions) addForward(s string) error {
	host, guest, ok := strings.Cut(s, ":")
	h, err1 := strconv.ParseUint(host, 10, 16)
	g, err2 := strconv.ParseUint(guest, 10, 16)
	if !ok || err1 != nil || err2 != nil || g == 0 {
		return errors.New("want HOST:GUEST, two port numbers")
	}
	o.forwards = append(o.forwards, qemu.Forward{Host: int(h), Guest: int(g)})
	return nil
}

func (o *runOptions) variant() string {
	if o.core {
		return "core"
	}
	return "default"
}

// machine turns the flags into a machine, and makes the key to log in with.
func (o *runOptions) machine(ctx context.Context, t *tools.Tools) (qemu.Config, string, error) {
	cfg := qemu.Config{
		Name: "testudo", Memory: o.memory, CPUs: o.cpus, Network: qemu.Network(o.network),
		Kernel: o.kernel, Initrd: o.initrd, ISO: o.iso, DiskImage: o.diskImage, Reboot: true,
		SerialLog: filepath.Join(cacheDir, "run", "serial.log"), Terminal: !o.headless,
	}
	if cfg.Network != qemu.NoNet && cfg.Network != qemu.SilentNet {
		cfg.Forwards = append([]qemu.Forward{{Guest: 22}}, o.forwards...)
	}
	if err := os.MkdirAll(filepath.Join(cacheDir, "run"), 0o755); err != nil {
		return cfg, "", err
	}
	if o.disk != "" {
		size, err := parseSize(o.diskSize)
		if err != nil {
			return cfg, "", err
		}
		if err := qemu.CreateDisk(o.disk, size); err != nil {
			return cfg, "", err
		}
		cfg.Disks = append(cfg.Disks, qemu.Disk{Path: o.disk, Serial: "state"})
	}
	key, err := qemu.EnsureKey(filepath.Join(cacheDir, "ssh"))
	if err != nil {
		return cfg, "", err
	}
	userData := "#cloud-config\n"
	if o.cloudConfig != "" {
		b, err := os.ReadFile(o.cloudConfig)
		if err != nil {
			return cfg, "", err
		}
		userData = string(b)
	}
	cfg.Seed = filepath.Join(cacheDir, "run", "seed.iso")
	if err := qemu.WriteSeed(ctx, t, cfg.Seed, addKey(userData, key.Public), ""); err != nil {
		return cfg, "", err
	}
	if o.kernel == "" {
		cfg.UEFI, err = qemu.NewUEFI(t, filepath.Join(cacheDir, "run", "uefi-variables.fd"))
		cfg.Extra = qemu.StubArguments(strings.TrimSpace("no_timer_check testudo.console.autologin=ttyS0 " + o.append))
		return cfg, key.File, err
	}
	cfg.Accel, err = qemu.ProbeAccel(ctx, t, o.kernel, cacheDir)
	cfg.Append = kernelArguments(cfg.Accel)
	if o.disk != "" {
		cfg.Append += " testudo.state.autoformat=true"
	}
	if o.append != "" {
		cfg.Append += " " + o.append
	}
	return cfg, key.File, err
}

// kernelArguments are those that a developer's machine boots with: a login on
// the serial console without a password, which only who started QEMU reaches.
func kernelArguments(accel qemu.Accel) string {
	args := "console=ttyS0 panic=-1 testudo.console.autologin=ttyS0"
	if accel != qemu.KVM {
		args += " no_timer_check" // the emulated timer fails the kernel's check on a busy host
	}
	return args
}

// addKey appends the key to a cloud-config at its end, so that line numbers in
// messages about it stay true. One with keys of its own, or that cannot be
// read, stays as it is.
func addKey(userData, publicKey string) string {
	for line := range strings.Lines(userData) {
		if strings.HasPrefix(line, "ssh_authorized_keys:") {
			return userData
		}
	}
	if !strings.HasSuffix(userData, "\n") {
		userData += "\n"
	}
	return userData + "ssh_authorized_keys:\n  - " + publicKey + "\n"
}

// tellHowToUse says how to get into the machine, and how to be rid of it. The
// carriage returns are for a terminal that QEMU has made its own.
func (o *runOptions) tellHowToUse(vm *qemu.VM, keyFile string) error {
	fmt.Fprint(os.Stderr, "\r\n")
	for guest, host := range vm.Ports() {
		if guest != 22 {
			fmt.Fprintf(os.Stderr, "Port %d of the guest is 127.0.0.1:%d\r\n", guest, host)
			continue
		}
		key, err := filepath.Abs(keyFile)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "Log in once it is up:  ssh -i %s -p %d -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR ros@127.0.0.1\r\n", key, host)
	}
	if o.headless {
		fmt.Fprintf(os.Stderr, "The serial console goes to %s; ctrl-c powers the machine off.\r\n\r\n", vm.SerialLog())
	} else {
		fmt.Fprint(os.Stderr, "Leave with `ros poweroff`, or at once with ctrl-a x; ctrl-c goes to the machine.\r\n\r\n")
	}
	return nil
}

// powerOffTime is how long a machine may take to turn itself off before it is
// killed; twice the default grace period of a service, emulated and all.
const powerOffTime = 60 * time.Second

// waitOrPowerOff waits for the machine; when ctx ends it presses the power button.
func waitOrPowerOff(ctx context.Context, vm *qemu.VM) error {
	select {
	case <-vm.Done():
		return vm.WaitExit(ctx)
	case <-ctx.Done():
	}
	fmt.Fprintln(os.Stderr, "powering off ...")
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), powerOffTime)
	defer cancel()
	if err := vm.PowerButton(grace); err != nil {
		return errors.Join(err, vm.Kill())
	}
	if err := vm.WaitExit(grace); err != nil {
		return errors.Join(err, vm.Kill())
	}
	return nil
}

// parseSize reads a number of bytes with an optional K, M, G or T (powers of 1024).
func parseSize(s string) (int64, error) {
	number, shift := s, 0
	if s != "" {
		if i := strings.IndexByte("KMGT", s[len(s)-1]); i >= 0 {
			number, shift = s[:len(s)-1], 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n <= 0 || n > (1<<62)>>shift {
		return 0, usageError(fmt.Sprintf("%q is not a size such as 512M or 8G", s))
	}
	return n << shift, nil
}
