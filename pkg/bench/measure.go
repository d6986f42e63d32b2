package bench

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/testudo-os/testudo/pkg/qemu"
)

// Options choose what is measured.
type Options struct {
	Runs     int  // of each counted measurement; less than 1 is 1
	Least    bool // the smallest memory: four to five boots for each system
	Services int  // how many services to add for the cost of one; 0: no figures of services and their manager
	Manager  bool // rosd's memory with few and with many services: two long boots
}

// Measure takes a subject's figures. A figure that cannot be taken becomes a
// problem of the result; only the end of ctx is an error.
func (b *Bench) Measure(ctx context.Context, s Subject, o Options) (*Result, error) {
	r := newResult(s)
	o.Runs = max(o.Runs, 1)
	r.Runs = o.Runs
	for _, step := range []struct {
		name string
		run  func() error
	}{
		{"counted run", func() error { return b.counted(ctx, s, o.Runs, r) }},
		{"idle memory", func() error { return b.idle(ctx, s, o.Runs, r) }},
		{"plain run", func() error { return b.plain(ctx, s, r) }},
		{"sizes", func() error { return b.sizes(ctx, s, r) }},
		{"least memory", func() error {
			if !o.Least || !s.SSH {
				return nil
			}
			return b.least(ctx, s, r)
		}},
		{"one more service", func() error {
			if o.Services == 0 || !s.Services {
				return nil
			}
			return b.serviceCost(ctx, s, o.Services, o.Runs, r)
		}},
		{"start of a service", func() error {
			if o.Services == 0 || !s.Services {
				return nil
			}
			return b.starts(ctx, s, r)
		}},
		{"memory of rosd", func() error {
			if o.Services == 0 || !o.Manager || !s.Services {
				return nil
			}
			return b.manager(ctx, s, r)
		}},
		{"Go benchmarks", func() error {
			if o.Services == 0 || !s.Services {
				return nil
			}
			return goBenchmarks(ctx, r)
		}},
	} {
		if err := step.run(); err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			b.Log("bench: %s: %s: %v", s.Name, step.name, err)
			r.Problems = append(r.Problems, fmt.Sprintf("%s: %v", step.name, err))
		}
	}
	return r, nil
}

func (b *Bench) counted(ctx context.Context, s Subject, runs int, r *Result) error {
	cfg, err := b.machine(s, qemu.Counted, usualMemory, s.await())
	if err != nil {
		return err
	}
	got := samples{}
	for range runs {
		log, _, err := b.run(ctx, s, cfg)
		if err != nil {
			return err
		}
		got.add(InitAt, log.Marks[markInit].At.Seconds())
		got.add(PowerOff, (log.PowerDown - log.PowerOff).Seconds())
		if s.SSH {
			got.add(SSHAt, log.Marks["ssh"].At.Seconds())
			got.add(SSHBusy, millions(log.Marks["ssh"].Busy))
			if r.Work, err = log.shares(); err != nil {
				return err
			}
		}
		if s.Runtime != "" {
			got.add(RuntimeAt, log.Marks[s.Runtime].At.Seconds())
		}
		if s.Root != "" {
			continue // the kernel keeps records of an NVDIMM's pages in memory
		}
		if err := r.idle(log, got); err != nil {
			return err
		}
	}
	r.settle(got)
	return nil
}

// idle measures the memory of a system with a disk, on the same one counted
// processor as the others; what the clock says does not matter here.
func (b *Bench) idle(ctx context.Context, s Subject, runs int, r *Result) error {
	if s.Root == "" {
		return nil // known from the counted runs
	}
	bare := s
	bare.Name, bare.Root = s.Name+"-disk", ""
	cfg, err := b.machine(bare, qemu.Counted, usualMemory, s.await()+" bench.limit=3000")
	if err != nil {
		return err
	}
	cfg = withDisk(cfg, s)
	got := samples{}
	for range runs {
		log, _, err := b.run(ctx, s, cfg)
		if err != nil {
			return err
		}
		if err := r.idle(log, got); err != nil {
			return err
		}
	}
	r.settle(got)
	return nil
}

// idle takes from a log what an idle machine uses and offers.
func (r *Result) idle(log Log, got samples) error {
	memory, err := log.memory()
	if err != nil {
		return err
	}
	processes, err := log.number("processes")
	if err != nil {
		return err
	}
	got.add(MemoryIdle, memory)
	got.add(Processes, processes)
	r.Listeners = log.Facts["listen"]
	var tcp, udp float64
	for _, l := range r.Listeners {
		if strings.HasPrefix(l, "tcp") {
			tcp++
		} else {
			udp++
		}
	}
	got.add(ListenTCP, tcp)
	got.add(ListenUDP, udp)
	return nil
}

// millions turns counted time into instructions: one nanosecond each.
func millions(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

func (b *Bench) plain(ctx context.Context, s Subject, r *Result) error {
	cfg, err := b.machine(s, b.Accel, usualMemory, s.await())
	if err != nil {
		return err
	}
	_, seen, err := b.run(ctx, s, cfg)
	if err != nil {
		return err
	}
	if s.SSH {
		r.Figures[SSHWall], r.Figures[SSHCPU] = seen["ssh"].since.Seconds(), seen["ssh"].cpu.Seconds()
	}
	if s.Runtime != "" {
		r.Figures[RuntimeWall] = seen[s.Runtime].since.Seconds()
	}
	r.Figures[PowerOffWall] = (seen["end"].since - seen[markPowerOff].since).Seconds()
	return nil
}

const (
	leastStep = 32
	leastLow  = 64
	leastHigh = 512
	// bootLimit is after how long a machine with little memory counts as one
	// that does not boot; it would be swapping its programs in again and again.
	bootLimit = 4 * time.Minute
)

func (b *Bench) least(ctx context.Context, s Subject, r *Result) error {
	n, err := Least(leastLow, leastHigh, leastStep, func(mib int) (bool, error) {
		return b.boots(ctx, s, mib)
	})
	if err != nil {
		return err
	}
	r.Figures[MemoryLeast] = float64(n)
	return nil
}

// boots says whether ssh answers in a machine with so much memory.
func (b *Bench) boots(ctx context.Context, s Subject, mib int) (bool, error) {
	cfg, err := b.machine(s, b.Accel, mib, "bench.await=ssh")
	if err != nil {
		return false, err
	}
	limited, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	cfg.SerialLog = strings.TrimSuffix(cfg.SerialLog, ".log") + fmt.Sprintf("-%d.log", mib)
	vm, err := qemu.Start(limited, b.Tools, cfg)
	if err != nil {
		return false, err
	}
	_, err = vm.WaitLine(limited, regexp.MustCompile(`BENCH mark ssh `))
	b.Log("bench: %s with %d MiB: ssh answers: %t", s.Name, mib, err == nil)
	return err == nil, errors.Join(vm.Kill(), ctx.Err())
}
