package datasource

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// fake is a source that answers after some time, or never.
type fake struct {
	name  string
	after time.Duration
	never bool
	data  string
	err   error
	panic bool
	match Match
}

func (f fake) Name() string        { return f.name }
func (f fake) Detect(*Facts) Match { return f.match }
func (f fake) answers() (*Data, error) {
	if f.panic {
		panic("index out of range")
	}
	if f.data == "" {
		return nil, f.err
	}
	return &Data{Source: f.name, UserData: []byte(f.data)}, f.err
}

func (f fake) Fetch(ctx context.Context, _ *Env) (*Data, error) {
	if f.never {
		select {} // a disk that hangs does not look at contexts
	}
	select {
	case <-time.After(f.after):
		return f.answers()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func TestGather(t *testing.T) {
	broken := errors.New("I/O error")
	for _, test := range []struct {
		name     string
		sources  []fake
		want     string
		took     time.Duration
		problems []string
		results  []string
	}{
		{"the first in the list wins, though it is the slowest",
			[]fake{{name: "a", after: 3 * time.Second, data: "a"}, {name: "b", data: "b"}},
			"a", 3 * time.Second, nil, []string{ResultUsed, ResultUnneeded}},
		{"nobody waits for those behind the first",
			[]fake{{name: "a", data: "a"}, {name: "b", after: time.Hour, data: "b"}},
			"a", 0, nil, []string{ResultUsed, ResultUnneeded}},
		{"one that is not there gives way",
			[]fake{{name: "a", err: ErrNone}, {name: "b", after: time.Second, data: "b"}},
			"b", time.Second, nil, []string{ResultNone, ResultUsed}},
		{"one that fails gives way and is told",
			[]fake{{name: "a", err: broken}, {name: "b", data: "b"}},
			"b", 0, []string{"datasource a: I/O error"}, []string{"I/O error", ResultUsed}},
		{"one that never answers gives way at the bound",
			[]fake{{name: "a", after: time.Hour}, {name: "b", data: "b"}},
			"b", 10 * time.Second, []string{"datasource a: bound"}, []string{"bound", ResultUsed}},
		{"data in part are used and the problem is told",
			[]fake{{name: "a", data: "a", err: broken}},
			"a", 0, []string{"datasource a: I/O error"}, []string{ResultUsed}},
		{"a source that panics is one that fails",
			[]fake{{name: "a", panic: true}, {name: "b", data: "b"}},
			"b", 0, []string{"datasource a: internal error: index out of range"}, []string{"internal error: index out of range", ResultUsed}},
		{"all answer nothing", []fake{{name: "a", err: ErrNone}, {name: "b"}}, "", 0, nil, []string{ResultNone, ResultNone}},
		{"nobody to ask", nil, "", 0, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Second, errors.New("bound"))
				defer cancel()
				var candidates []Candidate
				for _, s := range test.sources {
					candidates = append(candidates, Candidate{Source: s})
				}
				start := time.Now()
				data, attempts, problems := Gather(ctx, &Env{Facts: &Facts{}}, candidates)
				if took := time.Since(start); took != test.took {
					t.Errorf("took %v, want %v", took, test.took)
				}
				got := ""
				if data != nil {
					got = string(data.UserData)
				}
				if got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
				if len(problems) != len(test.problems) {
					t.Fatalf("problems: %v, want %q", problems, test.problems)
				}
				for i, p := range problems {
					if p.Error() != test.problems[i] {
						t.Errorf("problem %q, want %q", p, test.problems[i])
					}
				}
				for i, a := range attempts {
					if a.Result != test.results[i] {
						t.Errorf("result of %s: %q, want %q", a.Name, a.Result, test.results[i])
					}
				}
			})
		})
	}
}

func TestASourceThatHangsInTheKernelHoldsNobodyUp(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	data, _, problems := Gather(ctx, &Env{Facts: &Facts{}}, []Candidate{{Source: fake{name: "a", never: true}}, {Source: fake{name: "b", data: "b"}}})
	if data == nil || string(data.UserData) != "b" || len(problems) != 1 || !strings.Contains(problems[0].Error(), "datasource a: ") {
		t.Errorf("got %+v, %v", data, problems)
	}
}
