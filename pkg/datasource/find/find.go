// Package find decides which datasource's data a machine uses, and when.
//
// At boot, before there is a network, it asks what is on disks and in firmware;
// where that gives nothing it takes the copy kept of an earlier boot. Later,
// when services run, it asks what needs the network, for as long as it takes,
// and tells when that changes anything. Nothing waits for it.
package find

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/testudo-os/testudo/pkg/datasource"
	"github.com/testudo-os/testudo/pkg/datasource/userdata"
	"github.com/testudo-os/testudo/pkg/datasource/web"
)

// Bounds. docs/datasources.md states them.
const (
	LocalBound  = 10 * time.Second // of disks and firmware: the boot waits for these
	RemoteBound = 2 * time.Minute  // of one round of asking over the network
	firstPause  = 15 * time.Second // between rounds; each is twice the one before
	lastPause   = 10 * time.Minute
)

// Options say where and how to look.
type Options struct {
	Sources []datasource.Source
	Env     *datasource.Env
	Cache   datasource.Cache
	// Check says whether the configuration in data can be used; its error is
	// shown to people. Data that cannot be used are not kept.
	Check func(*datasource.Data) error
	// Render fills in a template with what data say of the instance.
	Render func(ctx context.Context, d *datasource.Data, origin, text string) (string, error)
	// LinkLocal gives an address for sources that need no more, and what takes
	// it away.
	LinkLocal func() (undo func(), err error)
	// Now and bounds, in tests.
	Local, Remote time.Duration
}

// Found is what is known so far.
type Found struct {
	Data     *datasource.Data // nil: none
	Kept     bool             // it is the copy of an earlier boot
	Pending  string           // for people: what is still being asked, ""
	Refused  error            // why data that are there cannot be used
	Instead  string           // for people: what counts instead of what is refused
	Problems []error          // what else is wrong
	Report   Report
}

// Report is `ros config sources`.
type Report struct {
	Machine  string    `json:"machine"`           // what SMBIOS calls it
	Request  string    `json:"request,omitempty"` // who names datasources: an argument
	Used     string    `json:"used,omitempty"`    // the source whose data count
	Instance string    `json:"instance,omitempty"`
	Kept     bool      `json:"kept"` // they are the copy of an earlier boot
	Pending  string    `json:"pending,omitempty"`
	Since    time.Time `json:"since"` // of this state
	Sources  []Row     `json:"sources"`
}

// Row is one source of a Report.
type Row struct {
	Name   string  `json:"name"`
	State  string  `json:"state"`  // used, asked, asking, passed
	Reason string  `json:"reason"` // why it is asked, or is not
	Result string  `json:"result,omitempty"`
	Took   float64 `json:"took_seconds,omitempty"`
}

// Finder finds. Its zero value does not work: use New.
type Finder struct {
	options Options
	plan    datasource.Plan

	mu    sync.Mutex
	found Found
	rows  map[string]Row
	// waits are local data whose includes need a network.
	waits *datasource.Data
}

// New makes a Finder of the facts that Options.Env holds.
func New(o Options) *Finder {
	if o.Local == 0 {
		o.Local = LocalBound
	}
	if o.Remote == 0 {
		o.Remote = RemoteBound
	}
	return &Finder{options: o, plan: datasource.Choose(o.Env.Facts, o.Sources), rows: map[string]Row{}}
}

// Current is what is known now.
func (f *Finder) Current() Found {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := f.found
	found.Problems = slices.Clone(found.Problems)
	found.Report.Sources = slices.Clone(found.Report.Sources)
	return found
}

// AtBoot asks what needs no network, no longer than the bound, and settles what
// the boot goes on with.
func (f *Finder) AtBoot(ctx context.Context) Found {
	ctx, cancel := context.WithTimeoutCause(ctx, f.options.Local, fmt.Errorf("no answer within %v", f.options.Local))
	defer cancel()
	var found Found
	for _, p := range f.plan.Problems {
		found.Problems = append(found.Problems, errors.New(p))
	}
	data, attempts, problems := datasource.Gather(ctx, f.options.Env, f.plan.Local())
	found.Problems = append(found.Problems, problems...)
	if data == nil && len(f.plan.Local()) == 0 && !f.plan.Request.Off {
		for _, p := range f.options.Env.Facts.Problems { // one of these may be the seed
			found.Problems = append(found.Problems, errors.New("look for a datasource: "+p))
		}
	}
	f.mu.Lock()
	f.note(attempts)
	f.mu.Unlock()
	switch {
	case f.plan.Request.Off:
	case data != nil:
		f.local(ctx, data, &found)
	default:
		f.kept(&found)
		if remote := f.plan.Remote(); len(remote) > 0 {
			found.Pending = "asking " + list(remote) + " over the network"
		}
	}
	f.settle(found)
	return f.Current()
}

// local takes data of this boot.
func (f *Finder) local(ctx context.Context, data *datasource.Data, found *Found) {
	err := f.expand(ctx, data, nil)
	if errors.Is(err, userdata.ErrNeedsNetwork) {
		// The same text as last time comes to the same, until there is a network.
		if kept, keptErr := f.options.Cache.Load(); keptErr == nil && kept.Parts != nil && kept.For(data.Machine) &&
			string(kept.UserData) == string(data.UserData) && string(kept.VendorData) == string(data.VendorData) {
			data.Parts, err = kept.Parts, f.options.Check(kept)
		} else {
			f.waits = data
			found.Data = withoutParts(data)
			found.Pending = "includes of " + data.Source + " are fetched when there is a network"
			return
		}
	}
	f.judge(data, err, found)
}

// judge uses data that are good, and otherwise the copy that was.
func (f *Finder) judge(data *datasource.Data, err error, found *Found) {
	found.Refused, found.Instead = err, ""
	if err == nil && !data.Partial {
		found.Data, found.Kept = data, false
		if err := f.options.Cache.Save(data); err != nil {
			found.Problems = append(found.Problems, err)
		}
		return
	}
	if kept := f.usable(found); kept != nil {
		found.Data, found.Kept = kept, true
		if err != nil {
			found.Instead = data.Source + " is refused, its last good content is used"
		}
		return
	}
	if err != nil {
		// What of meta-data is good still helps people to get in.
		found.Instead = data.Source + " user-data is refused, and no last good content is there"
		data = withoutParts(data)
	}
	found.Data, found.Kept = data, false
}

// kept takes the copy of an earlier boot where it can be this machine's.
func (f *Finder) kept(found *Found) {
	if kept := f.usable(found); kept != nil {
		found.Data, found.Kept = kept, true
	}
}

func (f *Finder) usable(found *Found) *datasource.Data {
	kept, err := f.options.Cache.Load()
	if errors.Is(err, datasource.ErrNone) {
		return nil
	}
	if err != nil {
		found.Problems = append(found.Problems, err)
		return nil
	}
	if !kept.For(f.options.Env.Facts.DMI.Fingerprint()) && len(f.plan.Candidates) > 0 {
		found.Problems = append(found.Problems, fmt.Errorf("the kept copy of %s is of another machine and is not used", kept.Source))
		return nil
	}
	if kept.Parts == nil { // of a release that kept no parts
		if err := f.expand(context.Background(), kept, nil); err != nil {
			return nil
		}
	}
	if f.options.Check(kept) != nil {
		return nil
	}
	return kept
}

// Later asks what needs the network, until it answers or ctx ends. changed is
// called when there is something to tell, mostly that the configuration is to be
// read again.
// It returns at once when there is nothing to ask.
func (f *Finder) Later(ctx context.Context, changed func(Found)) error {
	if f.Current().Pending == "" {
		return nil
	}
	undo := f.linkLocal()
	defer undo()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		found, done := f.round(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !done {
			found.Pending += fmt.Sprintf(", next try in %v", pause)
		}
		before := f.Current()
		f.settle(found)
		if !found.Data.Same(before.Data) || found.Kept != before.Kept || (found.Refused == nil) != (before.Refused == nil) ||
			len(found.Problems) != len(before.Problems) {
			changed(f.Current())
		}
		if done {
			return f.ready(ctx, found)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}

// round asks once. done: there is nothing more to ask.
func (f *Finder) round(ctx context.Context) (found Found, done bool) {
	ctx, cancel := context.WithTimeoutCause(ctx, f.options.Remote, fmt.Errorf("given up after %v", f.options.Remote))
	defer cancel()
	found = f.Current()
	pending := found.Pending
	found.Problems, found.Pending, found.Refused, found.Instead = nil, "", nil, ""
	for _, p := range f.plan.Problems {
		found.Problems = append(found.Problems, errors.New(p))
	}
	data := f.waits
	if data == nil {
		var attempts []datasource.Attempt
		var problems []error
		data, attempts, problems = datasource.Gather(ctx, f.options.Env, f.plan.Remote())
		found.Problems = append(found.Problems, problems...)
		f.mu.Lock()
		f.note(attempts)
		f.mu.Unlock()
		if data == nil {
			if len(problems) == 0 {
				return found, true // they are there and have nothing for us
			}
			found.Pending = "asking " + list(f.plan.Remote()) + " again"
			return found, false
		}
	} else {
		copied := *data
		data = &copied
	}
	// What was fetched before stays good as long as nothing else is there.
	err := f.expand(ctx, data, f.fetch)
	var status *web.StatusError
	if err != nil && ctx.Err() != nil || errors.As(err, &status) {
		found.Problems = append(found.Problems, err)
		found.Pending = pending
		return found, false
	}
	f.judge(data, err, &found)
	return found, true
}

// expand takes user and vendor data apart and checks what comes out. Vendor
// data that are bad are left out: they are not the user's to mend.
func (f *Finder) expand(ctx context.Context, data *datasource.Data, fetch func(context.Context, string) ([]byte, error)) error {
	o := userdata.Options{Fetch: fetch}
	if f.options.Render != nil {
		o.Render = func(origin, text string) (string, error) { return f.options.Render(ctx, data, origin, text) }
	}
	var parts datasource.Parts
	var err error
	if parts.User, err = userdata.Parse(ctx, data.Source+" user-data", data.UserData, o); err != nil {
		return err
	}
	if parts.Vendor, err = userdata.Parse(ctx, data.Source+" vendor-data", data.VendorData, o); err != nil {
		if errors.Is(err, userdata.ErrNeedsNetwork) {
			return err
		}
		parts.NoVendor = fmt.Sprintf("%v; vendor-data are left out", err)
	}
	data.Parts = &parts
	return f.options.Check(data)
}

// fetch gets what user data include.
func (f *Finder) fetch(ctx context.Context, url string) ([]byte, error) {
	r, err := f.options.Env.Web.Do(ctx, web.Request{URL: url, Follow: true})
	return r.Body, err
}

func (f *Finder) linkLocal() (undo func()) {
	undo = func() {}
	needed := slices.ContainsFunc(f.plan.Remote(), func(c datasource.Candidate) bool { return c.Needs == datasource.LinkLocal })
	if !needed || f.options.LinkLocal == nil {
		return undo
	}
	if u, err := f.options.LinkLocal(); err == nil {
		return u
	}
	return undo // DHCP may do as well
}

// ready tells the surroundings of a source that wants to know.
func (f *Finder) ready(ctx context.Context, found Found) error {
	if found.Data == nil || found.Kept || found.Refused != nil {
		return nil
	}
	for _, c := range f.plan.Remote() {
		r, ok := c.Source.(datasource.Reporter)
		if !ok || c.Source.Name() != found.Data.Cloud {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, f.options.Remote)
		defer cancel()
		if err := r.Ready(ctx, f.options.Env); err != nil {
			found.Problems = append(found.Problems, err)
			f.settle(found)
			return err
		}
	}
	return nil
}

// note keeps how asking went. f.mu is held.
func (f *Finder) note(attempts []datasource.Attempt) {
	for _, a := range attempts {
		row := Row{Name: a.Name, State: "asked", Reason: a.Reason, Result: a.Result, Took: a.Took.Seconds()}
		if a.Result == datasource.ResultUsed {
			row.State = "used"
		}
		f.rows[a.Name] = row
	}
}

// settle makes found what is known.
func (f *Finder) settle(found Found) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := Report{Machine: f.options.Env.Facts.DMI.Product(), Request: f.plan.Request.From, Kept: found.Kept, Pending: found.Pending, Since: time.Now()}
	if found.Data != nil {
		r.Used, r.Instance = found.Data.Source, found.Data.Meta.InstanceID
	}
	for _, c := range f.plan.Candidates {
		row, asked := f.rows[c.Source.Name()]
		if !asked {
			row = Row{Name: c.Source.Name(), State: "asking", Reason: c.Reason}
			if found.Pending == "" {
				row.State, row.Result = "asked", datasource.ResultUnneeded
			}
		}
		r.Sources = append(r.Sources, row)
	}
	for _, p := range f.plan.Passed {
		r.Sources = append(r.Sources, Row{Name: p.Name, State: "passed", Reason: p.Reason})
	}
	found.Report = r
	f.found = found
}

func withoutParts(d *datasource.Data) *datasource.Data {
	copied := *d
	copied.Parts = nil
	return &copied
}

func list(candidates []datasource.Candidate) string {
	s := ""
	for i, c := range candidates {
		if i > 0 {
			s += ", "
		}
		s += c.Source.Name()
	}
	return s
}
