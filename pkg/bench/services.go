package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/qemu"
)

// stateSize is ample for a few service files.
const stateSize = "256M"

// serviceCost boots pairs of machines with a state disk, one of each with n more
// services that sleep, and shares each difference out.
func (b *Bench) serviceCost(ctx context.Context, s Subject, n, runs int, r *Result) error {
	got := samples{}
	for range runs {
		without, err := b.withServices(ctx, s, 0, "")
		if err != nil {
			return err
		}
		with, err := b.withServices(ctx, s, n, "")
		if err != nil {
			return err
		}
		if err := got.addDifference(without, with, n); err != nil {
			return err
		}
	}
	r.settle(got)
	return nil
}

func (s samples) addDifference(without, with Log, n int) error {
	m0, err0 := without.memory()
	m1, err1 := with.memory()
	p0, err2 := without.number("processes")
	p1, err3 := with.number("processes")
	if err := errors.Join(err0, err1, err2, err3); err != nil {
		return err
	}
	if p1 < p0+float64(n) {
		return fmt.Errorf("%d services were added, but only %.0f processes", n, p1-p0)
	}
	busy := with.Marks[markIdle].Busy - without.Marks[markIdle].Busy
	s.add(ServiceBusy, millions(busy)/float64(n))
	s.add(ServiceMemory, (m1-m0)/float64(n))
	return nil
}

// starts compares how soon a service runs with how soon `ctr run` would have it.
func (b *Bench) starts(ctx context.Context, s Subject, r *Result) error {
	s.starter = true
	log, err := b.withServices(ctx, s, 1, "bench.starter="+sleeperName(0))
	if err != nil {
		return err
	}
	byRosd, errRosd := log.number("start-rosd")
	byCtr, errCtr := log.number("start-ctr")
	if err := errors.Join(errRosd, errCtr); err != nil {
		return err
	}
	r.Figures[ServiceStart], r.Figures[CtrStart] = byRosd/1e6, byCtr/1e6
	r.Figures[ServiceStartRatio] = byRosd / byCtr
	return nil
}

// How many services a machine runs in all when rosd's memory is read.
const (
	fewServices  = 10
	manyServices = 200
)

// manager reads rosd's memory with few services and with many.
func (b *Bench) manager(ctx context.Context, s Subject, r *Result) error {
	idle, ok := r.Figures[Processes]
	if !ok {
		return errors.New("how many processes run without these services is not known")
	}
	for figure, services := range map[Figure]int{ManagerFew: fewServices, ManagerMany: manyServices} {
		memory, err := b.managerMemory(ctx, s, services-s.Builtin, int(idle))
		if err != nil {
			return fmt.Errorf("%d services: %w", services, err)
		}
		r.Figures[figure] = memory
	}
	return nil
}

// managerMemory reads how much of rosd is in memory in a machine that runs n
// services more than it ships, and idle processes without them: each is a
// process that sleeps, and its shim.
func (b *Bench) managerMemory(ctx context.Context, s Subject, n, idle int) (float64, error) {
	s.Name = fmt.Sprintf("%s-manager-%d", s.Name, n)
	disk := filepath.Join(b.Dir, s.Name+".disk")
	if err := b.stateDisk(ctx, disk, serviceFile(n)); err != nil {
		return 0, fmt.Errorf("make a state disk: %w", err)
	}
	// A sleeping service takes 13 MiB with its shim.
	order := fmt.Sprintf("%s bench.processes=%d bench.limit=800", s.await(), idle+2*n)
	cfg, err := b.machine(s, b.Accel, usualMemory+16*n, order)
	if err != nil {
		return 0, err
	}
	cfg.Disks = append(cfg.Disks, qemu.Disk{Path: disk})
	log, _, err := b.run(ctx, s, cfg)
	if err != nil {
		return 0, err
	}
	return log.resident("rosd")
}

// withServices is a counted run with a state disk that declares n services.
// Waiting for the disk lets the clock run, so only busy time counts here; and
// both runs are read at the same uptime, for an idle system works a little too.
func (b *Bench) withServices(ctx context.Context, s Subject, n int, order string) (Log, error) {
	s.Name = fmt.Sprintf("%s-services-%d", s.Name, n)
	disk := filepath.Join(b.Dir, s.Name+".disk")
	if err := b.stateDisk(ctx, disk, serviceFile(n)); err != nil {
		return Log{}, fmt.Errorf("make a state disk: %w", err)
	}
	cfg, err := b.machine(s, qemu.Counted, usualMemory, s.await()+" bench.until=90 "+order)
	if err != nil {
		return Log{}, err
	}
	cfg.Disks = append(cfg.Disks, qemu.Disk{Path: disk})
	log, _, err := b.run(ctx, s, cfg)
	return log, err
}

func (b *Bench) stateDisk(ctx context.Context, path, services string) (err error) {
	dir, err := os.MkdirTemp(b.Dir, "state-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	below := strings.TrimPrefix(strings.Replace(layout.UserServices, layout.VarTestudo, layout.StateTestudo, 1), layout.State)
	folder := filepath.Join(dir, below)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if services != "" {
		if err := os.WriteFile(filepath.Join(folder, "bench.yaml"), []byte(services), 0o644); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	out, err := b.Tools.Command(ctx, "mke2fs", "-q", "-F", "-t", "ext4", "-L", layout.StateLabel, "-d", dir, path, stateSize).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mke2fs: %w\n%s", err, out)
	}
	return nil
}

// serviceFile declares n services that do nothing.
func serviceFile(n int) string {
	if n == 0 {
		return ""
	}
	var f strings.Builder
	f.WriteString("services:\n")
	for i := range n {
		fmt.Fprintf(&f, "  %s:\n    image: testudo/acpid\n    entrypoint: [/usr/bin/busybox, sleep, infinity]\n    cap_drop: [ALL]\n    read_only: true\n", sleeperName(i))
	}
	return f.String()
}

func sleeperName(i int) string { return fmt.Sprintf("bench-%d", i+1) }
