package datasource

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Attempt is how asking one candidate went.
type Attempt struct {
	Name   string        `json:"name"`
	Reason string        `json:"reason"` // why it was asked
	Result string        `json:"result"` // for people
	Took   time.Duration `json:"took_ns"`
}

// Results of an Attempt; a failure has its error's text.
const (
	ResultUsed     = "used"
	ResultNone     = "nothing there"
	ResultUnneeded = "not needed: one before it had data"
)

// Gather asks all candidates at once and gives the data of the first in the
// list that has any: it waits for one as long as those before it have not
// answered, and no longer than ctx. Problems are what went wrong with
// candidates before it, or with part of its data. No data and no problems: no
// source is there.
func Gather(ctx context.Context, env *Env, candidates []Candidate) (data *Data, attempts []Attempt, problems []error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		data *Data
		err  error
		took time.Duration
	}
	answers := make([]chan answer, len(candidates))
	for i, c := range candidates {
		answers[i] = make(chan answer, 1) // nobody may be there to take it
		go func() {
			start := time.Now()
			data, err := fetch(ctx, env, c.Source)
			answers[i] <- answer{data, err, time.Since(start)}
		}()
	}
	start := time.Now()
	for i, c := range candidates {
		a := Attempt{Name: c.Source.Name(), Reason: c.Reason}
		if data != nil {
			a.Result = ResultUnneeded
			attempts = append(attempts, a)
			continue
		}
		var got answer
		select {
		case got = <-answers[i]:
		default:
			select {
			case got = <-answers[i]:
			case <-ctx.Done():
				got = answer{err: context.Cause(ctx), took: time.Since(start)}
			}
		}
		a.Took = got.took
		switch {
		case got.data != nil:
			data, a.Result = got.data, ResultUsed
			data.Cloud, data.Machine = c.Source.Name(), env.Facts.DMI.Fingerprint()
		case errors.Is(got.err, ErrNone):
			a.Result = ResultNone
		default:
			a.Result = fmt.Sprint(got.err)
		}
		if got.err != nil && !errors.Is(got.err, ErrNone) {
			problems = append(problems, fmt.Errorf("datasource %s: %w", c.Source.Name(), got.err))
		}
		attempts = append(attempts, a)
	}
	return data, attempts, problems
}

// fetch asks one source. What comes from outside must not end this program,
// whatever mistake of ours it meets.
func fetch(ctx context.Context, env *Env, s Source) (data *Data, err error) {
	defer func() {
		if r := recover(); r != nil {
			data, err = nil, fmt.Errorf("internal error: %v", r)
		}
	}()
	data, err = s.Fetch(ctx, env)
	if data == nil && err == nil {
		err = ErrNone
	}
	return data, err
}
