// Package guard keeps a panic from ending the process. PID 1 must not exit, so
// each of its goroutines is started through Go, and each boot step is called
// through Run. It never decides what to do about a panic beyond reporting it.
// Anyone may import it; it imports the standard library only.
//
// What it cannot catch: the runtime's own fatal errors (a concurrent map
// write, memory exhausted), which end a process whatever it does.
package guard

import (
	"fmt"
	"runtime/debug"
)

// PanicError is a panic that was caught.
type PanicError struct {
	Name  string // what was running
	Value any    // what it panicked with
	Stack string // where
}

func (e *PanicError) Error() string { return fmt.Sprintf("%s: panic: %v", e.Name, e.Value) }

// Run calls f and turns a panic into a *PanicError.
func Run(name string, f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Name: name, Value: v, Stack: string(debug.Stack())}
		}
	}()
	return f()
}

// Go runs f in a goroutine of its own and hands a panic to report. f is not
// started again.
func Go(name string, report func(error), f func()) {
	go func() {
		err := Run(name, func() error { f(); return nil })
		if err != nil && report != nil {
			report(err)
		}
	}()
}
