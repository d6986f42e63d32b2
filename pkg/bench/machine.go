package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/testudo-os/testudo/pkg/cpio"
	"github.com/testudo-os/testudo/pkg/qemu"
)

const (
	usualMemory = 1024 // MiB
	idleSeconds = 30
	// wallLimit is for one machine; emulated Debian takes a minute when the host
	// is quiet and several when it is not.
	wallLimit = 15 * time.Minute
)

// kernelArguments are the same for every system. panic=-1 ends QEMU,
// no_timer_check is for emulation, and the kernel must not drop our lines.
const kernelArguments = "console=ttyS0 panic=-1 no_timer_check printk.devkmsg=on rdinit=/probe"

// Bench holds what all measurements share.
type Bench struct {
	Tools   qemu.Toolbox
	Accel   qemu.Accel // for wall time
	Probe   string     // the built pkg/bench/probe
	Starter string     // the built pkg/bench/starter
	Dir     string     // for logs, initrds and disks of this bench
	Append  string     // more kernel arguments, for all
	Log     func(format string, args ...any)
}

// initrd writes the subject's initrd with the probe behind it: the kernel
// unpacks one archive after the other.
func (b *Bench) initrd(s Subject) (path string, err error) {
	path = filepath.Join(b.Dir, "initrd-"+s.Name+".img")
	out, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if s.Initrd != "" {
		in, err := os.Open(s.Initrd)
		if err != nil {
			return "", err
		}
		defer in.Close()
		n, err := io.Copy(out, in)
		if err != nil {
			return "", err
		}
		if _, err := out.Write(make([]byte, -n&3)); err != nil {
			return "", err
		}
	}
	w := cpio.NewWriter(out)
	programs := []struct{ name, path string }{{"probe", b.Probe}}
	if s.starter {
		programs = append(programs, struct{ name, path string }{"starter", b.Starter})
	}
	for _, p := range programs {
		data, err := os.ReadFile(p.path)
		if err != nil {
			return "", err
		}
		if err := w.File(p.name, 0o755, int64(len(data)), bytes.NewReader(data)); err != nil {
			return "", err
		}
	}
	return path, w.Close()
}

// machine describes the virtual machine of a subject.
func (b *Bench) machine(s Subject, accel qemu.Accel, memory int, order string) (qemu.Config, error) {
	initrd, err := b.initrd(s)
	if err != nil {
		return qemu.Config{}, fmt.Errorf("initrd of %s: %w", s.Name, err)
	}
	cfg := qemu.Config{
		Name: s.Name, Accel: accel, Memory: memory, Kernel: s.Kernel, Initrd: initrd,
		Append:    strings.Join(strings.Fields(strings.Join([]string{kernelArguments, order, s.Append, b.Append}, " ")), " "),
		SerialLog: filepath.Join(b.Dir, s.Name+"-"+string(accel)+".log"),
		// Nothing that a machine writes is kept: each starts from the same disk.
		Extra: []string{"-snapshot"},
	}
	if s.Root == "" {
		return cfg, nil
	}
	if accel != qemu.Counted {
		return withDisk(cfg, s), nil
	}
	// A guest that waits for a virtio disk lets the virtual clock run away: where
	// time is counted the disk is memory (private to this run: share=off).
	info, err := os.Stat(s.Root)
	if err != nil {
		return cfg, err
	}
	cfg.Append += " root=/dev/pmem0 rw"
	cfg.Extra = append(cfg.Extra,
		"-machine", "nvdimm=on", "-m", fmt.Sprintf("%d,slots=2,maxmem=4G", memory),
		"-object", fmt.Sprintf("memory-backend-file,id=root,mem-path=%s,share=off,size=%d", s.Root, info.Size()),
		"-device", "nvdimm,memdev=root,id=nvdimm0")
	return cfg, nil
}

// withDisk gives the machine the subject's root on a virtio disk.
func withDisk(cfg qemu.Config, s Subject) qemu.Config {
	cfg.Disks = append(cfg.Disks, qemu.Disk{Path: s.Root})
	cfg.Append += " root=/dev/vda rw"
	return cfg
}

// await is the order to the probe.
func (s Subject) await() string {
	var names []string
	if s.SSH {
		names = append(names, "ssh")
	}
	if s.Runtime != "" {
		names = append(names, s.Runtime)
	}
	return fmt.Sprintf("bench.await=%s bench.idle=%d", strings.Join(names, ","), idleSeconds)
}

// wall is when the host saw a mark.
type wall struct{ since, cpu time.Duration }

// run boots a machine, lets the probe do its work until the machine is off, and
// returns what its log says and when the host saw it.
func (b *Bench) run(ctx context.Context, s Subject, cfg qemu.Config) (Log, map[string]wall, error) {
	ctx, cancel := context.WithTimeout(ctx, wallLimit)
	defer cancel()
	b.Log("bench: %s, %d MiB, %s", s.Name, cfg.Memory, cfg.Accel)
	start := time.Now()
	vm, err := qemu.Start(ctx, b.Tools, cfg)
	if err != nil {
		return Log{}, nil, err
	}
	seen, err := watchMarks(ctx, vm, s, start)
	if err != nil {
		return Log{}, nil, errors.Join(err, vm.Kill())
	}
	if err := vm.WaitExit(ctx); err != nil {
		return Log{}, nil, errors.Join(err, vm.Kill())
	}
	seen["end"] = wall{since: time.Since(start)}
	log, err := ParseLog(strings.NewReader(vm.Text()))
	if err == nil {
		err = log.complete(s)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w; see %s", s.Name, err, cfg.SerialLog)
	}
	return log, seen, err
}

// watchMarks waits for the marks as they come.
func watchMarks(ctx context.Context, vm *qemu.VM, s Subject, start time.Time) (map[string]wall, error) {
	seen := map[string]wall{}
	names := []string{markInit}
	if s.SSH {
		names = append(names, "ssh")
	}
	if s.Runtime != "" {
		names = append(names, s.Runtime)
	}
	type moment struct {
		name string
		wall wall
		err  error
	}
	names = append(names, markPowerOff)
	moments := make(chan moment, len(names))
	for _, name := range names {
		re := regexp.MustCompile(`BENCH (mark ` + name + ` \d+ -?\d+|fact (trouble|gave-up) .)`)
		go func() {
			_, err := vm.WaitLine(ctx, re)
			w := wall{since: time.Since(start)}
			if err == nil {
				w.cpu, err = vm.CPUTime()
			}
			moments <- moment{name, w, err}
		}()
	}
	var failed error
	for range names {
		m := <-moments
		// A machine that is off already has no processor time to ask for.
		if m.err != nil && !errors.Is(m.err, os.ErrNotExist) && failed == nil {
			failed = fmt.Errorf("wait for %s: %w", m.name, m.err)
		}
		seen[m.name] = m.wall
	}
	return seen, failed
}

// complete says what a whole log would have beside what is there.
func (l Log) complete(s Subject) error {
	for _, name := range []string{"trouble", "gave-up"} {
		if v := l.Facts[name]; len(v) > 0 {
			return fmt.Errorf("the probe says %s: %s", name, strings.Join(v, "; "))
		}
	}
	names := []string{markInit, markIdle, markPowerOff}
	if s.SSH {
		names = append(names, "ssh")
	}
	if s.Runtime != "" {
		names = append(names, s.Runtime)
	}
	for _, name := range names {
		if _, ok := l.Marks[name]; !ok {
			return fmt.Errorf("no mark %s in the serial log", name)
		}
	}
	if l.PowerDown == 0 {
		return errors.New("the kernel did not power down")
	}
	return nil
}
