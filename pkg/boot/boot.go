// Package boot runs the named steps of a boot in order, and undoes them in
// reverse when the machine goes down. Each step leaves a line in the kernel
// log and a record of its time and outcome; a step that fails, or panics, does
// not end the boot unless it is one without which nothing can run. The package
// does not know what the steps do. init imports it.
package boot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/testudo-os/testudo/pkg/guard"
)

// Step is one named part of the boot.
type Step struct {
	Name   string
	Needed bool // the boot cannot go on without it
	Do     func(ctx context.Context) error
	// Undo is called at shutdown if Do was called, also if Do failed: it may
	// have come half way.
	Undo func(ctx context.Context) error
}

// Record is what became of a step. Its JSON is that of api.BootStep, whose
// package is not imported because it brings net/http into PID 1.
type Record struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"`
	Start int64  `json:"start"` // microseconds of Runner.Now
	End   int64  `json:"end"`
	Error string `json:"error,omitempty"`
}

// Logger takes what there is to say about the steps.
type Logger interface {
	Infof(format string, args ...any)
	Warnf(format string, args ...any)
	Errorf(format string, args ...any)
}

// Runner runs steps.
type Runner struct {
	Log Logger
	// Now is a clock in microseconds that no one sets: CLOCK_BOOTTIME.
	Now func() int64
	// Before is called before each step, to stop there if someone asked for it.
	Before func(ctx context.Context, name string)

	mu      sync.Mutex
	records []Record
	done    []Step
}

// Run does the steps in order. It gives an error only when a needed step has
// failed; the steps after that one are not done.
func (r *Runner) Run(ctx context.Context, steps []Step) error {
	for _, step := range steps {
		if r.Before != nil {
			if err := guard.Run("before "+step.Name, func() error { r.Before(ctx, step.Name); return nil }); err != nil {
				r.report(err)
			}
		}
		r.mu.Lock()
		r.done = append(r.done, step)
		r.mu.Unlock()
		rec := Record{Name: step.Name, Kind: "init", Start: r.Now()}
		err := guard.Run(step.Name, func() error { return step.Do(ctx) })
		rec.End = r.Now()
		took := time.Duration(rec.End-rec.Start) * time.Microsecond
		if err != nil {
			rec.Error = err.Error()
			r.report(fmt.Errorf("step %s, after %v: %w", step.Name, took, err))
		} else {
			r.Log.Infof("step %s: done in %v", step.Name, took)
		}
		r.mu.Lock()
		r.records = append(r.records, rec)
		r.mu.Unlock()
		if err != nil && step.Needed {
			return fmt.Errorf("step %s: %w", step.Name, err)
		}
	}
	return nil
}

// Undo undoes the steps that were begun, the last one first, and goes on
// whatever happens.
func (r *Runner) Undo(ctx context.Context) {
	r.mu.Lock()
	done := r.done
	r.done = nil
	r.mu.Unlock()
	for i := len(done) - 1; i >= 0; i-- {
		step := done[i]
		if step.Undo == nil {
			continue
		}
		start := r.Now()
		err := guard.Run("undo "+step.Name, func() error { return step.Undo(ctx) })
		took := time.Duration(r.Now()-start) * time.Microsecond
		if err != nil {
			r.report(fmt.Errorf("undo %s, after %v: %w", step.Name, took, err))
			continue
		}
		r.Log.Infof("undo %s: done in %v", step.Name, took)
	}
}

// report logs an error, and the stack of a panic.
func (r *Runner) report(err error) {
	var panicked *guard.PanicError
	if errors.As(err, &panicked) {
		r.Log.Errorf("%v\n%s", err, panicked.Stack)
		return
	}
	r.Log.Warnf("%v", err)
}

// Records are the steps so far.
func (r *Runner) Records() []Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Record(nil), r.records...)
}

// Problems are the errors of the steps so far, for people.
func (r *Runner) Problems() []string {
	var out []string
	for _, rec := range r.Records() {
		if rec.Error != "" {
			out = append(out, rec.Name+": "+rec.Error)
		}
	}
	return out
}

// WriteJSON puts v into a file in one piece: a reader sees the old content or
// the new. It is for files in RAM and so syncs nothing.
func WriteJSON(file string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	if err := os.WriteFile(file+".new", append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}
