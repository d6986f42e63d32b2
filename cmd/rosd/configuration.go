package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/config"
	"github.com/testudo-os/testudo/pkg/confstore"
	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/reconfigure"
)

// configuration is the one in force, the files it is made of, and the way from
// one to the next.
type configuration struct {
	log   *slog.Logger
	store *confstore.Store
	load  func(ctx context.Context) (*config.Resolved, error)
	put   func(resolved *config.Resolved) []error // where services read it
	doers map[reconfigure.Kind]doer               // set before the API is served
	// uptime is the clock of trials, which no setting of the time turns.
	uptime func() time.Duration

	current  atomic.Pointer[config.Resolved]
	changing sync.Mutex  // one change at a time
	back     *time.Timer // goes back; guarded by changing
}

// doer carries out one action of a plan.
type doer func(ctx context.Context, a reconfigure.Action, fresh *config.Resolved) ([]api.Change, error)

// openConfiguration finishes what the last rosd began, goes back from what
// nobody confirmed, and reads what is in force.
func openConfiguration(ctx context.Context, load func(context.Context) (*config.Resolved, error), log *slog.Logger) (*configuration, error) {
	id, err := bootID()
	if err != nil {
		return nil, err
	}
	store, notes, err := confstore.Open(confstore.Options{Dir: layout.ConfigDir, BootID: id, Now: time.Now, Uptime: uptime})
	c := &configuration{log: log, store: store, load: load, put: putInPlace, uptime: uptime}
	resolved := configure(ctx, c)
	if err != nil {
		notes = append(notes, err.Error())
	}
	for _, note := range notes {
		resolved.Problems = append(resolved.Problems, note)
		log.Error("configuration", "problem", note)
	}
	c.current.Store(resolved)
	c.settle()
	return c, nil
}

// settle notes that the files as they are, which were just read, are in force:
// they are what to go back to. Neither what is on trial is, nor what has
// mistakes.
func (c *configuration) settle() {
	entry, err := c.store.Record("changed by hand")
	_, trial := c.store.Trial()
	_, mistakes := merged(entry)
	if err == nil && mistakes == nil && errors.Is(trial, confstore.ErrNone) {
		err = c.store.SetApplied(entry.ID)
	}
	c.note(err)
}

// uptime is CLOCK_BOOTTIME.
func uptime() time.Duration { return time.Duration(bootTimeMicros()) * time.Microsecond }

func (c *configuration) note(err error) {
	if err != nil {
		c.log.Error("configuration", "problem", err)
	}
}

// watchTrial waits for the end of a trial that an earlier rosd began.
func (c *configuration) watchTrial(ctx context.Context) {
	c.changing.Lock()
	defer c.changing.Unlock()
	if trial, err := c.store.Trial(); err == nil {
		c.arm(ctx, trial)
	}
}

// arm has a trial go back when its time is over.
func (c *configuration) arm(ctx context.Context, trial confstore.Trial) {
	c.back = time.AfterFunc(max(trial.Deadline-c.uptime(), 0), func() {
		c.changing.Lock()
		defer c.changing.Unlock()
		if now, err := c.store.Trial(); err != nil || now != trial || ctx.Err() != nil {
			return // it was confirmed, or taken back, in this very moment
		}
		c.log.Error("configuration", "problem", fmt.Sprintf("entry %d was not confirmed in time: back to entry %d", trial.Entry, trial.BackTo))
		applied, err := c.goBack(ctx)
		c.note(err)
		for _, a := range applied.Actions {
			if a.Error != "" {
				c.note(errors.New(a.What + ": " + a.Error))
			}
		}
	})
}

func (c *configuration) disarm() {
	if c.back != nil {
		c.back.Stop()
		c.back = nil
	}
}

// goBack takes back what is on trial; changing is held.
func (c *configuration) goBack(ctx context.Context) (api.ConfigApplied, error) {
	c.disarm()
	entry, err := c.store.GoBack()
	if err != nil {
		return api.ConfigApplied{}, err
	}
	return c.apply(ctx, entry)
}

// untried refuses what would get in the way of a trial.
func (c *configuration) untried() error {
	switch trial, err := c.store.Trial(); {
	case err == nil:
		return fmt.Errorf("%w: entry %d is on trial: `ros config confirm` keeps it, `ros config rollback` takes it back", api.ErrConflict, trial.Entry)
	case !errors.Is(err, confstore.ErrNone):
		return err
	}
	return nil
}

// check refuses files with mistakes, all of them at once.
func (c *configuration) check() error {
	files, err := c.store.Files()
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range sortedNames(files) {
		if _, err := config.Parse(filePath(name), []byte(files[name])); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("%w:\n%w", api.ErrInvalid, errors.Join(errs...))
	}
	return nil
}

// next reads what the sources say now and plans the way there.
func (c *configuration) next(ctx context.Context) (*config.Resolved, []reconfigure.Action, error) {
	ctx, cancel := context.WithTimeout(ctx, configTimeout)
	defer cancel()
	fresh, err := c.load(ctx)
	if err != nil {
		return nil, nil, err
	}
	return fresh, reconfigure.Plan(&c.current.Load().Config, &fresh.Config), nil
}

// apply puts in force what the sources say now, which is entry of the files'
// history; changing is held.
func (c *configuration) apply(ctx context.Context, entry confstore.Entry) (api.ConfigApplied, error) {
	fresh, plan, err := c.next(ctx)
	if err != nil {
		return api.ConfigApplied{}, err
	}
	applied := appliedRows(plan)
	applied.Entry = entry.ID
	c.current.Store(fresh)
	for _, err := range c.put(fresh) {
		fresh.Problems = append(fresh.Problems, err.Error())
	}
	for i, a := range plan {
		do := c.doers[a.Kind]
		if do == nil {
			continue
		}
		changes, err := do(ctx, a, fresh)
		applied.Actions[i].Services = changes
		if err != nil {
			applied.Actions[i].Error = err.Error()
		}
	}
	c.log.Info("configuration applied", "entry", entry.ID, "actions", len(plan))
	return applied, c.store.SetApplied(entry.ID)
}

func appliedRows(plan []reconfigure.Action) api.ConfigApplied {
	applied := api.ConfigApplied{Actions: []api.ConfigAction{}, Reboot: reconfigure.NeedsReboot(plan)}
	for _, a := range plan {
		applied.Actions = append(applied.Actions, api.ConfigAction{What: a.What, When: string(a.When), Keys: a.Keys})
	}
	return applied
}

// status is for `ros status`.
func (c *configuration) status() api.ConfigStatus {
	r := c.current.Load()
	s := api.ConfigStatus{Datasource: r.Datasource, Instance: r.InstanceID, Refused: append([]string{}, r.Refused...), Notes: []string{}}
	for _, n := range r.Config.Notes {
		s.Notes = append(s.Notes, n.String())
	}
	if trial, err := c.store.Trial(); err == nil {
		until := time.Now().Add(trial.Deadline - c.uptime()).Round(time.Second).UTC()
		s.TryUntil = &until
	}
	return s
}

// doHostname gives the machine its name; without one it keeps what it has.
func doHostname(_ context.Context, _ reconfigure.Action, fresh *config.Resolved) ([]api.Change, error) {
	name := fresh.Config.MachineName()
	if name == "" {
		return nil, nil
	}
	return nil, unix.Sethostname([]byte(name))
}
