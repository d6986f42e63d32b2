package guard

import (
	"errors"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	failure := errors.New("disk on fire")
	tests := []struct {
		name string
		f    func() error
		want string
	}{
		{"a step that works gives no error", func() error { return nil }, ""},
		{"an error passes through as it is", func() error { return failure }, "disk on fire"},
		{"a panic becomes an error that names the step", func() error { panic("boom") }, "step: panic: boom"},
		{"a runtime error is caught like any panic", func() error { var list []int; return errors.New(string(rune(list[len(list)]))) }, "step: panic: runtime error: index out of range [0] with length 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := Run("step", tt.f); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Fatalf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestGoReportsThePanicWithItsStack(t *testing.T) {
	reported := make(chan error, 1)
	Go("watcher", func(err error) { reported <- err }, func() { panic("gone") })
	var caught *PanicError
	if err := <-reported; !errors.As(err, &caught) {
		t.Fatalf("got %v, want a *PanicError", err)
	}
	if caught.Name != "watcher" || !strings.Contains(caught.Stack, "guard_test.go") {
		t.Fatalf("name %q, stack:\n%s", caught.Name, caught.Stack)
	}
}
