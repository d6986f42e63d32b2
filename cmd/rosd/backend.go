package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/testudo-os/testudo/pkg/api"
	"github.com/testudo-os/testudo/pkg/datasource/find"
	"github.com/testudo-os/testudo/pkg/events"
	"github.com/testudo-os/testudo/pkg/layout"
	"github.com/testudo-os/testudo/pkg/logs"
	"github.com/testudo-os/testudo/pkg/manager"
	"github.com/testudo-os/testudo/pkg/service"
	"github.com/testudo-os/testudo/pkg/userservices"
)

// backend answers the API: services from the manager, the rest from records.
type backend struct {
	manager  *manager.Manager
	logs     *logs.Store
	events   *events.Hub
	files    func() *service.Set // reads the service files
	images   *images
	config   *configuration
	finder   *find.Finder
	declared userservices.Store
	life     context.Context // ends with rosd

	declaring sync.Mutex // one change of what is declared at a time
}

func (b *backend) Services(ctx context.Context) ([]api.Service, error) {
	rows, err := b.manager.Services(ctx)
	if err != nil {
		return nil, err
	}
	user, err := b.manager.User(ctx)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		b.failedUpgrade(&rows[i])
	}
	return withUserScope(rows, user), nil
}

func (b *backend) Service(ctx context.Context, name string) (api.Service, error) {
	row, err := b.manager.Service(ctx, name)
	if err == nil {
		b.failedUpgrade(&row)
		row.LastLog = b.lastWords(ctx, row)
	}
	return row, err
}

func (b *backend) Inspect(ctx context.Context, name string) (any, error) {
	return b.manager.Inspect(ctx, name)
}

func (b *backend) Do(ctx context.Context, name string, verb api.Verb) (api.Service, error) {
	return b.manager.Do(ctx, name, verb)
}

// Status is the whole machine's state.
func (b *backend) Status(ctx context.Context) (api.Status, error) {
	services, err := b.Services(ctx)
	if err != nil {
		return api.Status{}, err
	}
	version, err := b.Version(ctx)
	if err != nil {
		return api.Status{}, err
	}
	status := api.Status{Version: version, Healthy: true, Services: append([]api.Service{}, services...), Problems: []string{}}
	if status.Hostname, err = os.Hostname(); err != nil {
		return api.Status{}, err
	}
	status.Uptime = float64(bootTimeMicros()) / 1e6
	if err := readJSON(layout.MachineRecord, &status.Machine); err != nil && !errors.Is(err, os.ErrNotExist) {
		status.Problems = append(status.Problems, err.Error())
	}
	status.Disks, status.Addresses = disks(status.Machine), addresses()
	status.Config = b.config.status()
	status.Problems = append(status.Problems, b.config.current.Load().Problems...)
	status.LastUpgrade = b.images.upgrades.Last()
	status.Problems = append(status.Problems, fullDisks(status.Disks)...)
	problems, err := b.manager.Problems(ctx)
	if err != nil {
		return api.Status{}, err
	}
	for _, problem := range problems {
		status.Problems = append(status.Problems, problem.Error())
	}
	for _, s := range services {
		if s.Essential && !s.Ready {
			status.Healthy = false
		}
		if failed(s) {
			status.Problems = append(status.Problems, fmt.Sprintf("service %s is in state %s: %s", s.Name, s.State, s.Reason))
		}
	}
	return status, nil
}

// failed says whether a service's state is one that people should know of.
// What is invalid because of its file is among the files' problems already.
func failed(s api.Service) bool {
	switch s.State {
	case api.StateBackoff, api.StateCrashLoop:
		return true
	case api.StateExited:
		return !s.Ready
	case api.StateInvalid:
		return s.Image != ""
	case api.StateRunning:
		return !s.Ready // unhealthy
	}
	return false
}

// Version reads os-release(5), which is the release's own word.
func (b *backend) Version(context.Context) (api.Version, error) {
	var kernel unix.Utsname
	if err := unix.Uname(&kernel); err != nil {
		return api.Version{}, fmt.Errorf("kernel version: %w", err)
	}
	version := api.Version{Kernel: unix.ByteSliceToString(kernel.Release[:])}
	file, err := os.Open(layout.OSRelease)
	if err != nil {
		return api.Version{}, fmt.Errorf("version: %w", err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), "=")
		value = strings.Trim(value, `"'`)
		switch key {
		case "NAME":
			version.Name = value
		case "VERSION_ID":
			version.Version = value
		case "BUILD_ID":
			version.Build = value
		}
	}
	return version, lines.Err()
}

// Boot lists init's steps, then the services.
func (b *backend) Boot(ctx context.Context) ([]api.BootStep, error) {
	var steps []api.BootStep
	if err := readJSON(layout.BootRecord, &steps); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	services, err := b.manager.Boot(ctx)
	return append(steps, services...), err
}

// Logs maps the store's ways to the API's.
func (b *backend) Logs(ctx context.Context, o api.LogOptions, line func(api.LogLine) error) error {
	q := logs.Query{
		Services: o.Services, Tail: o.Tail, Follow: o.Follow, Since: o.Since, Until: o.Until, Boot: o.Boot, Priority: o.Priority,
	}
	if o.Grep != "" {
		pattern, err := regexp.Compile(o.Grep)
		if err != nil {
			return fmt.Errorf("%w: grep: %w", api.ErrInvalid, err)
		}
		q.Grep = pattern
	}
	for _, name := range o.Services {
		if _, err := b.manager.Service(ctx, name); err == nil {
			b.logs.Know(name) // it may not have said anything yet
		}
	}
	err := b.logs.Read(ctx, q, line)
	if errors.Is(err, logs.ErrUnknown) || errors.Is(err, logs.ErrNoBoot) {
		return fmt.Errorf("%w: %w", api.ErrNotFound, err)
	}
	return err
}

// Events reads what the manager has told.
func (b *backend) Events(ctx context.Context, o api.EventOptions, event func(api.SystemEvent) error) error {
	return b.events.Read(ctx, o, event)
}

// Power asks PID 1, which has rosd stop all services first.
func (b *backend) Power(_ context.Context, action string) error {
	signals := map[string]syscall.Signal{"poweroff": layout.SigPowerOff, "reboot": layout.SigReboot, "halt": layout.SigHalt}
	signal, ok := signals[action]
	if !ok {
		return fmt.Errorf("%w: %q is not poweroff, reboot or halt", api.ErrInvalid, action)
	}
	if err := unix.Kill(1, signal); err != nil {
		return fmt.Errorf("ask PID 1 for %s: %w", action, err)
	}
	return nil
}

func readJSON(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}
