package upgrade

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/fault"
	"github.com/testudo-os/testudo/pkg/service"
)

// DefaultWindow is how long a new version is watched when nobody says.
const DefaultWindow = 30 * time.Second

// Options of an Upgrader. All are required.
type Options struct {
	Dir    string // of the records, on the state disk
	BootID string
	// Fetch brings an image here and returns its name with its digest.
	// want, if not empty, is the digest it must have.
	Fetch func(ctx context.Context, ref, want string, progress func(api.Progress)) (pinned string, err error)
	// Drop forgets images that nobody needs any more.
	Drop func(refs ...string) error
	// Files reads the service files, without pins.
	Files func() *service.Set
	// Apply has the manager take in what is declared, and waits until the
	// service has settled.
	Apply func(ctx context.Context, set *service.Set, name string) ([]api.Change, error)
	Now   func() time.Time
}

// Upgrader moves services from image to image. It is safe for concurrent use.
type Upgrader struct {
	opt  Options
	pins pins

	mu   sync.Mutex // guards the records
	busy map[string]bool
}

// New makes an Upgrader.
func New(opt Options) *Upgrader {
	return &Upgrader{opt: opt, pins: pins(opt.Dir), busy: map[string]bool{}}
}

// Recover settles attempts that an earlier boot left.
func (u *Upgrader) Recover() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	all, err := u.pins.all()
	errs := []error{err}
	for name, p := range all {
		if p.Trial != nil && p.Trial.Boot != u.opt.BootID {
			errs = append(errs, u.pins.save(name, p.settled("the machine restarted while it was on trial", u.opt.Now())))
		}
	}
	return errors.Join(errs...)
}

// Declared is what the service files and the pins say together.
func (u *Upgrader) Declared() *service.Set {
	set := u.opt.Files()
	u.mu.Lock()
	all, err := u.pins.all()
	u.mu.Unlock()
	if err != nil {
		set.Problems = append(set.Problems, err)
	}
	for i, s := range set.Services {
		if p, ok := all[s.Name]; ok {
			set.Services[i] = p.over(s)
		}
	}
	return set
}

// Failed is the last attempt to move a service to another image, if it failed.
func (u *Upgrader) Failed(name string) *Failure {
	u.mu.Lock()
	defer u.mu.Unlock()
	p, err := u.pins.load(name)
	if err != nil {
		return nil
	}
	return p.Failed
}

// Last is the last attempt at any service, or nil.
func (u *Upgrader) Last() *api.LastUpgrade {
	u.mu.Lock()
	defer u.mu.Unlock()
	all, _ := u.pins.all() // what cannot be read is among the problems already
	var last *api.LastUpgrade
	consider := func(l api.LastUpgrade) {
		if !l.Time.IsZero() && (last == nil || l.Time.After(last.Time) || l.Time.Equal(last.Time) && l.Service < last.Service) {
			last = &l
		}
	}
	for name, p := range all {
		consider(api.LastUpgrade{Service: name, Image: p.Current, Previous: p.Previous, Time: p.Changed})
		if f := p.Failed; f != nil {
			consider(api.LastUpgrade{Service: name, Image: f.Image, Previous: p.Proven(), Time: f.At, Error: f.Reason})
		}
	}
	return last
}

// Upgrade moves a service to a new version: of the image its file names, or of
// another. It returns when the new version has proved itself, or the old one
// runs again; the error says which.
func (u *Upgrader) Upgrade(ctx context.Context, name string, o api.Upgrade, progress func(api.Progress)) (api.Upgraded, error) {
	return u.move(ctx, name, o.Window, progress, func(p Pin) (string, error) {
		ref := o.Image
		if ref == "" {
			ref, _, _ = strings.Cut(p.Declared, "@")
		}
		return u.opt.Fetch(ctx, ref, o.Digest, progress)
	})
}

// Rollback moves a service back to the version before.
func (u *Upgrader) Rollback(ctx context.Context, name string) (api.Upgraded, error) {
	return u.move(ctx, name, 0, func(api.Progress) {}, func(p Pin) (string, error) {
		if p.Previous == "" {
			return "", fmt.Errorf("%w: no earlier version of %s is known", api.ErrConflict, name)
		}
		return p.Previous, nil
	})
}

// move runs the image that choose gives on trial, and settles.
func (u *Upgrader) move(ctx context.Context, name string, window time.Duration, tell func(api.Progress), choose func(Pin) (string, error)) (api.Upgraded, error) {
	if err := u.take(name); err != nil {
		return api.Upgraded{}, err
	}
	defer u.release(name)
	pin, err := u.pinned(name)
	if err != nil {
		return api.Upgraded{}, err
	}
	image, err := choose(pin)
	if err != nil {
		return api.Upgraded{}, err
	}
	result := api.Upgraded{Service: name, Image: image, Previous: pin.Proven()}
	if image == pin.Proven() {
		result.Unchanged = true
		return result, nil
	}
	if window <= 0 {
		window = DefaultWindow
	}
	fault.Point("before-trial")
	pin = pin.begin(Trial{Image: image, Window: window, Boot: u.opt.BootID, Since: u.opt.Now()})
	if err := u.save(name, pin); err != nil {
		return result, err
	}
	fault.Point("trial-recorded")
	tell(api.Progress{Step: fmt.Sprintf("on trial for %v", window)})
	// From here on it is finished whether or not somebody waits for it.
	changes, err := u.opt.Apply(context.WithoutCancel(ctx), u.Declared(), name)
	if err != nil {
		return result, err // rosd leaves: the next one finishes
	}
	fault.Point("trial-over")
	reason, goneBack := judge(changes, name)
	if err := u.settle(name, image, reason); err != nil || reason == "" {
		return result, err
	}
	if !goneBack {
		// It did not run before, or never came to run: nothing to go back to
		// but what is declared.
		if _, err := u.opt.Apply(context.WithoutCancel(ctx), u.Declared(), name); err != nil {
			return result, err
		}
	}
	return result, fmt.Errorf("%w: it runs as before, because %s failed: %s", api.ErrConflict, image, reason)
}

// judge says why a trial failed, "" if it did not, and whether the supervisor
// has gone back by itself.
func judge(changes []api.Change, name string) (reason string, goneBack bool) {
	i := slices.IndexFunc(changes, func(c api.Change) bool { return c.Service == name })
	if i < 0 || changes[i].Result == nil {
		return "", false
	}
	row := changes[i].Result
	switch {
	case changes[i].Error != "":
		return changes[i].Error, row.Refused != nil
	case row.State == api.StateWaiting:
		return row.Reason, false // it cannot prove itself
	}
	return "", false
}

// take keeps two attempts at one service apart.
func (u *Upgrader) take(name string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.busy[name] {
		return fmt.Errorf("%w: another upgrade of %s is under way", api.ErrConflict, name)
	}
	u.busy[name] = true
	return nil
}

func (u *Upgrader) release(name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.busy, name)
}

func (u *Upgrader) save(name string, p Pin) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.pins.save(name, p)
}

// pinned is a service's pin as its file stands now.
func (u *Upgrader) pinned(name string) (Pin, error) {
	set := u.opt.Files()
	i := slices.IndexFunc(set.Services, func(s service.Service) bool { return s.Name == name })
	if i < 0 {
		return Pin{}, fmt.Errorf("%w: no service %s is declared and enabled", api.ErrNotFound, name)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	p, err := u.pins.load(name)
	switch {
	case err != nil:
		return Pin{}, err
	case p.Declared != set.Services[i].Image:
		return Pin{Declared: set.Services[i].Image}, nil
	case p.Trial != nil:
		return Pin{}, fmt.Errorf("%w: another upgrade of %s is under way", api.ErrConflict, name)
	}
	return p, nil
}

// Judged settles an attempt that nobody waits for any more: rosd was another
// one when it began. It may be called for any service at any time.
func (u *Upgrader) Judged(name string, good service.Service, refused *service.Refusal) error {
	u.mu.Lock()
	p, err := u.pins.load(name)
	u.mu.Unlock()
	switch {
	case err != nil || p.Trial == nil:
		return err
	case refused != nil && refused.Image == p.Trial.Image && !refused.At.Before(p.Trial.Since):
		return u.settle(name, p.Trial.Image, refused.Reason)
	case good.Image == p.Trial.Image:
		return u.settle(name, p.Trial.Image, "")
	}
	return nil
}

// settle ends the attempt with image, once.
func (u *Upgrader) settle(name, image, reason string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	was, err := u.pins.load(name)
	if err != nil || was.Trial == nil || was.Trial.Image != image {
		return err
	}
	now := was.settled(reason, u.opt.Now())
	if err := u.pins.save(name, now); err != nil {
		return err
	}
	fault.Point("settled")
	return u.drop(was)
}

// drop forgets the images of a pin that no pin and no file names any more.
func (u *Upgrader) drop(was Pin) error {
	all, err := u.pins.all()
	if err != nil {
		return err
	}
	needed := map[string]bool{}
	for _, p := range all {
		needed[p.Declared], needed[p.Current], needed[p.Previous] = true, true, true
		if p.Trial != nil {
			needed[p.Trial.Image] = true
		}
	}
	for _, s := range u.opt.Files().Services {
		needed[s.Image] = true
	}
	var refs []string
	for _, ref := range []string{was.Current, was.Previous, was.Trial.Image} {
		if ref != "" && !needed[ref] {
			refs = append(refs, ref)
		}
	}
	if len(refs) == 0 {
		return nil
	}
	return u.opt.Drop(refs...)
}

// Needs says which services need an image.
func (u *Upgrader) Needs(ref string) (services []string) {
	u.mu.Lock()
	all, _ := u.pins.all() // what cannot be read needs nothing that it names
	u.mu.Unlock()
	for _, s := range u.opt.Files().Services {
		p := all[s.Name]
		names := []string{s.Image}
		if p.Declared == s.Image {
			names = append(names, p.Current, p.Previous)
			if p.Trial != nil {
				names = append(names, p.Trial.Image)
			}
		}
		if slices.Contains(names, ref) {
			services = append(services, s.Name)
		}
	}
	return services
}
